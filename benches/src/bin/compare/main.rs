//! Processor time of servers per message, side by side.
//!
//! `cargo build --release && cargo run --release -p benches --bin compare` compares the `ws-mio-server`
//! beside this program with what the kernel takes (`floor`), and with the servers of others if the program
//! `peers` was built; `benches/run` builds all of that first. `benches/README.md` tells how it measures.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

mod measure;
mod plot;
mod table;

use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs, iter};

use benches::cores::Cores;
use benches::point::Point;
use benches::servers::{Known, Start};
use benches::{Numbers, Result, raise_descriptor_limit};

use measure::{Pair, Plan, Row};

const HELP: &str = "\
usage: compare [--servers LIST] [--points LIST] [--sittings N] [--rounds N] [--slice MS]
               [--cores apart|shared] [--other NAME=COMMAND] [--markdown FILE] [--plot FILE]

  --servers LIST  floor, ours, ours@WORKERS, NAME=PATH (another ws-mio-server), and names of peers, separated
                  by commas. Ratios are to the first. The first two run twice, for the controls.
                  The default is floor, ours, and all peers and others.
  --other NAME=COMMAND  a server of any kind: COMMAND prints ws://ADDRESS:PORT, and serves /echo and /relay/r
  --points LIST   CONNECTIONSxBYTESxDEPTH for an echo, fanout:CONNECTIONSxBYTESxDEPTH, separated by commas
  --sittings N    how often all servers are started anew, 10 if not said
  --rounds N      how often each pair has its turn in a sitting, 8 if not said; all but the first two
                  servers take part in the first round only
  --slice MS      how long a turn is for each of a pair, 25 if not said; four times as long where
                  all connections get more than 1 MiB at once
  --cores HOW     apart: the generator on one core, the servers on another (the default);
                  shared: everybody on every core
  --markdown FILE, --plot FILE  write the results there, too: tables, and an SVG";

struct Options {
    servers: Option<String>,
    others: Vec<(String, String)>,
    points: Vec<Point>,
    plan: Plan,
    cores: Cores,
    markdown: Option<String>,
    plot: Option<String>,
}

impl Options {
    fn read() -> Result<Option<Self>> {
        let mut options = Self {
            servers: None,
            others: Vec::new(),
            points: Point::ALL.to_vec(),
            plan: Plan { sittings: 10, rounds: 8, slice: Duration::from_millis(25) },
            cores: Cores::apart()?,
            markdown: None,
            plot: None,
        };
        let mut args = env::args().skip(1);
        while let Some(name) = args.next() {
            if name == "--help" {
                return Ok(None);
            }
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--servers" => options.servers = Some(value),
                "--other" => {
                    let (name, command) = value.split_once('=').ok_or("NAME=COMMAND is due")?;
                    options.others.push((name.to_owned(), command.to_owned()));
                }
                "--points" => {
                    options.points =
                        value.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
                }
                "--sittings" => options.plan.sittings = value.parse::<usize>()?.max(1),
                "--rounds" => options.plan.rounds = value.parse::<usize>()?.max(1),
                "--slice" => {
                    options.plan.slice = Duration::from_millis(value.parse::<u64>()?.max(1))
                }
                "--cores" => {
                    options.cores = match value.as_str() {
                        "apart" => Cores::apart()?,
                        "shared" => Cores::shared()?,
                        _ => return Err(format!("--cores {value}: apart or shared is due").into()),
                    };
                }
                "--markdown" => options.markdown = Some(value),
                "--plot" => options.plot = Some(value),
                _ => return Err(format!("{name} is unknown; --help tells what is known").into()),
            }
        }
        Ok(Some(options))
    }
}

/// All servers, and which are measured beside which. The first two have a twin each.
fn pair(names: &[&str], cores: Cores, known: &Known) -> Result<(Vec<Start>, Vec<Pair>)> {
    let twins = names.iter().take(2);
    let start = |name: &&str| Start::new(name, cores, known);
    let servers = names.iter().chain(twins).map(start).collect::<Result<Vec<_>>>()?;
    let twins = (0..names.len().min(2)).map(|base| {
        let server = names.len() + base;
        Pair { server, base, control: true, seldom: false }
    });
    let others =
        (1..names.len()).map(|server| Pair { server, base: 0, control: false, seldom: server > 1 });
    let pairs = twins.chain(others).collect();
    Ok((servers, pairs))
}

fn main() -> Result<()> {
    let Some(options) = Options::read()? else {
        println!("{HELP}");
        return Ok(());
    };
    raise_descriptor_limit()?;
    let known = Known::with(options.others)?;
    let names = match &options.servers {
        Some(list) => list.split(',').collect::<Vec<_>>(),
        None => ["floor", "ours"].into_iter().chain(known.names()).collect(),
    };
    let (servers, pairs) = pair(&names, options.cores, &known)?;
    let peers = known.peers.iter().filter(|peer| names.contains(&peer.name.as_str()));
    let versions =
        peers.map(|peer| format!("{} {}", peer.name, peer.version)).collect::<Vec<_>>().join(", ");
    if !versions.is_empty() {
        println!("{versions}");
    }
    // The order is another each time, so that no place in it favours one for good.
    let mut order = Numbers(UNIX_EPOCH.elapsed()?.as_nanos() as u64);
    let mut results: Vec<(Point, Vec<Row>)> = Vec::new();
    for point in options.points {
        println!("{point}");
        let rows = measure::measure(&servers, &pairs, point, options.plan, &mut order)?;
        for row in &rows {
            let name =
                if row.control { format!("({0} / {0})", row.name) } else { row.name.clone() };
            println!(
                "  {name:<26} {}  {:>10.0} ns  {:>5.1} % busy  {:>10.0} messages/s",
                row.ratio,
                row.nanos.median,
                row.busy * 100.0,
                row.rate
            );
        }
        results.push((point, rows));
    }
    if let Some(file) = options.markdown {
        let versions = iter::once(versions.as_str()).filter(|versions| !versions.is_empty());
        fs::write(file, table::markdown(&results, versions, options.plan)?)?;
    }
    if let Some(file) = options.plot {
        fs::write(file, plot::svg(&results)?)?;
    }
    Ok(())
}
