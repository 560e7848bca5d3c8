//! Bytes from the peer, as [`Connection::next_event`](crate::Connection::next_event) takes them.

/// The bytes of one read, which a connection consumes event by event.
///
/// Payload is unmasked in place, and events borrow it. A code point or a control frame that a read
/// boundary cut in two is put together here, so that it can be borrowed in one piece too.
///
/// ```
/// use ws_proto::Input;
/// let mut buffer = [0x81, 0x00];
/// let input = Input::new(&mut buffer);
/// assert_eq!(input.len(), 2);
/// ```
#[derive(Debug)]
pub struct Input<'b> {
    rest: &'b mut [u8],
    joined: [u8; 125],
}

impl<'b> Input<'b> {
    /// The bytes of a read, in the order they came.
    #[must_use]
    pub const fn new(bytes: &'b mut [u8]) -> Self {
        Self { rest: bytes, joined: [0; 125] }
    }

    /// How many bytes are not consumed yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether every byte is consumed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn rest(&self) -> &[u8] {
        self.rest
    }

    /// The first `n` bytes that are left, or all of them if they are fewer, which stay.
    #[cfg(feature = "deflate")]
    pub(crate) fn peek(&mut self, n: usize) -> &mut [u8] {
        let n = n.min(self.rest.len());
        self.rest.get_mut(..n).unwrap_or_default()
    }

    /// Consumes `n` bytes, or what is left if that is less.
    pub(crate) fn take(&mut self, n: usize) -> &'b mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        let (taken, rest) = rest.split_at_mut(n.min(rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn discard(&mut self) {
        self.rest = &mut [];
    }

    /// Copies `bytes` (at most 125) to where an event can borrow them.
    pub(crate) fn join(&mut self, bytes: &[u8]) -> &mut [u8] {
        let len = bytes.len().min(self.joined.len());
        let joined = self.joined.get_mut(..len).unwrap_or_default();
        if let Some(bytes) = bytes.get(..len) {
            joined.copy_from_slice(bytes);
        }
        joined
    }
}
