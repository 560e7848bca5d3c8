//! How much a peer may send in a second.

use std::time::Duration;

use ws_proto::keepalive::Instant;

use crate::bucket::Bucket;

/// What happens to a peer that sends more than it may
/// ([`Builder::max_messages_per_second`](crate::Builder::max_messages_per_second)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRate {
    /// It is read from again when it may send more: its own sending is held up.
    #[default]
    Delay,
    /// It is closed with code 1008.
    Close,
}

/// How much a peer may send in a second, and what happens beyond.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) messages: Option<u32>,
    pub(crate) bytes: Option<u64>,
    pub(crate) on_rate: OnRate,
}

impl Rates {
    pub(crate) const fn are_set(&self) -> bool {
        self.messages.is_some() || self.bytes.is_some()
    }
}

/// What a peer has sent.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    messages: Bucket,
    bytes: Bucket,
    /// Until when it is not read from.
    pub(crate) until: Option<Instant>,
}

impl Spent {
    /// Counts a read; `Some`: it was more than the peer may send, in words.
    pub(crate) fn charge(
        &mut self,
        rates: &Rates,
        bytes: u64,
        messages: u64,
        running: Duration,
        now: Instant,
    ) -> Option<&'static str> {
        let of = |bucket: &mut Bucket, count: u64, rate: Option<u64>| {
            rate.map_or(Duration::ZERO, |rate| bucket.charge(count, rate, running))
        };
        let messages = of(&mut self.messages, messages, rates.messages.map(u64::from));
        let bytes = of(&mut self.bytes, bytes, rates.bytes);
        let delay = messages.max(bytes);
        self.until = (!delay.is_zero()).then(|| now.after(delay));
        self.until?;
        Some(if messages >= bytes {
            "too many messages a second"
        } else {
            "too many bytes a second"
        })
    }
}
