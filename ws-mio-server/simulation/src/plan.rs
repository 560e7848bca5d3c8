//! What is to happen in a run: drawn from its seed, item by item, so that items can be left out.

use std::fmt;

use crate::dice::Dice;

/// A second, in the microseconds that all times here are in.
pub(crate) const SECOND: u64 = 1_000_000;

/// The world of a run, and what is to happen in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What all else is drawn from.
    pub seed: u64,
    /// How it is set.
    pub scale: Scale,
    /// What happens; an item's number is its place.
    pub items: Vec<Item>,
}

/// How a world is set.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// How long things go wrong; then all is mended, and must come to rest.
    pub troubled: u64,
    /// Servers; more than one share a log.
    pub nodes: usize,
    /// Event loops of each.
    pub workers: usize,
    /// How many messages rooms keep.
    pub history: u64,
    /// Nodes that can't reach the log serve those who are there.
    pub degrade: bool,
    /// Slow peers lose the oldest messages instead of their connection.
    pub drops: bool,
    /// How long nothing of what waits for a peer may be taken.
    pub stall: u64,
    /// What may wait for a peer, in bytes.
    pub queued: usize,
    /// Nothing is torn, short, late or interrupted.
    pub calm: bool,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Item {
    /// Somebody in a chat, from this time on, in this room; says something every so often, of such a size.
    Member { at: u64, room: usize, every: u64, size: u64 },
    /// Somebody whose messages come back.
    Echo { at: u64, node: usize, every: u64, size: u64 },
    /// Somebody who means no good.
    Hostile { at: u64, node: usize, room: usize, how: Hostility },
    /// Something goes wrong.
    Fault { at: u64, fault: Fault },
}

/// What a hostile peer does.
#[derive(Clone, Copy, Debug)]
pub enum Hostility {
    /// It joins a room and reads nothing.
    NeverReads,
    /// It joins and is silent for good, also when it is pinged.
    Mute,
    /// It sends bytes that mean nothing.
    Garbage,
    /// It sends a request that does not end.
    HalfRequest,
    /// It connects, and says nothing.
    Silent,
    /// Pings, as fast as it can, and reads nothing.
    PingFlood,
    /// Messages in fragments of a byte.
    Crumbs,
    /// It joins, and resets the connection.
    Resets,
    /// It joins, and ends its side of the stream.
    HalfClose,
    /// It joins, closes, and goes on to send.
    TalksOn,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// A member's connection is reset, or ends without a word.
    Cut { member: usize, reset: bool },
    /// Nothing passes any more on a member's connection, and nobody is told.
    HalfOpen { member: usize },
    /// Nothing passes on it for a while.
    Stall { member: usize, time: u64 },
    /// A node's threads stand still.
    Freeze { node: usize, time: u64 },
    /// A node is killed, and started again later.
    Kill { node: usize, time: u64 },
    /// A node drains, and is started again later.
    Drain { node: usize, within: u64, time: u64 },
    /// A node has no descriptors for a while.
    Exhaust { node: usize, time: u64 },
    /// A node's wall clock is set, by so many milliseconds.
    Clock { node: usize, by: i64 },
    /// A node's link to the log is cut, and comes back later.
    Unlink { node: usize, time: u64 },
    /// The log stands still.
    Pause { time: u64 },
    /// The log is started anew, and may have lost all that it had.
    Restart { is_empty: bool, time: u64 },
    /// A message that the log pushes to a node is lost.
    LosePush { node: usize },
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// How much there is in a world, at most: what is found takes little, mostly, and some takes much.
struct Size {
    troubled: u64,
    nodes: [usize; 4],
    stalls: [u64; 2],
    members: usize,
    more_members: usize,
    echoes: usize,
    hostiles: usize,
    faults: usize,
}

impl Size {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..85 => Self {
                troubled: 3 * SECOND,
                nodes: [1, 1, 2, 2],
                stalls: [2 * SECOND, 4 * SECOND],
                members: 2,
                more_members: 2,
                echoes: 2,
                hostiles: 2,
                faults: 4,
            },
            85..97 => Self {
                troubled: 6 * SECOND,
                nodes: [1, 2, 2, 3],
                stalls: [3 * SECOND, 10 * SECOND],
                members: 3,
                more_members: 3,
                echoes: 2,
                hostiles: 3,
                faults: 7,
            },
            _ => Self {
                troubled: 12 * SECOND,
                nodes: [1, 2, 3, 3],
                stalls: [3 * SECOND, 30 * SECOND],
                members: 3,
                more_members: 5,
                echoes: 3,
                hostiles: 4,
                faults: 9,
            },
        }
    }
}

impl Plan {
    /// What a seed comes to.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x706c_616e);
        let size = Size::draw(&mut dice);
        let nodes = size.nodes[dice.index(4)];
        let troubled = size.troubled;
        let scale = Scale {
            troubled,
            nodes,
            workers: 1 + dice.index(2),
            history: [10, 1000, 1000][dice.index(3)],
            degrade: dice.percent(30),
            drops: dice.percent(20),
            stall: size.stalls[dice.index(2)],
            queued: [4096, 16 * 1024][dice.index(2)],
            calm: dice.percent(10),
        };
        let mut items = Vec::new();
        let members = size.members + dice.index(size.more_members);
        let rooms = 1 + dice.index(2);
        for _ in 0..members {
            items.push(Item::Member {
                at: dice.below(troubled / 4),
                room: dice.index(rooms),
                every: SECOND / 10 + dice.skewed(3 * SECOND),
                size: if dice.percent(15) { 2000 } else { dice.skewed(200) },
            });
        }
        for _ in 0..dice.index(size.echoes) {
            let (at, node) = (dice.below(troubled / 2), dice.index(nodes));
            let size = if dice.percent(15) { 90_000 } else { dice.skewed(3000) };
            items.push(Item::Echo { at, node, every: SECOND / 50 + dice.skewed(SECOND), size });
        }
        for _ in 0..dice.index(size.hostiles) {
            use Hostility as H;
            let all = [
                H::NeverReads,
                H::Mute,
                H::Garbage,
                H::HalfRequest,
                H::Silent,
                H::PingFlood,
                H::Crumbs,
                H::Resets,
                H::HalfClose,
                H::TalksOn,
            ];
            let (node, room) = (dice.index(nodes), dice.index(rooms));
            let (at, how) = (dice.below(troubled * 2 / 3), all[dice.index(all.len())]);
            items.push(Item::Hostile { at, node, room, how });
        }
        for _ in 0..dice.index(size.faults) {
            let at = SECOND / 2 + dice.below(troubled - SECOND / 2);
            let (member, node) = (dice.index(members), dice.index(nodes));
            let time = dice.skewed(troubled / 3);
            let fault = match dice.below(if nodes > 1 { 24 } else { 14 }) {
                0..=2 => Fault::Cut { member, reset: dice.percent(50) },
                3 => Fault::HalfOpen { member },
                4..=5 => Fault::Stall { member, time },
                6..=7 => Fault::Freeze { node, time },
                8..=9 => Fault::Kill { node, time },
                10 => Fault::Drain { node, within: dice.skewed(troubled / 4), time },
                11 => Fault::Exhaust { node, time },
                12..=13 => Fault::Clock { node, by: dice.below(7_200_000) as i64 - 3_600_000 },
                14..=16 => Fault::Unlink { node, time },
                17..=18 => Fault::Pause { time },
                19 => Fault::Restart { is_empty: false, time },
                20 => Fault::Restart { is_empty: true, time },
                _ => Fault::LosePush { node },
            };
            items.push(Item::Fault { at, fault });
        }
        Self { seed, scale, items }
    }
}
