//! What workers count, and what is told of it.
//!
//! Each worker writes its own counters and nobody else does, so that no instruction need be atomic as a whole:
//! they cost what plain numbers would.

mod histogram;
mod labelled;
mod slow;
mod text;

pub(crate) use histogram::Histogram;
pub(crate) use labelled::{Answers, Closes, Handshakes, Refusals};
pub(crate) use slow::{DropCause, Drops, SlowPeers};
pub(crate) use text::CONTENT_TYPE;

use crate::census::Memory;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// What a worker counts. In cache lines of its own: other workers' counters must not slow it down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    /// Taken over from the length of the worker's slots.
    pub(crate) connections: AtomicUsize,
    /// Bytes that wait for peers to take them.
    pub(crate) queued: AtomicUsize,
    /// Whether no new connection is opened.
    pub(crate) stopping: AtomicBool,
    pub(crate) accepted: Counter,
    pub(crate) refused: Refusals,
    /// Answers of services.
    pub(crate) answered: Answers,
    /// Streams of events that began, and that ended.
    pub(crate) streams_opened: Counter,
    pub(crate) streams_ended: Counter,
    pub(crate) closed: Closes,
    pub(crate) messages: Counter,
    pub(crate) published: Counter,
    pub(crate) delivered: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
    /// What was queued and not sent.
    pub(crate) drops: Drops,
    /// How often a peer was too slow.
    pub(crate) slow: SlowPeers,
    pub(crate) reads: Counter,
    pub(crate) writes: Counter,
    /// Connections that were closed because the server drains.
    pub(crate) drained: Counter,
    /// Connections that were dropped when the server stopped.
    pub(crate) abandoned: Counter,
    /// Connections by TLS that have agreed on keys.
    pub(crate) tls_agreed: Handshakes,
    /// Connections that ended before their peer asked for anything, for TLS failed.
    pub(crate) tls_failed: Counter,
    /// Turns of the event loop that held up everyone.
    pub(crate) held_up: Counter,
    /// How often accepting rested for want of descriptors or memory.
    pub(crate) rests: Counter,
    /// How long turns of the event loop took.
    pub(crate) turns: Histogram,
    /// How long messages to topics took from when they were published to when they were sent.
    pub(crate) deliveries: Histogram,
}

impl Counters {
    /// So many bytes were queued for a peer.
    pub(crate) fn queue(&self, bytes: usize) {
        let queued = self.queued.load(Ordering::Relaxed);
        self.queued.store(queued.saturating_add(bytes), Ordering::Relaxed);
    }

    /// So many bytes are not queued any more.
    pub(crate) fn unqueue(&self, bytes: usize) {
        let queued = self.queued.load(Ordering::Relaxed);
        self.queued.store(queued.saturating_sub(bytes), Ordering::Relaxed);
    }
}

/// A number that one thread writes.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    pub(crate) fn add_len(&self, len: usize) {
        self.add(u64::try_from(len).unwrap_or(u64::MAX));
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of all workers, and what they share.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) workers: Arc<[Arc<Counters>]>,
    /// What each worker remembers of connections that have ended.
    pub(crate) ended: Arc<[Arc<Memory>]>,
    /// Bytes that connections may come to need to compress and inflate.
    pub(crate) deflate_reserved: Arc<AtomicUsize>,
    /// What the application itself says of the server.
    pub(crate) said: Arc<Said>,
}

/// Appends metrics of an application to a text.
pub(crate) type WriteMetrics = Box<dyn Fn(&mut String) + Send + Sync>;

/// What an application says of its server.
#[derive(Default)]
pub(crate) struct Said {
    /// It should get no new clients.
    pub(crate) unready: AtomicBool,
    /// Metrics of its own.
    pub(crate) metrics: OnceLock<WriteMetrics>,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said").field("unready", &self.unready).finish_non_exhaustive()
    }
}

impl Metrics {
    fn sum(&self, of: impl Fn(&Counters) -> u64) -> u64 {
        self.workers.iter().fold(0, |sum, worker| sum.wrapping_add(of(worker)))
    }
}
