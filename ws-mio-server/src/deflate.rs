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
    /// smallest messages, for about 300 KiB a connection.
    Dedicated,
}

/// Free inflaters that a worker keeps.
const KEPT: usize = 8;

/// What a server is set to compress with, and the memory that it has taken so far.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) deflate: Deflate,
    pub(crate) settings: Settings,
    /// Bytes that the process may take.
    pub(crate) budget: usize,
    pub(crate) taken: Arc<AtomicUsize>,
}

impl Policy {
    pub(crate) fn new() -> Self {
        Self {
            deflate: Deflate::default(),
            settings: Settings { level: 1, ..Settings::default() },
            budget: 256 * 1024 * 1024,
            taken: Arc::default(),
        }
    }

    /// What to offer a new connection: contexts of its own, shared ones, or nothing, as the budget allows.
    pub(crate) fn offer(&self) -> Option<Settings> {
        let window = self.settings.sent.window;
        let taken = self.taken.load(Ordering::Relaxed);
        let own = inflater_size().saturating_add(deflater_size(&self.settings, window));
        let takeover = match self.deflate {
            Deflate::Off => return None,
            Deflate::Dedicated => taken.saturating_add(own) <= self.budget,
            Deflate::Shared => false,
        };
        let context = Context { window, takeover };
        let settings = Settings { sent: context, received: context, ..self.settings };
        (taken < self.budget).then_some(settings)
    }

    fn inflater(&self, context: Context) -> Counted<Inflater> {
        Counted::new(Inflater::new(context), inflater_size(), &self.taken)
    }

    fn deflater(&self, context: Context) -> Counted<Deflater> {
        let size = deflater_size(&self.settings, context.window);
        Counted::new(Deflater::new(&self.settings, context), size, &self.taken)
    }
}

/// A state whose memory is counted for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted<T> {
    pub(crate) state: T,
    size: usize,
    taken: Arc<AtomicUsize>,
}

impl<T> Counted<T> {
    fn new(state: T, size: usize, taken: &Arc<AtomicUsize>) -> Self {
        taken.fetch_add(size, Ordering::Relaxed);
        Self { state, size, taken: Arc::clone(taken) }
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// What the connections of one worker compress and inflate with if they have nothing of their own.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) policy: Policy,
    inflaters: Vec<Counted<Inflater>>,
    /// One for each window, from the smallest.
    deflaters: [Option<Counted<Deflater>>; 7],
}

impl Pool {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, inflaters: Vec::new(), deflaters: [const { None }; 7] }
    }

    /// An inflater for a connection's next message.
    pub(crate) fn inflater(&mut self, agreement: Agreement) -> Counted<Inflater> {
        let shared = if agreement.received.takeover { None } else { self.inflaters.pop() };
        // One serves every window: the largest.
        let window = WindowBits::MAX;
        shared.unwrap_or_else(|| self.policy.inflater(Context { window, ..agreement.received }))
    }

    /// Takes an inflater back that is in no message.
    pub(crate) fn give_back(&mut self, inflater: Counted<Inflater>) {
        if self.inflaters.len() < KEPT {
            self.inflaters.push(inflater);
        }
    }

    /// The compressor for messages that stand for themselves.
    pub(crate) fn deflater(&mut self, window: WindowBits) -> Option<&mut Deflater> {
        let index = window.get().checked_sub(WindowBits::MIN.get())?;
        let slot = self.deflaters.get_mut(usize::from(index))?;
        let context = Context { window, takeover: false };
        let policy = &self.policy;
        Some(&mut slot.get_or_insert_with(|| policy.deflater(context)).state)
    }

    /// A compressor for one connection alone.
    pub(crate) fn own_deflater(&self, context: Context) -> Counted<Deflater> {
        self.policy.deflater(context)
    }
}

/// Bytes that an inflater takes, whatever its window.
const fn inflater_size() -> usize {
    64 * 1024
}

/// Bytes that a deflater takes.
fn deflater_size(settings: &Settings, window: WindowBits) -> usize {
    let bytes = |bits: u8| 1usize.wrapping_shl(bits.into());
    let (window, memory) = (bytes(window.get()), bytes(settings.memory_level.clamp(1, 9)));
    window.saturating_mul(4).saturating_add(memory.saturating_mul(512)).saturating_add(128 * 1024)
}
