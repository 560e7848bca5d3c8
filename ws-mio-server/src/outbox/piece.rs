//! What a queue of bytes consists of.

use std::ops::Range;
use std::sync::Arc;

use super::Worth;
use crate::arriving::Arriving;

/// Bytes that were queued together.
#[derive(Debug)]
pub(super) enum Piece {
    Own(Vec<u8>),
    /// Part of a large message, in the memory that it came to.
    Message(Arriving, Range<usize>),
    /// Whole frames that others get, too; those before `from` were dropped, or sent and told of.
    Shared {
        bytes: Arc<[u8]>,
        from: usize,
        worth: Worth,
    },
    /// Small frames of one worth, copied.
    Gathered {
        bytes: Vec<u8>,
        from: usize,
        worth: Worth,
    },
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Message(message, part) => message.bytes().get(part.clone()).unwrap_or_default(),
            Self::Shared { bytes, from, .. } => bytes.get(*from..).unwrap_or_default(),
            Self::Gathered { bytes, from, .. } => bytes.get(*from..).unwrap_or_default(),
        }
    }

    pub(super) const fn worth(&self) -> Worth {
        match self {
            Self::Own(_) | Self::Message(..) => Worth::Kept,
            Self::Shared { worth, .. } | Self::Gathered { worth, .. } => *worth,
        }
    }

    /// Becomes one that is kept like a reply.
    pub(super) fn keep(&mut self) {
        match self {
            Self::Own(_) | Self::Message(..) => {}
            Self::Shared { worth, .. } => *worth = Worth::Kept,
            Self::Gathered { bytes, from, .. } => {
                bytes.drain(..(*from).min(bytes.len()));
                *self = Self::Own(std::mem::take(bytes));
            }
        }
    }

    /// Loses its first `n` bytes.
    pub(super) fn skip(&mut self, n: usize) {
        match self {
            Self::Own(bytes) => drop(bytes.drain(..n.min(bytes.len()))),
            Self::Message(_, part) => part.start = part.start.saturating_add(n).min(part.end),
            Self::Shared { from, .. } | Self::Gathered { from, .. } => {
                *from = from.saturating_add(n)
            }
        }
    }

    /// Keeps its first `n` bytes.
    pub(super) fn truncate(&mut self, n: usize) {
        match self {
            Self::Own(bytes) => bytes.truncate(n),
            Self::Message(_, part) => part.end = part.start.saturating_add(n).min(part.end),
            Self::Gathered { bytes, from, .. } => bytes.truncate(from.saturating_add(n)),
            Self::Shared { .. } => {
                if let Some(kept) =
                    self.bytes().get(..n).filter(|kept| kept.len() < self.bytes().len())
                {
                    *self = Self::Own(kept.to_vec());
                }
            }
        }
    }
}
