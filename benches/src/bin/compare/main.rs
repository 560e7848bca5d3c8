//! Processor time of servers per message, side by side.
//!
//! `cargo build --release && cargo run --release -p benches --bin compare` compares the `ws-mio-server`
//! beside this program with what the kernel takes (`floor`), and with the servers of others if the program
//! `peers` was built; `benches/run` builds all of that first. `benches/README.md` tells how it measures.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

mod measure;
mod servers;

use std::env;
use std::time::{Duration, UNIX_EPOCH};

use benches::cores::Cores;
use benches::point::Point;
use benches::{Numbers, Result, raise_descriptor_limit};

use servers::Running;

const HELP: &str = "\
usage: compare [--servers LIST] [--points LIST] [--rounds N] [--slice MS] [--cores apart|shared]

  --servers LIST  floor, ours, ours@WORKERS, NAME=PATH (another ws-mio-server), and names of peers, separated
                  by commas. Ratios are to the first. One that is named twice runs twice: its control.
                  The default is floor,floor,ours,ours and all peers.
  --points LIST   CONNECTIONSxBYTESxDEPTH for an echo, fanout:CONNECTIONSxBYTESxDEPTH, separated by commas
  --rounds N      how often each server has its turn, 11 if not said
  --slice MS      how long a turn is, 250 if not said
  --cores HOW     apart: the generator on one core, the servers on another (the default);
                  shared: everybody on every core";

struct Options {
    servers: Option<String>,
    points: Vec<Point>,
    rounds: usize,
    slice: Duration,
    cores: Cores,
}

impl Options {
    fn read() -> Result<Option<Self>> {
        let mut options = Self {
            servers: None,
            points: Point::ALL.to_vec(),
            rounds: 11,
            slice: Duration::from_millis(250),
            cores: Cores::apart()?,
        };
        let mut args = env::args().skip(1);
        while let Some(name) = args.next() {
            if name == "--help" {
                return Ok(None);
            }
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--servers" => options.servers = Some(value),
                "--points" => {
                    options.points =
                        value.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
                }
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--slice" => options.slice = Duration::from_millis(value.parse::<u64>()?.max(1)),
                "--cores" => {
                    options.cores = match value.as_str() {
                        "apart" => Cores::apart()?,
                        "shared" => Cores::shared()?,
                        _ => return Err(format!("--cores {value}: apart or shared is due").into()),
                    };
                }
                _ => return Err(format!("{name} is unknown; --help tells what is known").into()),
            }
        }
        Ok(Some(options))
    }
}

fn main() -> Result<()> {
    let Some(options) = Options::read()? else {
        println!("{HELP}");
        return Ok(());
    };
    raise_descriptor_limit()?;
    let peers = servers::peers()?;
    let names = options.servers.unwrap_or_else(|| {
        let peers = peers.iter().map(|peer| format!(",{}", peer.name));
        "floor,floor,ours,ours".chars().chain(peers.collect::<String>().chars()).collect()
    });
    let start = |name| Running::start(name, options.cores, &peers);
    let servers = names.split(',').map(start).collect::<Result<Vec<_>>>()?;
    // The order is another each time, so that no place in it favours one for good.
    let mut order = Numbers(UNIX_EPOCH.elapsed()?.as_nanos() as u64);
    for peer in peers.iter().filter(|peer| servers.iter().any(|server| server.name == peer.name)) {
        println!("{} {}", peer.name, peer.version);
    }
    for point in options.points {
        println!("{point}");
        for row in measure::measure(&servers, point, options.rounds, options.slice, &mut order)? {
            println!(
                "  {:<20} {}  {:>10.0} ns  {:>5.1} % busy  {:>10.0} messages/s",
                row.name,
                row.ratio,
                row.nanos.median,
                row.busy * 100.0,
                row.rate
            );
        }
    }
    Ok(())
}
