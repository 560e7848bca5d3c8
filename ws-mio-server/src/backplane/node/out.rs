//! What comes of what happens to a node.

use std::sync::Arc;

use super::History;
use crate::backplane::wire::Request;
use crate::hub::{self, Effect, Id, Message, Recovery, Refused};

/// What is to be done, in this order.
#[derive(Debug)]
pub enum Act<M, A> {
    /// What the channel engine wants done.
    Hub(Effect<M, A>),
    /// A member that waited to join can't.
    NotJoined {
        /// The room.
        room: Arc<str>,
        /// Who.
        member: M,
        /// Why.
        why: Refused,
    },
    /// Give a message to the members here; it has no id, and is kept nowhere.
    Transient {
        /// The room.
        room: Arc<str>,
        /// The message; its id means nothing.
        message: Message,
    },
    /// A publication was given to the members here, and nobody else.
    AcceptedHere {
        /// What the caller gave to answer with.
        answer: A,
    },
    /// Another node has whispered.
    Whispered {
        /// The room, or the name that is listened to.
        room: Arc<str>,
        /// What it says.
        payload: Arc<[u8]>,
    },
    /// The answer to [`Node::read`](super::Node::read).
    Read {
        /// What the caller gave to answer with.
        answer: A,
        /// The room's last message.
        position: Id,
        /// How the reader comes back.
        recovery: Option<Recovery>,
        /// What it missed, or the newest messages.
        messages: Vec<Arc<Message>>,
    },
    /// The answer to [`Node::history`](super::Node::history).
    History {
        /// What the caller gave to answer with.
        answer: A,
        /// What was found.
        history: History,
    },
    /// The answer to [`Node::people`](super::Node::people).
    People {
        /// What the caller gave to answer with.
        answer: A,
        /// Who is there.
        people: hub::People,
    },
}

/// What comes of a call: acts, and what is to be asked of the log, each in order.
#[derive(Debug)]
pub struct Out<M, A> {
    /// What is to be done here.
    pub acts: Vec<Act<M, A>>,
    /// What is to be asked of the log.
    pub requests: Vec<Request>,
}

impl<M, A> Default for Out<M, A> {
    fn default() -> Self {
        Self { acts: Vec::new(), requests: Vec::new() }
    }
}

/// What a node has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that the log has numbered for this node.
    pub appended: u64,
    /// Publications that were sent to the log again.
    pub again: u64,
    /// Messages that were delivered here.
    pub delivered: u64,
    /// Messages that were read, for they did not come by themselves.
    pub filled: u64,
    /// Messages that were lost to members here.
    pub lost: u64,
    /// Times that a room had another epoch than before.
    pub resets: u64,
    /// Rooms that are attached, or about to be.
    pub rooms: usize,
    /// Publications that wait.
    pub waiting: usize,
}

impl Stats {
    /// The sum of what two parts of a node have done.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            appended: self.appended.saturating_add(other.appended),
            again: self.again.saturating_add(other.again),
            delivered: self.delivered.saturating_add(other.delivered),
            filled: self.filled.saturating_add(other.filled),
            lost: self.lost.saturating_add(other.lost),
            resets: self.resets.saturating_add(other.resets),
            rooms: self.rooms.saturating_add(other.rooms),
            waiting: self.waiting.saturating_add(other.waiting),
        }
    }
}
