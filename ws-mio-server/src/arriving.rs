//! A message that comes in parts, in memory of its own.

use std::cmp::min;

use simdutf8::basic::from_utf8;
use ws_proto::{Kind, Message};

/// How much memory a message is given at first, and at least at a time, once it is larger than a read.
const STEP: usize = 64 * 1024;
/// Memory up to this size is kept for the next message,
const KEPT: usize = 1024 * 1024;
/// by so many messages.
const POOL: usize = 8;

/// A message of which part has come.
#[derive(Debug)]
pub(crate) struct Arriving {
    kind: Kind,
    /// What has come, and what may be written to behind it.
    memory: Vec<u8>,
    len: usize,
}

impl Arriving {
    /// A message of which nothing has come.
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, memory: Vec::new(), len: 0 }
    }

    /// Appends a part, in memory from the pool if it is a large one.
    pub(crate) fn push(&mut self, part: &[u8], pool: &mut Pool) {
        if self.memory.is_empty() && part.len() >= STEP / 2 {
            self.memory = pool.0.pop().unwrap_or_default();
        }
        let ready = self.memory.get_mut(self.len..).unwrap_or_default();
        let (now, rest) = part.split_at(min(part.len(), ready.len()));
        if let Some(to) = ready.get_mut(..now.len()) {
            to.copy_from_slice(now);
        }
        // No more is touched than what has come.
        self.memory.extend_from_slice(rest);
        self.len = self.len.saturating_add(part.len());
    }

    /// Memory for the next bytes of the message, at most `most`: never more than twice what has come.
    pub(crate) fn room(&mut self, most: usize) -> &mut [u8] {
        let free = self.memory.len().saturating_sub(self.len);
        if free < min(most, STEP) {
            let more = min(most, self.len.max(STEP));
            self.memory.resize(self.len.saturating_add(more), 0);
        }
        let free = self.memory.get_mut(self.len..).unwrap_or_default();
        let most = min(most, free.len());
        free.get_mut(..most).unwrap_or_default()
    }

    /// The first `n` bytes of that memory are the next of the message.
    pub(crate) fn arrived(&mut self, n: usize) {
        self.len = min(self.len.saturating_add(n), self.memory.len());
    }

    /// What has come.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
    }

    /// The message, when all of it has come.
    pub(crate) fn message(&self) -> Message<'_> {
        match self.kind {
            // The connection has checked that it is text.
            Kind::Text => Message::Text(from_utf8(self.bytes()).unwrap_or_default()),
            Kind::Binary => Message::Binary(self.bytes()),
        }
    }
}

/// Memory for large messages: it is not to be got from the system for each.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<Vec<u8>>);

impl Pool {
    /// Takes back the memory of a message.
    pub(crate) fn give_back(&mut self, message: Arriving) {
        let size = message.memory.len();
        if (STEP..=KEPT).contains(&size) && self.0.len() < POOL {
            self.0.push(message.memory);
        }
    }
}
