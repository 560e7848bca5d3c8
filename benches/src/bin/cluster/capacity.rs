//! What a cluster costs Redis and its nodes: for each message, for each room, and for nothing at all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use benches::Result;

use super::Cluster;
use super::crowd::Crowd;
use super::options::Options;
use super::redis::Redis;

/// How large contents are that are measured, in bytes.
const SIZES: [usize; 3] = [16, 256, 4096];
/// How long each is.
const SLICE: Duration = Duration::from_secs(8);

/// Counters of Redis at one moment.
pub(super) struct Counters {
    pub(super) at: Instant,
    /// Calls, by command. How long each took stands there, too, by the clock: as long as another process had its core.
    commands: BTreeMap<String, f64>,
    /// In bytes: what has come to it, and what it has sent.
    received: f64,
    sent: f64,
    /// In seconds: processor time of its main thread.
    processor: f64,
    /// In bytes: all that it has allocated.
    pub(super) memory: f64,
}

impl Counters {
    pub(super) fn read(redis: &Redis) -> Result<Self> {
        let text = redis.ask(&["INFO", "everything"])?.to_string();
        let fields: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once(':')).collect();
        let number = |name: &str| -> Result<f64> {
            let value = fields.get(name).ok_or_else(|| format!("Redis does not tell {name}"))?;
            Ok(value.trim().parse()?)
        };
        let commands = fields.iter().filter_map(|(name, value)| {
            let calls = value.strip_prefix("calls=")?.split(',').next()?.parse().ok()?;
            Some((name.strip_prefix("cmdstat_")?.to_owned(), calls))
        });
        Ok(Self {
            at: Instant::now(),
            commands: commands.collect(),
            received: number("total_net_input_bytes")?,
            sent: number("total_net_output_bytes")?,
            processor: number("used_cpu_user_main_thread")? + number("used_cpu_sys_main_thread")?,
            memory: number("used_memory")?,
        })
    }

    /// What has come on top since, as one line for so many of something; commands that are too few for it are left out.
    pub(super) fn since(&self, before: &Self, count: f64) -> String {
        let commands = self.commands.iter().filter_map(|(name, calls)| {
            let calls = (calls - before.commands.get(name).copied().unwrap_or(0.0)) / count;
            (calls > 0.005).then(|| format!("{name} {calls:.2}"))
        });
        let commands: Vec<_> = commands.collect();
        format!(
            "received {:.0} B, sent {:.0} B, processor {:.1} µs; {}",
            (self.received - before.received) / count,
            (self.sent - before.sent) / count,
            (self.processor - before.processor) * 1e6 / count,
            commands.join(", ")
        )
    }
}

/// Measures; there is nothing to be found.
pub(super) fn run(options: &Options, cluster: &mut Cluster) -> Result<usize> {
    let Some(redis) = &cluster.redis else { return Err("capacity wants a backplane".into()) };
    idle(options, redis)?;
    messages(options, cluster, redis)?;
    rooms(options, cluster, redis)?;
    Ok(0)
}

/// Nodes that do nothing.
fn idle(options: &Options, redis: &Redis) -> Result<()> {
    let before = Counters::read(redis)?;
    std::thread::sleep(SLICE);
    let after = Counters::read(redis)?;
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let count = seconds * options.nodes as f64;
    println!("a second of a node without members, its lease {} s:", options.lease);
    println!("  {}", after.since(&before, count));
    Ok(())
}

/// Messages of some sizes, in rooms whose members are on all nodes.
fn messages(options: &Options, cluster: &Cluster, redis: &Redis) -> Result<()> {
    let targets = cluster.nodes.iter().map(|node| node.address).collect();
    let mut crowd = Crowd::new(options.members, options.rooms, targets, options.seed)?;
    crowd.gather()?;
    crowd.settle(Duration::from_secs(10))?;
    println!(
        "a message in a room on {} nodes, {} messages a second in {} rooms of {} members:",
        options.nodes,
        options.rate,
        options.rooms,
        options.members / options.rooms
    );
    for size in SIZES {
        crowd.ledger.size = size;
        let before = Counters::read(redis)?;
        let (begun, mut said) = (Instant::now(), 0_u32);
        let every = Duration::from_micros(1_000_000 / options.rate);
        while begun.elapsed() < SLICE {
            while every * said <= begun.elapsed() {
                said += u32::from(crowd.say());
            }
            crowd.turn(every)?;
        }
        crowd.settle(Duration::from_secs(10))?;
        let after = Counters::read(redis)?;
        println!("  {size} B: {}", after.since(&before, f64::from(said)));
        let memory = (after.memory - before.memory) / f64::from(said);
        println!("    kept by Redis: {memory:.0} B");
    }
    Ok(())
}

/// Rooms with one member each, on one node.
fn rooms(options: &Options, cluster: &Cluster, redis: &Redis) -> Result<()> {
    println!("a room of one member more, with nothing said, on one node:");
    let node = &cluster.nodes[0];
    let mut crowds = Vec::new();
    for _ in 0..2 {
        let (before, resident) = (Counters::read(redis)?, node.resident()?);
        let begun = Instant::now();
        let count = options.attached;
        let mut crowd = Crowd::new(count, count, vec![node.address], options.seed)?;
        crowd.ledger.first_room = 1_000_000 * (1 + crowds.len());
        crowd.gather()?;
        crowd.settle(Duration::from_secs(20))?;
        let seconds = begun.elapsed().as_secs_f64();
        let after = Counters::read(redis)?;
        let each = count as f64;
        println!("  {count} more in {seconds:.1} s: {}", after.since(&before, each));
        println!(
            "    kept by Redis: {:.0} B, by the node: {:.0} B with the connection",
            (after.memory - before.memory) / each,
            (node.resident()? as f64 - resident as f64) / each
        );
        crowds.push(crowd);
    }
    Ok(())
}
