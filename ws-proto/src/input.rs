//! Bytes from the peer, as [`Connection::next_event`](crate::Connection::next_event) takes them.

use crate::mask;

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
    /// The first two bytes of the last frame that was reframed, and how much payload they declare: the next one
    /// need not be looked at as closely if it begins like this.
    pub(crate) like: (u16, usize),
    // Lent, not owned, so that an input is but two pointers and a length: they stay in registers.
    scratch: &'b mut Scratch,
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
        Self { bytes: Bytes(bytes), gap: 0, like: (0, 0), scratch }
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

    /// What is not consumed.
    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut Bytes<'b> {
        if self.gap > 0 {
            self.close_gap();
        }
        &mut self.bytes
    }

    #[inline(never)]
    fn close_gap(&mut self) {
        let gap = core::mem::take(&mut self.gap);
        self.bytes.take(gap);
    }

    /// What is not consumed, to look at.
    #[inline]
    pub(crate) fn peek(&self) -> Option<&[u8]> {
        self.bytes.0.get(self.gap..)
    }

    /// Consumes a masked frame, of a header of `header` bytes and `len` bytes of payload: the payload behind
    /// `new`, the header of a frame that is not masked, which is shorter by the key. `None` if not all of it has
    /// come: it stays.
    #[inline]
    pub(crate) fn reframe<const N: usize>(
        &mut self,
        new: [u8; N],
        len: usize,
        key: [u8; 4],
    ) -> Option<&'b [u8]> {
        let (behind, whole) = (self.gap.wrapping_add(N).wrapping_add(4), N.wrapping_add(len));
        // No length of a slice, and none that a header of two bytes more declares, is so large that it wraps.
        let end = behind.wrapping_add(len);
        let bytes = core::mem::take(&mut self.bytes.0);
        let Some(moving) = bytes.get_mut(..end) else {
            self.bytes.0 = bytes;
            return None;
        };
        let (head, body) = moving.split_first_chunk_mut::<N>()?;
        *head = new;
        mask::apply_down(body, self.gap.wrapping_add(4), key);
        let (frame, rest) = bytes.split_at_mut_checked(whole)?;
        self.bytes.0 = rest;
        self.gap = self.gap.wrapping_add(4);
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
