//! Compressed data in, a message's bytes out, as much at a time as fits.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{Context, TAIL};

/// How many bytes are inflated at a time.
pub(super) const CHUNK: usize = 16 * 1024;

/// Inflates the messages of one connection, or, without context takeover, of one connection at a time.
///
/// It takes [`MEMORY`](Self::MEMORY), whatever the window.
pub struct Inflater {
    stream: Stream,
    /// What was inflated last, and before it what a code point lacks.
    out: Box<[u8]>,
    takeover: bool,
    /// Whether the last step filled `out`, so that more may come without more input.
    more: bool,
}

/// What a step has done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inflated {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    pub(crate) end: End,
}

/// What is behind that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// More of the message, or its end.
    NotYet,
    /// The end of the message.
    Message,
    /// Data that no compressor makes.
    Broken,
}

impl Inflater {
    /// An inflater for the direction to this end, [`Agreement::received`](super::Agreement).
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self {
            stream: Stream(Inflate::new(false, context.window.get())),
            out: vec![0; CHUNK].into_boxed_slice(),
            takeover: context.takeover,
            more: false,
        }
    }

    /// Forgets whatever has been inflated, to serve another connection without context takeover.
    pub fn reset(&mut self) {
        self.stream.0.reset(false);
        self.more = false;
    }

    /// Whether a step without input may produce something.
    pub(crate) const fn has_more(&self) -> bool {
        self.more
    }

    /// The first `len` bytes of what the last step produced, `held` included.
    pub(crate) fn out(&self, len: usize) -> &[u8] {
        self.out.get(..len).unwrap_or_default()
    }

    /// Inflates some of `input` to behind `held`, at most `most` bytes, which is more than none. `last`:
    /// the message ends with `input`.
    pub(crate) fn step(&mut self, input: &[u8], held: &[u8], most: u64, last: bool) -> Inflated {
        let (to_held, free) = self.out.split_at_mut(held.len().min(self.out.len()));
        for (to, from) in to_held.iter_mut().zip(held) {
            *to = *from;
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(free.len());
        let free = free.get_mut(..most).unwrap_or_default();
        let mut step = Inflated { consumed: 0, produced: 0, end: End::NotYet };
        let final_block = self.stream.step(input, free, &mut step);
        if last && step.consumed == input.len() && step.end == End::NotYet {
            if final_block {
                step.end = End::Message;
            } else if step.produced < most {
                // There was room, so all that the message has told is out.
                let whole = self.stream.ends_with_tail();
                step.end = if whole { End::Message } else { End::Broken };
            }
        }
        self.more = step.end == End::NotYet && step.produced == most;
        if step.end == End::Message && !self.takeover {
            self.stream.0.reset(false);
        }
        step
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("takeover", &self.takeover).finish_non_exhaustive()
    }
}

/// Raw compressed data, of which each final block ends one stream and begins another
/// (RFC 7692 §7.2.3.4).
struct Stream(Inflate);

impl Stream {
    /// Inflates to behind what `step` has produced, adds to it, and tells whether a final block has ended.
    fn step(&mut self, input: &[u8], out: &mut [u8], step: &mut Inflated) -> bool {
        let free = out.get_mut(step.produced..).unwrap_or_default();
        let (total_in, total_out) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, free, InflateFlush::NoFlush);
        let count = |now: u64, before| usize::try_from(now.saturating_sub(before)).unwrap_or(0);
        let consumed = count(self.0.total_in(), total_in);
        let produced = count(self.0.total_out(), total_out);
        step.consumed = step.consumed.saturating_add(consumed);
        step.produced = step.produced.saturating_add(produced);
        match status {
            Ok(Status::StreamEnd) => {
                self.0.reset(false);
                true
            }
            // With room and input, something must come of it.
            Ok(_) if consumed > 0 || produced > 0 || input.is_empty() || out.is_empty() => false,
            _ => {
                step.end = End::Broken;
                false
            }
        }
    }

    /// Takes in the tail of a message, and tells whether one block has ended there and none has begun, as it
    /// is when the message is whole (RFC 7692 §7.2.1).
    fn ends_with_tail(&mut self) -> bool {
        let [a, b, c, d] = TAIL;
        // It stops where a block ends, so the byte too much is left; a message that was cut takes it, or
        // stops before, or makes something of the tail.
        let (total_in, total_out) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(&[a, b, c, d, 0], &mut [0], InflateFlush::Block);
        let consumed = self.0.total_in().saturating_sub(total_in);
        let whole = status == Ok(Status::Ok) && consumed == 4 && self.0.total_out() == total_out;
        // The tail may be the rest of a final block (§7.2.3.4), behind which the next message begins anew.
        let nothing = self.0.decompress(&[], &mut [0], InflateFlush::NoFlush);
        if nothing == Ok(Status::StreamEnd) {
            self.0.reset(false);
        }
        whole
    }
}
