//! A message's bytes in, compressed data out.

use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::{Context, Settings, TAIL};
use crate::frame::{Opcode, RSV1};
use crate::{Full, Header, Message, Sink};

/// Output is given back beyond this size.
pub(super) const KEPT: usize = 4 * 1024;

/// Output grows by this at the most at a time.
const STEP: usize = 64 * 1024;

/// How many bytes longer than a message its compressed data may be, where later messages can refer to it.
/// What does not shrink takes 5 more in every 16 KiB, and 1: this is enough for a window of it.
const SLACK: usize = 16;

/// Compresses the messages of one connection, or, without context takeover, of one connection at a time.
///
/// What it takes of memory, [`memory`](Self::memory) tells; [`deflate`](super) has a table. While it
/// compresses a message, it takes the size of the compressed message more.
pub struct Deflater {
    stream: Deflate,
    out: Vec<u8>,
    /// Whether the stream must be begun anew before anything is compressed.
    stale: bool,
    takeover: bool,
    threshold: usize,
}

impl Deflater {
    /// A deflater for the direction from this end, [`Agreement::sent`](super::Agreement).
    #[must_use]
    pub fn new(settings: &Settings, context: Context) -> Self {
        let config = DeflateConfig {
            level: settings.level.min(9).into(),
            // Negative for data without a header (zlib).
            window_bits: i32::from(context.window.get()).wrapping_neg(),
            mem_level: settings.symbols_bits().saturating_sub(6).into(),
            ..DeflateConfig::default()
        };
        Self {
            stream: Deflate::new_with_config(config),
            out: Vec::new(),
            stale: false,
            takeover: context.takeover,
            threshold: settings.threshold_for(context),
        }
    }

    /// Forgets whatever has been compressed: to serve another connection, or because the peer was sent a
    /// message that another deflater compressed.
    pub const fn reset(&mut self) {
        self.stale = true;
    }

    /// Appends a message as one compressed frame of a server: the same for every peer with which the same
    /// window, or a larger one, was agreed. `Ok(false)`: it is not worth it, and nothing is appended.
    ///
    /// It refers to nothing before it. Where context is taken over, [`reset`](Self::reset) the peer's
    /// own deflater, for what it would refer to is no longer where the peer looks. The frame must not
    /// stand between the fragments of another message, nor behind a Close frame.
    ///
    /// # Errors
    /// [`Full`]; nothing is appended then.
    pub fn broadcast(&mut self, message: Message<'_>, out: &mut impl Sink) -> Result<bool, Full> {
        let bytes = message.as_bytes();
        self.reset();
        if !self.takes(bytes.len()) {
            return Ok(false);
        }
        let Some(data) = self.message(bytes) else { return Ok(false) };
        let first = Opcode::Message(message.kind()).last() | RSV1;
        let header = Header::new(first, data.len() as u64, None);
        let put = out.put(header.as_bytes(), data).map(|_| true);
        self.give_back();
        put
    }

    /// Whether a message of this size is worth compressing.
    pub(crate) const fn takes(&self, len: usize) -> bool {
        len >= self.threshold
    }

    /// A whole message, compressed; `None` if it is not worth that. The peer does not see it then, so
    /// nothing may refer to it.
    ///
    /// It is worth it if it shrinks. Where context is taken over, it may be longer by [`SLACK`], or a
    /// connection of small messages would never come to have a context that makes them shrink.
    pub(crate) fn message(&mut self, message: &[u8]) -> Option<&[u8]> {
        self.compress(message);
        self.end();
        let most = match self.takeover {
            true => message.len().saturating_add(SLACK),
            false => message.len().saturating_sub(1),
        };
        if self.out.len() > most {
            self.reset();
            self.give_back();
            return None;
        }
        Some(&self.out)
    }

    /// A fragment, compressed so that the peer can inflate all of it.
    pub(crate) fn fragment(&mut self, fragment: &[u8], last: bool) -> &[u8] {
        self.compress(fragment);
        if last {
            self.end();
        }
        &self.out
    }

    /// What was compressed last has been sent: an idle deflater keeps no memory for its size.
    pub(crate) fn give_back(&mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT);
    }

    fn end(&mut self) {
        if self.out.ends_with(&TAIL) {
            self.out.truncate(self.out.len().saturating_sub(TAIL.len()));
        } else {
            // Nothing has come since the last flush: an empty block (RFC 7692 §7.2.3.6).
            self.out.push(0);
        }
        self.stale |= !self.takeover;
    }

    fn compress(&mut self, mut input: &[u8]) {
        if core::mem::take(&mut self.stale) {
            self.stream.reset();
        }
        self.out.clear();
        let mut filled = 0usize;
        loop {
            let due = input.len().saturating_div(2).clamp(64, STEP);
            self.out.resize(filled.saturating_add(due), 0);
            let free = self.out.get_mut(filled..).unwrap_or_default();
            let (total_in, total_out) = (self.stream.total_in(), self.stream.total_out());
            let result = self.stream.compress(input, free, DeflateFlush::SyncFlush);
            let consumed = self.stream.total_in().saturating_sub(total_in);
            let produced = self.stream.total_out().saturating_sub(total_out);
            input = usize::try_from(consumed).ok().and_then(|n| input.get(n..)).unwrap_or_default();
            filled = filled.saturating_add(usize::try_from(produced).unwrap_or(0));
            // It fails only for a state that was never made. With room left, all is flushed.
            if result.is_err() || filled < self.out.len() {
                break;
            }
        }
        self.out.truncate(filled);
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("takeover", &self.takeover).finish_non_exhaustive()
    }
}
