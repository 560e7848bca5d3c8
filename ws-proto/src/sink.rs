//! Where bytes to send, and parts of messages, are appended.

use crate::Full;

/// Something that bytes are appended to: all of a piece, or nothing.
pub trait Sink {
    /// How many bytes still fit.
    fn room(&self) -> usize;

    /// Appends `head` and then `body`, and returns the body as it stands in the sink, so that a
    /// client can mask it there.
    ///
    /// # Errors
    /// [`Full`] when both don't fit; nothing is appended then.
    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full>;
}

/// A [`Sink`] that can be read back and emptied, as [`Assembler`](crate::Assembler) needs it.
pub trait Store: Sink {
    /// What was appended since the last [`clear`](Self::clear).
    fn stored(&self) -> &[u8];

    /// Empties the store.
    fn clear(&mut self);
}

/// A sink over a slice that the caller lends.
///
/// ```
/// use ws_proto::{Sink, Slice, Store};
/// let mut buffer = [0; 4];
/// let mut sink = Slice::new(&mut buffer);
/// assert!(sink.put(b"a", b"bc").is_ok());
/// assert!(sink.put(b"", b"de").is_err());
/// assert_eq!(sink.stored(), b"abc");
/// ```
#[derive(Debug)]
pub struct Slice<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> Slice<'b> {
    /// An empty sink with room for as many bytes as `buffer` holds.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }
}

impl Sink for Slice<'_> {
    fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.len)
    }

    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        let to_body = put(self.buffer.get_mut(self.len..).ok_or(Full)?, head, body)?;
        self.len = self.len.saturating_add(head.len()).saturating_add(body.len());
        Ok(to_body)
    }
}

/// Copies `head` and then `body` to the front of `free`, if both fit; the body as it stands there.
pub(crate) fn put<'f>(free: &'f mut [u8], head: &[u8], body: &[u8]) -> Result<&'f mut [u8], Full> {
    let (to_head, free) = free.split_at_mut_checked(head.len()).ok_or(Full)?;
    let to_body = free.get_mut(..body.len()).ok_or(Full)?;
    copy(to_head, head);
    copy(to_body, body);
    Ok(to_body)
}

/// Copies as much of `from` as fits. Not `copy_from_slice`: it keeps a panic path when compiled for size.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

impl Store for Slice<'_> {
    fn stored(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.len = 0;
    }
}

impl<const N: usize> Sink for heapless::Vec<u8, N> {
    fn room(&self) -> usize {
        N.saturating_sub(self.len())
    }

    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        if self.room() < head.len().saturating_add(body.len()) {
            return Err(Full);
        }
        let start = self.len().saturating_add(head.len());
        self.extend_from_slice(head).map_err(|_| Full)?;
        self.extend_from_slice(body).map_err(|_| Full)?;
        self.get_mut(start..).ok_or(Full)
    }
}

impl<const N: usize> Store for heapless::Vec<u8, N> {
    fn stored(&self) -> &[u8] {
        self
    }

    fn clear(&mut self) {
        Self::clear(self);
    }
}

#[cfg(feature = "alloc")]
impl Sink for alloc::vec::Vec<u8> {
    fn room(&self) -> usize {
        usize::MAX
    }

    #[inline]
    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        let start = self.len().saturating_add(head.len());
        self.reserve(head.len().saturating_add(body.len()));
        match head {
            // The headers of nearly all frames from a server, without a call to copy two bytes.
            [a, b] => self.extend_from_slice(&[*a, *b]),
            [a, b, c, d] => self.extend_from_slice(&[*a, *b, *c, *d]),
            _ => self.extend_from_slice(head),
        }
        self.extend_from_slice(body);
        self.get_mut(start..).ok_or(Full)
    }
}

#[cfg(feature = "alloc")]
impl Store for alloc::vec::Vec<u8> {
    fn stored(&self) -> &[u8] {
        self
    }

    fn clear(&mut self) {
        Self::clear(self);
    }
}

#[cfg(test)]
mod tests {
    use super::{Slice, Store};
    use crate::Full;

    fn keeps_the_contract(mut sink: impl Store, room: usize) {
        assert_eq!(sink.room(), room);
        let body = sink.put(b"ab", b"cd").unwrap();
        body[0] = b'C';
        assert_eq!(sink.stored(), b"abCd");
        assert_eq!(Some(sink.room()), room.checked_sub(4));
        assert_eq!(sink.put(&[0; 3], &[0; 2]), Err(Full), "both or nothing");
        assert_eq!(sink.stored(), b"abCd");
        sink.put(&[], &[7; 4]).unwrap();
        assert_eq!(sink.room(), 0);
        sink.put(&[], &[]).unwrap();
        sink.clear();
        assert_eq!((sink.stored(), sink.room()), (&[][..], room));
    }

    #[test]
    fn bounded_sinks_take_all_or_nothing() {
        keeps_the_contract(Slice::new(&mut [0; 8]), 8);
        keeps_the_contract(heapless::Vec::<u8, 8>::new(), 8);
    }
}
