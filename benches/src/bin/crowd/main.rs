//! A crowd in one room of the chat, of whom some are cut off: does everyone get every message once, in order?
//!
//! `cargo build --release && cargo run --release -p benches --bin crowd` starts the `ws-mio-server` beside this
//! program and lets 1,000 members join a room, in which 100 messages a second are said for 60 seconds, by any of
//! them. A random fifth of the members is cut off at random moments, some by a reset, and comes back up to three
//! seconds later with the last id that it saw; what was not acknowledged to it, it says again. Every member's
//! stream is checked by ids, and every message must have come once. Anything else is an error.
//!
//! `--members N`, `--rate N`, `--seconds N` and `--cut PERCENT` change that, `--seed N` takes other moments,
//! `--server PATH` another server, and options behind `--` are for the server: `-- --data DIR` stores messages.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

mod member;

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use benches::{Numbers, Result, Server, raise_descriptor_limit};
use mio::{Events, Poll, Token};

use member::Member;

/// How long it may take until all have what was said last.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is known of all that was said.
#[derive(Default)]
struct Said {
    /// What messages say, by offset: all see the same.
    contents: HashMap<u64, String>,
    /// When each was said first.
    moments: HashMap<String, Instant>,
    /// In microseconds: how long each delivery took, of those that were not recovered.
    delays: Vec<u32>,
    deliveries: u64,
    /// Returns that got all that they missed, and how much that was.
    recovered: u64,
    missed: u64,
    /// Returns that were told that they did not.
    lost: u64,
}

struct Options {
    members: usize,
    rate: u64,
    seconds: u64,
    cut: usize,
    seed: u64,
    server: PathBuf,
    others: Vec<String>,
}

fn options() -> Result<Options> {
    let server = env::current_exe()?.with_file_name("ws-mio-server");
    let others = Vec::new();
    let mut options =
        Options { members: 1000, rate: 100, seconds: 60, cut: 20, seed: 1, server, others };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--" {
            options.others = arguments.collect();
            break;
        }
        let value = arguments.next().ok_or_else(|| format!("{name}: a value is due"))?;
        match name.as_str() {
            "--members" => options.members = value.parse()?,
            "--rate" => options.rate = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--cut" => options.cut = value.parse()?,
            "--seed" => options.seed = value.parse()?,
            "--server" => options.server = value.into(),
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    Ok(options)
}

/// What happens to a member, and when.
#[derive(Clone, Copy)]
enum Fate {
    Cut,
    Back,
}

fn main() -> Result<()> {
    let options = options()?;
    raise_descriptor_limit()?;
    let (_server, address) = Server::start(&options.server, &options.others)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    let mut numbers = Numbers(options.seed);
    let mut random = move |below: u64| numbers.next().unwrap_or(0) % below.max(1);
    let mut said = Said::default();
    let mut members: Vec<_> = (0..options.members).map(Member::new).collect();
    for member in &mut members {
        member.join(&address, &poll)?;
        member.read(&mut said)?;
    }
    // Whom it will hit, and when: in microseconds from the beginning.
    let whole = options.seconds * 1_000_000;
    let mut fates: BTreeMap<(u64, usize), Fate> = BTreeMap::new();
    let mut chosen: Vec<usize> = (0..options.members).collect();
    for place in 0..options.members * options.cut / 100 {
        let other = place + random((options.members - place) as u64) as usize;
        chosen.swap(place, other);
        let at = random(whole);
        fates.insert((at, chosen[place]), Fate::Cut);
        fates.insert((at + 1 + random(3_000_000), chosen[place]), Fate::Back);
    }
    let (begun, mut published) = (Instant::now(), 0);
    let due = options.rate * options.seconds;
    let every = 1_000_000 / options.rate.max(1);
    let mut last_news = Instant::now();
    loop {
        let now = begun.elapsed().as_micros() as u64;
        while published < due && published * every <= now {
            let who = random(members.len() as u64) as usize;
            let here = (who..members.len()).chain(0..who).find(|who| members[*who].is_here());
            if let Some(who) = here {
                published += 1;
                members[who].say(&published.to_string(), &mut said)?;
            }
        }
        while let Some(((at, who), fate)) = fates.first_key_value().map(|(k, f)| (*k, *f)) {
            if at > now {
                break;
            }
            fates.pop_first();
            match fate {
                Fate::Cut => members[who].cut(random(2) == 0),
                Fate::Back => {
                    members[who].join(&address, &poll)?;
                    members[who].read(&mut said)?;
                }
            }
        }
        poll.poll(&mut events, Some(Duration::from_micros(every.min(10_000))))?;
        for event in &events {
            let Token(who) = event.token();
            last_news = Instant::now();
            members[who].read(&mut said)?;
        }
        if published == due && fates.is_empty() {
            if members.iter().all(|member| member.has_all(due)) {
                break;
            }
            if last_news.elapsed() > PATIENCE {
                let behind = members.iter().filter(|member| !member.has_all(due)).count();
                return Err(format!("{behind} members have not got all").into());
            }
        }
    }
    report(&options, said, due)
}

fn report(options: &Options, mut said: Said, due: u64) -> Result<()> {
    let mut contents: Vec<_> = said.contents.values().collect();
    contents.sort_unstable();
    contents.dedup();
    if contents.len() as u64 != due || said.contents.len() as u64 != due {
        let (ids, texts) = (said.contents.len(), contents.len());
        return Err(format!("{due} messages came to {ids} ids and {texts} texts").into());
    }
    said.delays.sort_unstable();
    let quantile = |part: usize| {
        let at = said.delays.len().saturating_sub(1) * part / 100;
        f64::from(said.delays.get(at).copied().unwrap_or(0)) / 1000.0
    };
    println!(
        "{} members, {} messages a second for {} s, {} % cut off",
        options.members, options.rate, options.seconds, options.cut
    );
    println!(
        "{} deliveries without a gap or a duplicate; delay p50 {:.1} ms, p99 {:.1} ms",
        said.deliveries,
        quantile(50),
        quantile(99)
    );
    println!(
        "{} came back and got all {} messages that they missed; {} were told of a gap",
        said.recovered, said.missed, said.lost
    );
    Ok(())
}
