//! Bytes from the peer, as [`Connection::next_event`](crate::Connection::next_event) takes them.

use crate::mask;

/// How many bytes a masking key takes in a header (RFC 6455 §5.2).
const KEY: usize = 4;

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
    /// What is not consumed, behind `gap` bytes that are: room to move what is handed out.
    bytes: Bytes<'b>,
    gap: usize,
    /// Whether no message was handed out with a frame.
    is_fresh: bool,
    like: Like,
    // Lent, not owned, so that an input is but two pointers and a length: they stay in registers.
    scratch: &'b mut Scratch,
}

/// How the last message began that was handed out with a frame. What begins like it need not be looked at again,
/// and nobody waits for a length that can be guessed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Like {
    /// The first two bytes of the header.
    pub(crate) start: u16,
    pub(crate) len: u8,
}

impl Like {
    /// An empty binary message: what is guessed must be true of whatever begins like this.
    const EMPTY: Self = Self { start: u16::from_ne_bytes([0x82, 0x80]), len: 0 };
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
        Self { bytes: Bytes(bytes), gap: 0, is_fresh: true, like: Like::EMPTY, scratch }
    }

    /// How many bytes are not consumed yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.0.len().saturating_sub(self.gap)
    }

    /// Whether every byte is consumed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
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
            self.bytes.take(core::mem::take(&mut self.gap));
        }
        (&mut self.bytes, &mut self.like)
    }

    /// What is not consumed, to look at, and how the last message began.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<(&[u8], &mut Like)> {
        Some((self.bytes.0.get(self.gap..)?, &mut self.like))
    }

    /// Consumes a masked frame, of a header of `N` bytes and the key, and `len` bytes of payload: the payload behind
    /// `new`, a header of `N` bytes of a frame that is not masked. `None` if not all of it has come: it stays.
    // What is not in line is given no reference to this input, which stays in registers so.
    #[inline]
    pub(crate) fn reframe<const N: usize>(
        &mut self,
        new: [u8; N],
        len: u16,
        key: [u8; 4],
    ) -> Option<&'b [u8]> {
        let bytes = core::mem::take(&mut self.bytes.0);
        let len = usize::from(len);
        let (frame, rest) = if self.is_fresh {
            reframe_first(bytes, new, len, key)
        } else {
            reframe_next(bytes, self.gap, new, len, key)
        };
        self.bytes.0 = rest;
        if frame.is_some() {
            // It is never more than there are bytes.
            self.gap = self.gap.wrapping_add(if self.is_fresh { 0 } else { KEY });
            self.is_fresh = false;
        }
        frame
    }

    /// The same for a frame that begins like the one before it.
    #[inline]
    pub(crate) fn reframe_alike(&mut self, new: [u8; 2], key: [u8; 4]) -> Option<&'b [u8]> {
        match self.like.len {
            16..=32 => self.reframe_short::<16>(new, key),
            64..=125 => self.reframe_short::<64>(new, key),
            len => self.reframe(new, len.into(), key),
        }
    }

    /// The same for a payload of `E` to `2 * E` bytes, which goes through registers.
    #[inline(always)]
    fn reframe_short<const E: usize>(&mut self, new: [u8; 2], key: [u8; 4]) -> Option<&'b [u8]> {
        let len = usize::from(self.like.len);
        let (_, payload) = self.bytes.0.get(self.gap..)?.split_at_checked(const { 2 + KEY })?;
        let ends = mask::Ends::<E>::masked(payload.get(..len)?, key)?;
        let bytes = core::mem::take(&mut self.bytes.0);
        let (frame, rest) = bytes.split_at_mut_checked(len.saturating_add(2))?;
        self.bytes.0 = rest;
        self.gap = self.gap.wrapping_add(KEY);
        let (head, body) = frame.split_first_chunk_mut()?;
        *head = new;
        ends.put(body)?;
        Some(frame)
    }

    /// What `consume` makes of the input.
    ///
    /// It works on a copy, so that compilers see that nobody else knows where this input lies.
    #[inline]
    pub(crate) fn consume<'i, T>(
        &'i mut self,
        consume: impl FnOnce(&mut Bytes<'b>, &'i mut Scratch) -> T,
    ) -> T {
        let mut bytes = Bytes(core::mem::take(&mut self.bytes().0));
        let result = consume(&mut bytes, self.scratch);
        self.bytes = bytes;
        result
    }
}

/// [`Input::reframe`] for the first message, whose payload stays where it is: often there is no other. The frame, and
/// what is left behind it.
#[inline]
fn reframe_first<const N: usize>(
    bytes: &mut [u8],
    new: [u8; N],
    len: usize,
    key: [u8; 4],
) -> (Option<&[u8]>, &mut [u8]) {
    let end = len.saturating_add(const { N + KEY });
    if bytes.len() < end {
        return (None, bytes);
    }
    let (whole, rest) = bytes.split_at_mut_checked(end).unwrap_or_default();
    let frame = whole.get_mut(KEY..).unwrap_or_default();
    if let Some((head, body)) = frame.split_first_chunk_mut() {
        *head = new;
        mask::apply(body, key);
    }
    (Some(frame), rest)
}

/// [`Input::reframe`] for one behind others, and of any length.
#[inline(never)]
fn reframe_next<const N: usize>(
    bytes: &mut [u8],
    gap: usize,
    new: [u8; N],
    len: usize,
    key: [u8; 4],
) -> (Option<&[u8]>, &mut [u8]) {
    let moved = gap.saturating_add(KEY);
    let end = len.saturating_add(moved).saturating_add(N);
    let Some((head, body)) = bytes.get_mut(..end).and_then(<[u8]>::split_first_chunk_mut) else {
        return (None, bytes);
    };
    *head = new;
    mask::apply_down(body, moved, key);
    // It is shorter than what was just there.
    let (frame, rest) = bytes.split_at_mut_checked(len.saturating_add(N)).unwrap_or_default();
    (Some(frame), rest)
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
        let bytes = core::mem::take(&mut self.0);
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
