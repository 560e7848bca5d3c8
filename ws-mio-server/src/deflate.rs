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
    /// smallest messages, for up to 500 KiB a connection.
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
        let own = INFLATER.saturating_add(deflater_size(&self.settings, window));
        let dedicated = match self.deflate {
            Deflate::Off => return None,
            Deflate::Dedicated => self.reserve(own),
            Deflate::Shared => None,
        };
        let takeover = dedicated.is_some();
        let reserved = dedicated.or_else(|| self.reserve(INFLATER))?;
        let context = Context { window, takeover };
        Some((Settings { sent: context, received: context, ..self.settings }, reserved))
    }

    fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let before = self.reserved.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved { bytes, of: Arc::clone(&self.reserved) };
        // Otherwise it is given back at once.
        (before.saturating_add(bytes) <= self.budget).then_some(reserved)
    }
}

/// What the connections of one worker compress and inflate with if they have nothing of their own.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) policy: Policy,
    inflaters: Vec<Inflater>,
    /// One for each window, from the smallest.
    deflaters: [Option<Deflater>; 7],
}

impl Pool {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, inflaters: Vec::new(), deflaters: [const { None }; 7] }
    }

    /// An inflater for a connection's next message.
    pub(crate) fn inflater(&mut self, agreement: Agreement) -> Inflater {
        let shared = if agreement.received.takeover { None } else { self.inflaters.pop() };
        // One serves every window: the largest.
        let window = WindowBits::MAX;
        shared.unwrap_or_else(|| Inflater::new(Context { window, ..agreement.received }))
    }

    /// Takes an inflater back that is in no message.
    pub(crate) fn give_back(&mut self, inflater: Inflater) {
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

/// Bytes that an inflater takes, whatever its window.
const INFLATER: usize = 64 * 1024;

/// Bytes that a deflater takes at the most, as its documentation has it.
fn deflater_size(settings: &Settings, window: WindowBits) -> usize {
    let bytes = |bits: u8| 1usize.wrapping_shl(bits.into());
    let (window, memory) = (bytes(window.get()), bytes(settings.memory_level.clamp(1, 9)));
    let (window, memory) = (window.saturating_mul(4), memory.saturating_mul(7 * 64));
    window.saturating_add(memory).saturating_add((128 + 64) * 1024)
}
