//! Troubles of all kinds, and whether anybody's stream shows them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use benches::Result;

use super::Cluster;
use super::crowd::Crowd;
use super::ledger::Ledger;
use super::options::Options;

/// How long it may take until all have what was said last.
const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Any node is killed.
    Kill,
    Start(usize),
    /// Any member is cut off.
    Cut,
    /// The nodes' connections to Redis are broken: `normal` ones or those of subscriptions.
    Break(&'static str),
    Pause,
    Resume,
    /// Redis loses everything.
    Empty,
}

/// How often each has happened.
#[derive(Debug, Default)]
struct Done {
    killed: u64,
    broken: u64,
    paused: u64,
    is_paused: bool,
    emptied: u64,
}

/// Which trouble comes when, in microseconds from the beginning; the number tells those of one moment apart.
type Plan = BTreeMap<(u64, u64), Trouble>;

fn plan(options: &Options, crowd: &mut Crowd) -> Plan {
    let mut plan = Plan::new();
    if !options.has_troubles {
        return plan;
    }
    let whole = options.seconds * 1_000_000;
    let mut number = 0;
    let mut add = |at: u64, trouble| {
        number += 1;
        plan.insert((at, number), trouble);
    };
    for _ in 0..options.members / 5 {
        add(crowd.random(whole), Trouble::Cut);
    }
    let pause = options.pause * 1_000_000;
    if options.nodes > 1 {
        for _ in 0..(options.seconds / 6).max(2) {
            add(whole / 20 + crowd.random(whole * 18 / 20), Trouble::Kill);
        }
    }
    if options.has_backplane {
        for number in 0..(options.seconds / 8).max(2) {
            let kind = if number % 2 == 0 { "pubsub" } else { "normal" };
            add(crowd.random(whole), Trouble::Break(kind));
        }
        let at = whole * 4 / 10;
        add(at, Trouble::Pause);
        add(at + pause, Trouble::Resume);
        // Not while it stands still.
        add((whole * 3 / 4).max(at + pause + 1_000_000), Trouble::Empty);
    }
    plan
}

/// Makes trouble; how many things were found comes back.
pub(super) fn run(options: &Options, cluster: &mut Cluster) -> Result<usize> {
    let targets = cluster.nodes.iter().map(|node| node.address).collect();
    let mut crowd = Crowd::new(options.members, options.rooms, targets, options.seed)?;
    crowd.gather()?;
    let mut plan = plan(options, &mut crowd);
    let mut done = Done::default();
    let every = Duration::from_micros(1_000_000 / options.rate);
    let (begun, due) = (Instant::now(), options.rate * options.seconds);
    let mut said = 0;
    while said < due || !plan.is_empty() {
        let now = begun.elapsed();
        while said < due && every * u32::try_from(said)? <= now {
            said += 1;
            crowd.say();
        }
        while let Some(((at, number), trouble)) = plan.first_key_value().map(|(k, t)| (*k, *t)) {
            if u128::from(at) > now.as_micros() {
                break;
            }
            plan.remove(&(at, number));
            make(trouble, at, &mut plan, cluster, &mut crowd, &mut done)?;
        }
        for node in &mut cluster.nodes {
            node.look()?;
        }
        crowd.turn(every)?;
    }
    let rest = crowd.settle(PATIENCE)?;
    println!(
        "{} members in {} rooms on {} nodes, {} messages a second for {} s",
        options.members, options.rooms, options.nodes, options.rate, options.seconds
    );
    println!(
        "  nodes killed {} times, connections to Redis broken {} times, Redis paused {} and emptied {} times",
        done.killed, done.broken, done.paused, done.emptied
    );
    if let Some(rest) = rest {
        let lost = crowd.ledger.close(&rest, done.emptied);
        if lost > 0 {
            println!(
                "  {lost} acknowledged messages were lost with Redis, or said before anybody knew of the new epoch"
            );
        }
        count(options, cluster, &mut crowd.ledger)?;
    }
    crowd.ledger.print();
    let found = crowd.ledger.found();
    if found == 0 {
        println!("  no gap, no duplicate, one order in each room");
    }
    Ok(found)
}

fn make(
    trouble: Trouble,
    at: u64,
    plan: &mut Plan,
    cluster: &mut Cluster,
    crowd: &mut Crowd,
    done: &mut Done,
) -> Result<()> {
    match trouble {
        Trouble::Kill => {
            let up: Vec<_> =
                (0..cluster.nodes.len()).filter(|node| cluster.nodes[*node].is_running()).collect();
            // Somebody must be left to talk to.
            if up.len() > 1 {
                let who = up[crowd.random(up.len() as u64) as usize];
                cluster.nodes[who].kill()?;
                done.killed += 1;
                let back = at + 500_000 + crowd.random(2_500_000);
                plan.insert((back, u64::MAX - who as u64), Trouble::Start(who));
            }
        }
        Trouble::Start(who) => cluster.nodes[who].restart(),
        Trouble::Cut => crowd.cut(),
        Trouble::Break(kind) => {
            // Not while it stands still: nothing would break.
            if let Some(redis) = cluster.redis.as_ref().filter(|_| !done.is_paused) {
                redis.ask(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"])?;
                done.broken += 1;
            }
        }
        Trouble::Pause => {
            if let Some(redis) = &cluster.redis {
                redis.pause()?;
                (done.is_paused, done.paused) = (true, done.paused + 1);
            }
        }
        Trouble::Resume => {
            if let Some(redis) = &cluster.redis {
                redis.resume()?;
                done.is_paused = false;
            }
        }
        Trouble::Empty => {
            if let Some(redis) = &mut cluster.redis {
                redis.empty()?;
                done.emptied += 1;
            }
        }
    }
    Ok(())
}

/// Every node must count all who are there, once leases of nodes that were killed are over.
fn count(options: &Options, cluster: &Cluster, ledger: &mut Ledger) -> Result<()> {
    if !options.has_backplane {
        return Ok(());
    }
    let begun = Instant::now();
    let patience = Duration::from_secs(2 * options.lease + 5);
    for room in 0..options.rooms {
        let members = (room..options.members).step_by(options.rooms).count() as u64;
        for (number, node) in cluster.nodes.iter().enumerate() {
            loop {
                let persons = node.persons(room).map_err(|error| error.to_string());
                if persons == Ok(members) {
                    break;
                }
                if begun.elapsed() > patience {
                    ledger.find(format!(
                        "node {number} counts {persons:?} persons in room {room}, where {members} are"
                    ));
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    println!("  every node counted who was there {:.1} s later", begun.elapsed().as_secs_f64());
    Ok(())
}
