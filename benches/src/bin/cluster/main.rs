//! A cluster under trouble: Redis, several nodes, and members of rooms whose streams are checked.
//!
//! `cargo build --release && cargo run --release -p benches --bin cluster -- MODE` starts a `redis-server` of its own
//! and three of the `ws-mio-server` beside this program on free ports. It prints what it saw; anything that must
//! not be is printed as `FOUND`, and makes it fail. MODE is one of
//!
//! - `audit`: 900 members in 30 rooms, each time on any node, of whom anybody says something 300 times a second for
//!   60 seconds. Meanwhile nodes are killed and started again, members cut off, the nodes' connections to Redis
//!   broken, Redis paused for 5 seconds, and killed and started anew without anything. Members come back with
//!   the last id that they saw, and say again what was not acknowledged. In the end all rest, and: no member has had
//!   a gap, a duplicate or another order than others in a room; what was acknowledged has come; unless the member
//!   was told `recovered: false`, which it is only after Redis has lost everything; every node counts who is there.
//! - `lease`: one of the nodes is killed, and its members stay away. How long do the others count them?
//! - `rolling`: nodes behind nginx, as `ws-mio-server gen nginx` sets it up, are drained and started again, one after
//!   the other, while members talk. Each comes back and recovers; nobody sees anything but code 1012; and no
//!   second has more than twice as many returns as an average one.
//! - `delay`: one message at a time, from a member on one node to one on another, in turns with `PUBLISH` on one connection of
//!   Redis until it comes out of another.
//! - `capacity`: what a message, a room and a node that does nothing cost Redis, by its own counters, and what they cost
//!   the node.
//! - `log`: the same without nodes, of what they ask of Redis alone: sizes of messages, nodes to a room, and rooms by the
//!   thousand (`--attached N`, five times).
//!
//! `--nodes N`, `--members N`, `--rooms N`, `--rate N`, `--seconds N`, `--pause SECONDS`, `--lease SECONDS`, `--drain SECONDS`,
//! `--attached N` (rooms that `capacity` measures at a time) change that, `--seed N` takes other moments, `--server PATH`, `--redis PATH` and `--nginx PATH` other programs; options
//! behind `--` are for the nodes. `--calm` leaves the troubles out: then the delay of deliveries means something.
//! `--without-backplane` is the control: three nodes that do not know each other must be found out.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

mod audit;
mod capacity;
mod crowd;
mod delay;
mod lease;
mod ledger;
mod log;
mod member;
mod nodes;
mod options;
mod redis;
mod rolling;
mod wire;

use std::process::ExitCode;

use benches::{Result, raise_descriptor_limit};

use nodes::{Folder, Node};
use options::{Mode, Options};
use redis::Redis;

/// Redis and the nodes over it. Nodes end first.
struct Cluster {
    nodes: Vec<Node>,
    redis: Option<Redis>,
    folder: Folder,
}

impl Cluster {
    fn start(options: &Options) -> Result<Self> {
        let folder = Folder::new()?;
        let redis = match options.has_backplane {
            true => Some(Redis::start(&options.redis)?),
            false => None,
        };
        let start = |number: usize| {
            // More than anybody misses here.
            let mut all = ["--history", "5000"].map(str::to_owned).to_vec();
            if let Some(redis) = &redis {
                all.extend(["--backplane".to_owned(), format!("redis://127.0.0.1:{}", redis.port)]);
                all.extend(["--presence-lease".to_owned(), format!("{}s", options.lease)]);
                all.extend(["--node-name".to_owned(), format!("node-{number}")]);
            }
            if options.mode == Mode::Rolling {
                all.extend(["--drain".to_owned(), format!("{}s", options.drain)]);
                all.extend(["--trusted-proxy", "127.0.0.1"].map(str::to_owned));
            }
            all.extend(options.others.iter().cloned());
            Node::start(&options.server, number, &all, &folder)
        };
        let nodes = (1..=options.nodes).map(start).collect::<Result<_>>()?;
        Ok(Self { nodes, redis, folder })
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::read()?;
    raise_descriptor_limit()?;
    if options.mode == Mode::Log {
        log::run(&options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut cluster = Cluster::start(&options)?;
    let found = match options.mode {
        Mode::Audit => audit::run(&options, &mut cluster),
        Mode::Lease => lease::run(&options, &mut cluster),
        Mode::Rolling => rolling::run(&options, &mut cluster),
        Mode::Delay => delay::run(&options, &mut cluster),
        Mode::Capacity | Mode::Log => capacity::run(&options, &mut cluster),
    };
    cluster.folder.keep = !matches!(found, Ok(0));
    let found = found?;
    if found > 0 {
        eprintln!("{found} findings");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
