//! Counters of what slow peers did not get.

use super::Counter;
use crate::outbox::Dropped;
use crate::slow::{Limit, OnSlow};

/// Why something that was queued was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropCause {
    /// Too much waited, and the oldest had to go.
    Bytes,
    /// It had waited too long.
    Age,
    /// The peer was closed for being slow.
    Closed,
    /// The connection had ended.
    Ended,
}

const CAUSES: [DropCause; 4] =
    [DropCause::Bytes, DropCause::Age, DropCause::Closed, DropCause::Ended];
const LIMITS: [Limit; 2] = [Limit::Bytes, Limit::Age];
const POLICIES: [OnSlow; 2] = [OnSlow::Close, OnSlow::DropOldest];

impl DropCause {
    const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Age => "age",
            Self::Closed => "closed",
            Self::Ended => "ended",
        }
    }
}

/// What was queued and not sent, by why.
#[derive(Debug, Default)]
pub(crate) struct Drops([(Counter, Counter); CAUSES.len()]);

impl Drops {
    pub(crate) fn add(&self, cause: DropCause, dropped: Dropped) {
        let of = CAUSES.iter().zip(&self.0).find(|(known, _)| **known == cause);
        if let Some((_, (messages, bytes))) = of {
            messages.add(dropped.messages.into());
            bytes.add_len(dropped.bytes);
        }
    }

    /// Causes, and how many messages and bytes were dropped for each.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let all = CAUSES.iter().zip(&self.0);
        all.map(|(cause, (messages, bytes))| (cause.name(), messages.get(), bytes.get()))
    }
}

/// How often a peer was too slow, by the limit that it reached and by what happened.
#[derive(Debug, Default)]
pub(crate) struct SlowPeers([[Counter; POLICIES.len()]; LIMITS.len()]);

impl SlowPeers {
    pub(crate) fn add(&self, limit: Limit, on_slow: OnSlow) {
        let of = self.each().find(|(known, policy, _)| *known == limit && *policy == on_slow);
        if let Some((_, _, counter)) = of {
            counter.add_one();
        }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (Limit, OnSlow, &Counter)> {
        LIMITS.iter().zip(&self.0).flat_map(|(limit, counters)| {
            POLICIES.iter().zip(counters).map(|(policy, counter)| (*limit, *policy, counter))
        })
    }
}
