//! What all members have seen, put side by side.
//!
//! A room has one order if the same id means the same message to everyone. Of each epoch of a room the ledger
//! knows what every offset says, as the first member that got it told; whoever gets something else has found an
//! error. That no member has a gap or a duplicate is for the members to see: see `member`.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// No more findings than that are printed.
const SHOWN: usize = 20;

/// Where in a room something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// By number, as [`Ledger::epoch`] gives them.
    pub(super) epoch: usize,
    pub(super) offset: u64,
}

/// What was said: when, by which node's member, and how often it was acknowledged under which id.
#[derive(Debug)]
struct Said {
    room: usize,
    at: Instant,
    node: usize,
    acknowledged: Vec<Place>,
    /// Under which ids it has come to anybody.
    heard: Vec<Place>,
}

/// Counters of what happened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) deliveries: u64,
    /// Returns that got all that they missed, and how much that was.
    pub(super) recovered: u64,
    pub(super) missed: u64,
    /// Returns that were told that the epoch is another one.
    pub(super) new_epochs: u64,
    /// Returns that were told of a gap in the same epoch.
    pub(super) gaps: u64,
    /// Deliveries without an id, of a node without its backplane.
    pub(super) transient: u64,
    /// What messages were refused with, by code.
    pub(super) errors: BTreeMap<String, u64>,
    /// How connections ended, or did not come about.
    pub(super) ends: BTreeMap<String, u64>,
    pub(super) cut: u64,
}

/// What is known of all rooms.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) counts: Counts,
    /// How many bytes messages have at least.
    pub(super) size: usize,
    /// What stands in the name of the first room.
    pub(super) first_room: usize,
    epochs: Vec<String>,
    /// What each id of a room says.
    heard: HashMap<(usize, Place), usize>,
    /// The furthest offset of each epoch of a room.
    tops: HashMap<(usize, usize), u64>,
    /// Where those who had to begin anew in an epoch of a room did so the earliest: what was said before came to none of
    /// them as news, and each of them knows.
    begun: HashMap<(usize, usize), u64>,
    said: Vec<Said>,
    findings: Vec<String>,
    unshown: usize,
    /// In microseconds: deliveries to members of the sender's node, and to those of others.
    delays: [Vec<u32>; 2],
}

impl Ledger {
    pub(super) fn find(&mut self, finding: String) {
        if self.findings.len() < SHOWN {
            eprintln!("FOUND  {finding}");
            self.findings.push(finding);
        } else {
            self.unshown += 1;
        }
    }

    pub(super) fn found(&self) -> usize {
        self.findings.len() + self.unshown
    }

    /// The number of an epoch.
    fn epoch(&mut self, name: &str) -> usize {
        self.epochs.iter().position(|known| known == name).unwrap_or_else(|| {
            self.epochs.push(name.to_owned());
            self.epochs.len() - 1
        })
    }

    /// What an id names.
    pub(super) fn place(&mut self, id: &str) -> Option<Place> {
        let (epoch, offset) = id.rsplit_once(':')?;
        let offset = offset.parse().ok()?;
        Some(Place { epoch: self.epoch(epoch), offset })
    }

    /// The id of a place.
    pub(super) fn id(&self, place: Place) -> String {
        format!("{}:{}", self.epochs.get(place.epoch).map_or("?", String::as_str), place.offset)
    }

    /// Somebody says something; its number is what it says.
    pub(super) fn say(&mut self, room: usize, node: usize) -> usize {
        let (at, none) = (Instant::now(), Vec::new);
        self.said.push(Said { room, at, node, acknowledged: none(), heard: none() });
        self.said.len() - 1
    }

    /// A member begins here, and knows that what was before is not told.
    pub(super) fn begin(&mut self, room: usize, place: Place) {
        let begun = self.begun.entry((room, place.epoch)).or_insert(place.offset);
        *begun = place.offset.min(*begun);
    }

    /// What stands in a message: its number, and nothing of interest behind it.
    pub(super) fn content(&self, number: usize) -> String {
        format!("{number} {:.<1$}", "", self.size.saturating_sub(8))
    }

    /// Which number it is.
    pub(super) fn number(content: &str) -> Option<usize> {
        content.split(' ').next()?.parse().ok()
    }

    /// A member got this. `news` says that it was not recovered, so that its delay counts.
    pub(super) fn hear(&mut self, room: usize, place: Place, content: usize, news: Option<usize>) {
        let id = self.id(place);
        let Some(said) = self.said.get_mut(content).filter(|said| said.room == room) else {
            return self
                .find(format!("room {room} got {content} as {id}, which nobody said there"));
        };
        if let Some(node) = news {
            let delay = u32::try_from(said.at.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.delays[usize::from(node != said.node)].push(delay);
        }
        match self.heard.insert((room, place), content) {
            Some(before) if before != content => {
                self.find(format!("room {room}: {id} is {content} here and {before} elsewhere"));
            }
            Some(_) => {}
            None => {
                let twice = said.heard.iter().any(|other| other.epoch == place.epoch);
                said.heard.push(place);
                let top = self.tops.entry((room, place.epoch)).or_default();
                *top = place.offset.max(*top);
                if twice {
                    self.find(format!("room {room}: {content} was said again as {id}"));
                }
            }
        }
    }

    pub(super) fn acknowledge(&mut self, room: usize, place: Place, content: usize) {
        match self.said.get_mut(content).filter(|said| said.room == room) {
            Some(said) => said.acknowledged.push(place),
            None => self.find(format!("room {room}: {content} was acknowledged, and never said")),
        }
    }

    /// Looks at what was acknowledged when all is quiet. `end` tells where each room stands; `emptied` how often
    /// Redis has lost everything, and with it epochs. How much was lost so comes back.
    pub(super) fn close(&mut self, end: &[Place], emptied: u64) -> u64 {
        let mut lost = 0;
        let mut findings = Vec::new();
        for (content, said) in self.said.iter().enumerate() {
            for place in &said.acknowledged {
                let heard = self.heard.get(&(said.room, *place));
                match heard {
                    Some(heard) if *heard == content => {}
                    Some(heard) => findings.push(format!(
                        "room {}: {content} was acknowledged as {}, which is {heard}",
                        said.room,
                        self.id(*place)
                    )),
                    None if place.epoch == end[said.room].epoch
                        && self
                            .begun
                            .get(&(said.room, place.epoch))
                            .is_none_or(|begun| place.offset > *begun) =>
                    {
                        findings.push(format!(
                            "room {}: {content} was acknowledged as {}, and came to nobody",
                            said.room,
                            self.id(*place)
                        ))
                    }
                    None => lost += 1,
                }
            }
        }
        for (room, last) in end.iter().enumerate() {
            let epochs = self.tops.keys().filter(|(of, _)| *of == room).count() as u64;
            if epochs > emptied + 1 {
                findings.push(format!("room {room} had {epochs} epochs, Redis {emptied} ends"));
            }
            let top = self.tops.get(&(room, last.epoch)).copied().unwrap_or(0);
            if top > last.offset {
                findings.push(format!("room {room} stands at {}, and {top} came", self.id(*last)));
            }
        }
        for finding in findings {
            self.find(finding);
        }
        lost
    }

    pub(super) fn print(&mut self) {
        let counts = &self.counts;
        println!("  {} messages, {} deliveries", self.said.len(), counts.deliveries);
        // Behind a proxy nobody knows who is on which node.
        let is_known = !self.delays[1].is_empty();
        let whose = if is_known { "members of the same node" } else { "members" };
        for (delays, whose) in self.delays.iter_mut().zip([whose, "members of other nodes"]) {
            if delays.is_empty() {
                continue;
            }
            delays.sort_unstable();
            let quantile = |per_mille: usize| {
                let at = delays.len().saturating_sub(1) * per_mille / 1000;
                f64::from(delays.get(at).copied().unwrap_or(0)) / 1000.0
            };
            let (half, most) = (quantile(500), quantile(990));
            println!("  delay to {whose}: p50 {half:.2} ms, p99 {most:.2} ms");
        }
        println!(
            "  {} came back and got all {} that they missed; {} were told of a new epoch, {} of a gap",
            counts.recovered, counts.missed, counts.new_epochs, counts.gaps
        );
        println!("  connections ended: {:?}; {} were cut off here", counts.ends, counts.cut);
        if !counts.errors.is_empty() {
            println!("  messages were refused, and sent again: {:?}", counts.errors);
        }
        if counts.transient > 0 {
            println!("  {} deliveries had no id", counts.transient);
        }
    }
}
