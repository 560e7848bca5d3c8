//! Who compresses with what: the policy of a server for permessage-deflate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ws_proto::deflate::{Agreement, Context, Deflater, Inflater, Settings, WindowBits};

/// How a server compresses messages (permessage-deflate, RFC 7692).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deflate {
    /// Not at all.
    Off,
    /// Each message for itself, with compressors that a worker's connections share: an idle connection
    /// costs nothing more.
    #[default]
    Shared,
    /// With a compressor of each connection's own, so that a message may refer to those before it: the
    /// smallest messages, for up to 355 KiB a connection.
    Dedicated,
}

/// Free inflaters that a worker keeps.
const KEPT: usize = 8;

/// What a server is set to compress with.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) deflate: Deflate,
    pub(crate) settings: Settings,
    /// Bytes that connections may come to need, all together.
    pub(crate) budget: usize,
    /// Bytes that they may come to need now.
    pub(crate) reserved: Arc<AtomicUsize>,
}

/// The memory that a connection may come to need, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Reserved {
    bytes: usize,
    of: Arc<AtomicUsize>,
}

impl Reserved {
    fn shrink_to(mut self, bytes: usize) -> Self {
        let less = self.bytes.saturating_sub(bytes);
        self.of.fetch_sub(less, Ordering::Relaxed);
        self.bytes = self.bytes.saturating_sub(less);
        self
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Policy {
    pub(crate) fn new() -> Self {
        Self {
            deflate: Deflate::default(),
            settings: Settings { level: 1, ..Settings::default() },
            budget: 1024 * 1024 * 1024,
            reserved: Arc::default(),
        }
    }

    /// What to answer a new connection's offer with: contexts of its own, shared ones, or nothing, as the
    /// budget allows. A connection that shares may be in the middle of a message when others are, too, so
    /// each has an inflater reserved.
    pub(crate) fn offer(&self) -> Option<(Settings, Reserved)> {
        let window = self.settings.sent.window;
        let dedicated = match self.deflate {
            Deflate::Off => return None,
            Deflate::Dedicated => self.reserve(self.memory(Context { window, takeover: true })),
            Deflate::Shared => None,
        };
        let takeover = dedicated.is_some();
        let context = Context { window, takeover };
        let reserved = dedicated.or_else(|| self.reserve(self.memory(context)))?;
        Some((Settings { sent: context, received: context, ..self.settings }, reserved))
    }

    /// Keeps of what was reserved for an offer what the agreement needs.
    pub(crate) fn settle(
        &self,
        reserved: Reserved,
        agreement: Option<Agreement>,
    ) -> Option<Reserved> {
        let needed = self.memory(agreement?.sent);
        Some(reserved.shrink_to(needed))
    }

    /// Bytes that a connection may come to need that sends with this context.
    fn memory(&self, sent: Context) -> usize {
        let deflater = match sent.takeover {
            true => Deflater::memory(&self.settings, sent.window).allocated,
            false => 0,
        };
        Inflater::MEMORY.saturating_add(deflater)
    }

    fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let sum = |reserved: usize| reserved.checked_add(bytes).filter(|sum| *sum <= self.budget);
        let done = self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        done.is_ok().then(|| Reserved { bytes, of: Arc::clone(&self.reserved) })
    }
}

/// What the connections of one worker compress and inflate with if they have nothing of their own.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) policy: Policy,
    #[expect(clippy::vec_box, reason = "connections keep them like that")]
    inflaters: Vec<Box<Inflater>>,
    /// One for each window, from the smallest.
    deflaters: [Option<Deflater>; 7],
}

impl Pool {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, inflaters: Vec::new(), deflaters: [const { None }; 7] }
    }

    /// An inflater for a connection's next message.
    pub(crate) fn inflater(&mut self, agreement: Agreement) -> Box<Inflater> {
        let shared = if agreement.received.takeover { None } else { self.inflaters.pop() };
        // One serves every window: the largest.
        let window = WindowBits::MAX;
        let context = Context { window, ..agreement.received };
        shared.unwrap_or_else(|| Box::new(Inflater::new(context)))
    }

    /// Takes an inflater back that is in no message.
    pub(crate) fn give_back(&mut self, inflater: Box<Inflater>) {
        if self.inflaters.len() < KEPT {
            self.inflaters.push(inflater);
        }
    }

    /// The compressor for messages that stand for themselves.
    pub(crate) fn deflater(&mut self, window: WindowBits) -> Option<&mut Deflater> {
        let index = window.get().checked_sub(WindowBits::MIN.get())?;
        let slot = self.deflaters.get_mut(usize::from(index))?;
        let context = Context { window, takeover: false };
        let settings = &self.policy.settings;
        Some(slot.get_or_insert_with(|| Deflater::new(settings, context)))
    }

    /// A compressor for one connection alone.
    pub(crate) fn own_deflater(&self, context: Context) -> Deflater {
        Deflater::new(&self.policy.settings, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(deflate: Deflate, budget: usize) -> Policy {
        Policy { deflate, budget, ..Policy::new() }
    }

    fn reserved(policy: &Policy) -> usize {
        policy.reserved.load(Ordering::Relaxed)
    }

    #[test]
    fn the_budget_is_exact() {
        let own = policy(Deflate::Dedicated, 0).memory(Context::default());
        let policy = policy(Deflate::Dedicated, 2 * own + Inflater::MEMORY);
        let mut offers = (0..5).map(|_| policy.offer()).collect::<Vec<_>>();
        let takeovers = offers.iter().map(|o| o.as_ref().map(|(s, _)| s.sent.takeover));
        let expected = [Some(true), Some(true), Some(false), None, None];
        assert_eq!(takeovers.collect::<Vec<_>>(), expected);
        assert_eq!(reserved(&policy), policy.budget);
        // What is given back is there for others, to the byte.
        drop(offers.remove(0));
        assert_eq!(reserved(&policy), own + Inflater::MEMORY);
        assert!(policy.offer().is_some_and(|(settings, _)| settings.sent.takeover));
        drop(offers);
        assert_eq!(reserved(&policy), 0);
    }

    #[test]
    fn no_more_is_kept_than_what_was_agreed_needs() {
        let policy = policy(Deflate::Dedicated, usize::MAX);
        let offered = || policy.offer().unwrap().1;
        assert!(policy.settle(offered(), None).is_none(), "nothing was agreed on");
        assert_eq!(reserved(&policy), 0);
        let agreement = |bits, takeover| {
            let window = WindowBits::new(bits).unwrap();
            Agreement { sent: Context { window, takeover }, received: Context::default() }
        };
        let small = policy.settle(offered(), Some(agreement(9, true)));
        let deflater = Deflater::memory(&policy.settings, WindowBits::MIN).allocated;
        assert_eq!(reserved(&policy), Inflater::MEMORY + deflater);
        let none = policy.settle(offered(), Some(agreement(15, false)));
        assert_eq!(reserved(&policy), 2 * Inflater::MEMORY + deflater);
        drop((small, none));
        assert_eq!(reserved(&policy), 0);
    }
}
