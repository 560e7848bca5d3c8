//! How long the members of a crashed node are still counted.

use std::time::{Duration, Instant};

use benches::Result;

use super::Cluster;
use super::crowd::Crowd;
use super::options::Options;

/// Kills one of the nodes, whose members stay away.
pub(super) fn run(options: &Options, cluster: &mut Cluster) -> Result<usize> {
    if options.nodes < 2 || !options.has_backplane {
        return Err("lease wants two nodes or more, and a backplane".into());
    }
    let targets = cluster.nodes.iter().map(|node| node.address).collect();
    let mut crowd = Crowd::new(options.members, options.rooms, targets, options.seed)?;
    crowd.gather()?;
    let all: Vec<u64> = count(options, &crowd, |_| true);
    let stay: Vec<u64> = count(options, &crowd, |node| node != 0);
    let patience = Duration::from_secs(3 * options.lease + 10);
    let begun = Instant::now();
    for node in &cluster.nodes {
        for (room, members) in all.iter().enumerate() {
            while node.persons(room).ok() != Some(*members) {
                crowd.turn(Duration::from_millis(5))?;
                if begun.elapsed() > patience {
                    return Err(
                        format!("{} does not count all of room {room}", node.address).into()
                    );
                }
            }
        }
    }
    let together = begun.elapsed();
    cluster.nodes[0].kill()?;
    let killed = Instant::now();
    let (mut first, mut last) = (None, Duration::ZERO);
    for (number, node) in cluster.nodes.iter().enumerate().skip(1) {
        for (room, members) in stay.iter().enumerate() {
            loop {
                let asked = killed.elapsed();
                let persons = node.persons(room).map_err(|error| error.to_string());
                if persons == Ok(*members) {
                    if *members != all[room] {
                        first = first.or(Some(asked));
                        last = last.max(asked);
                    }
                    break;
                }
                if asked > patience {
                    crowd.ledger.find(format!(
                        "node {number} counts {persons:?} persons in room {room}, where {members} are left"
                    ));
                    break;
                }
                // Members of the dead node are not let in again: nobody turns the crowd.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    let gone: u64 = all.iter().sum::<u64>() - stay.iter().sum::<u64>();
    println!(
        "{} members in {} rooms on {} nodes, counted by every node after {:.2} s",
        options.members,
        options.rooms,
        options.nodes,
        together.as_secs_f64()
    );
    println!(
        "  {gone} members of a node that was killed were gone from every other one's rooms after {:.2} to {:.2} s; \
         the lease is {} s",
        first.unwrap_or_default().as_secs_f64(),
        last.as_secs_f64(),
        options.lease
    );
    if last > Duration::from_secs(options.lease) {
        crowd.ledger.find(format!("that is longer than the lease, {} s", options.lease));
    }
    Ok(crowd.ledger.found())
}

/// How many of each room's members are on some of the nodes.
fn count(options: &Options, crowd: &Crowd, on: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut count = vec![0; options.rooms];
    for member in crowd.members.iter().filter(|member| on(member.node)) {
        count[member.room] += 1;
    }
    count
}
