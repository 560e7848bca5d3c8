//! Bytes from the peer, as [`Connection::next_event`](crate::Connection::next_event) takes them.

use core::mem;

use crate::Kind;
use crate::reframe::{self, KEY};

/// The bytes of one read, which a connection consumes event by event.
///
/// Payload is unmasked in place, and events borrow it. What a read boundary cut in two is put together
/// in a [`Scratch`], so that it can be borrowed in one piece too.
///
/// ```
/// use ws_proto::{Input, Scratch};
/// let mut scratch = Scratch::new();
/// let mut buffer = [0x81, 0x00];
/// let input = Input::new(&mut buffer, &mut scratch);
/// assert_eq!(input.len(), 2);
/// ```
#[derive(Debug)]
pub struct Input<'b> {
    /// What is not handed out: `ready` bytes of frames that are, then `gap` bytes of no use, then what came behind.
    bytes: Bytes<'b>,
    ready: usize,
    gap: usize,
    /// Whether no message was handed out with a frame.
    is_fresh: bool,
    like: Like,
    // Lent, not owned, so that an input is but two pointers and a length: they stay in registers.
    scratch: &'b mut Scratch,
}

/// How the last message began that has a header of two bytes and a key. What begins like it need not be looked at
/// again, and nobody waits for a length that can be guessed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Like {
    /// The first two bytes of the header.
    pub(crate) start: u16,
    pub(crate) len: u8,
}

impl Like {
    /// An empty binary message: what is guessed must be true of whatever begins like this.
    const EMPTY: Self = Self { start: u16::from_ne_bytes([0x82, 0x80]), len: 0 };

    /// The kind of such a message.
    #[inline]
    pub(crate) const fn kind(self) -> Kind {
        let [first, _] = self.start.to_ne_bytes();
        if first == 0x81 { Kind::Text } else { Kind::Binary }
    }

    /// How many bytes its frame has without a key.
    #[inline]
    const fn unmasked_len(self) -> usize {
        // It is no more than 127.
        (self.len as usize).wrapping_add(2)
    }
}

/// Room for a code point or a control frame that a read boundary cut in two: 125 bytes.
///
/// It holds nothing between calls of [`Connection::next_event`](crate::Connection::next_event): one
/// serves any number of connections, one after the other.
#[derive(Clone, Debug)]
#[repr(transparent)]
pub struct Scratch([u8; 125]);

/// What is left of a read.
#[derive(Debug)]
pub(crate) struct Bytes<'b>(&'b mut [u8]);

impl<'b> Input<'b> {
    /// The bytes of a read, in the order they came.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'b mut [u8], scratch: &'b mut Scratch) -> Self {
        let bytes = Bytes(bytes);
        Self { bytes, ready: 0, gap: 0, is_fresh: true, like: Like::EMPTY, scratch }
    }

    /// How many bytes are not consumed yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.0.len().saturating_sub(self.gap).saturating_add(self.keys())
    }

    /// Whether every byte is consumed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.0.len() <= self.gap
    }

    /// How many bytes of keys there were in what is ready.
    const fn keys(&self) -> usize {
        match self.ready.checked_div(self.like.unmasked_len()) {
            Some(frames) => frames.saturating_mul(KEY),
            None => 0,
        }
    }

    /// What is not consumed, without a gap.
    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut Bytes<'b> {
        self.whole().0
    }

    /// The same, and how the last message began.
    #[inline]
    pub(crate) fn whole(&mut self) -> (&mut Bytes<'b>, &mut Like) {
        if self.gap > 0 {
            self.close_gap();
        }
        (&mut self.bytes, &mut self.like)
    }

    /// Makes of what is ready what it was, but for the keys, which mask nothing now.
    #[cold]
    #[inline(never)]
    fn close_gap(&mut self) {
        let keys = self.keys();
        let (ready, gap) = (mem::take(&mut self.ready), mem::take(&mut self.gap));
        // Nothing is ready in the part of the gap that is of no use to it.
        let unused = gap.saturating_sub(keys);
        if ready > 0 {
            let end = ready.saturating_add(gap);
            let masked = self.bytes.0.get_mut(..end).unwrap_or_default();
            reframe::undo(masked, ready, self.like.start, self.like.unmasked_len());
        }
        self.bytes.take(unused);
    }

    /// What has not been looked at, and how the last message began.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<(&[u8], &mut Like)> {
        Some((self.bytes.0.get(self.gap..)?, &mut self.like))
    }

    /// The next frame of those that are ready, and how they begin.
    #[inline]
    pub(crate) fn ready(&mut self) -> Option<(&'b [u8], Like)> {
        if self.ready == 0 {
            return None;
        }
        let len = self.like.unmasked_len();
        let (frame, rest) = mem::take(&mut self.bytes.0).split_at_mut_checked(len)?;
        self.bytes.0 = rest;
        // What is ready are whole frames.
        self.ready = self.ready.wrapping_sub(len);
        Some((frame, self.like))
    }

    /// Consumes everything.
    #[inline]
    pub(crate) fn discard(&mut self) {
        self.bytes.discard();
        (self.ready, self.gap) = (0, 0);
    }

    /// Consumes a masked frame, of a header of `N` bytes and the key, and `len` bytes of payload: the payload behind
    /// `new`, a header of `N` bytes of a frame that is not masked. `None` if not all of it has come: it stays.
    // What is not in line is given no reference to this input, which stays in registers so.
    #[inline(always)]
    pub(crate) fn reframe<const N: usize>(
        &mut self,
        new: [u8; N],
        len: u16,
        key: [u8; 4],
    ) -> Option<&'b [u8]> {
        let bytes = mem::take(&mut self.bytes.0);
        let len = usize::from(len);
        let (frame, rest) = if self.is_fresh {
            reframe::first(bytes, new, len, key)
        } else {
            reframe::next(bytes, self.gap, new, len, key)
        };
        self.bytes.0 = rest;
        if frame.is_some() {
            // It is never more than there are bytes.
            self.gap = self.gap.wrapping_add(if self.is_fresh { 0 } else { KEY });
            self.is_fresh = false;
        }
        frame
    }

    /// The same for all frames behind it that begin alike, as `new` is for them: they are [ready](Self::ready).
    #[inline(always)]
    pub(crate) fn reframe_alike(&mut self, new: [u8; 2]) {
        let Like { start, len } = self.like;
        let behind = self.bytes.0.get(self.gap..).and_then(|behind| behind.first_chunk());
        if behind.is_some_and(|behind| u16::from_ne_bytes(*behind) == start) {
            let frames = reframe::alike(self.bytes.0, self.gap, start, new, len);
            // No more than there are bytes, either.
            self.gap = self.gap.wrapping_add(frames.wrapping_mul(KEY));
            self.ready = frames.wrapping_mul(self.like.unmasked_len());
        }
    }

    /// What `consume` makes of the input.
    ///
    /// It works on a copy, so that compilers see that nobody else knows where this input lies.
    #[inline]
    pub(crate) fn consume<'i, T>(
        &'i mut self,
        consume: impl FnOnce(&mut Bytes<'b>, &'i mut Scratch) -> T,
    ) -> T {
        let mut bytes = Bytes(mem::take(&mut self.bytes().0));
        let result = consume(&mut bytes, self.scratch);
        self.bytes = bytes;
        result
    }
}

impl<'b> Bytes<'b> {
    #[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
    pub(crate) const fn new(bytes: &'b mut [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(crate) const fn as_slice(&self) -> &[u8] {
        self.0
    }

    /// The first `n` bytes, or all if they are fewer, which stay.
    #[cfg(feature = "deflate")]
    pub(crate) fn peek(&mut self, n: usize) -> &mut [u8] {
        let n = n.min(self.0.len());
        self.0.get_mut(..n).unwrap_or_default()
    }

    /// Consumes `n` bytes, or all if they are fewer.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> &'b mut [u8] {
        let bytes = mem::take(&mut self.0);
        let n = n.min(bytes.len());
        // It is never beyond the end; where compilers do not see that, `split_at_mut` keeps a panic path.
        let (taken, rest) = bytes.split_at_mut_checked(n).unwrap_or_default();
        self.0 = rest;
        taken
    }

    /// Consumes a header of `header` bytes and the `len` bytes behind it, which are handed out; `None` if
    /// not all of them have come: they stay.
    #[inline]
    pub(crate) fn take_behind(&mut self, header: usize, len: usize) -> Option<&'b mut [u8]> {
        let all = header.checked_add(len).filter(|all| *all <= self.0.len())?;
        self.take(all).get_mut(header..)
    }

    pub(crate) fn discard(&mut self) {
        self.0 = &mut [];
    }
}

impl Scratch {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; 125])
    }

    /// Copies `bytes`, of which there are at most 125, to where an event can borrow them.
    pub(crate) fn hold(&mut self, bytes: &[u8]) -> &mut [u8] {
        let held = self.0.get_mut(..bytes.len()).unwrap_or_default();
        // Not `copy_from_slice`: it keeps a panic path when compiled for size.
        for (to, from) in held.iter_mut().zip(bytes) {
            *to = *from;
        }
        held
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
