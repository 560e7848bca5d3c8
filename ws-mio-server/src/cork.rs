//! Replies to one connection, until they leave in one write.

use ws_proto::{Full, Sink};

/// Memory beyond this size is given back.
const KEPT: usize = 1024 * 1024;

/// Bytes to send, in memory that stays from one connection to the next.
#[derive(Debug, Default)]
pub(crate) struct Cork {
    /// All of it may be written to: no memory need be made ready for a reply.
    memory: Vec<u8>,
    len: usize,
}

impl Cork {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        if self.memory.len() > KEPT {
            self.memory = Vec::new();
        }
    }

    /// Appends a body of 16 to 32 bytes behind a head of two, where there are 64 bytes of memory.
    // The head comes in registers, here and below: from memory, two bytes that were just written one by one
    // are not read as one within a dozen cycles.
    #[inline]
    fn put_small(&mut self, a: u8, b: u8, body: &[u8]) -> Option<&mut [u8]> {
        let [to_a, to_b, free @ ..] = self.memory.get_mut(self.len..)?.first_chunk_mut::<64>()?;
        let to_body = free.get_mut(..body.len())?;
        (*to_a, *to_b) = (a, b);
        ends::<16>(to_body, body);
        // No more than the memory's length.
        self.len = self.len.wrapping_add(2).wrapping_add(body.len());
        Some(to_body)
    }

    /// Appends a body behind a head of two bytes.
    #[inline(never)]
    fn put_short(&mut self, a: u8, b: u8, body: &[u8]) -> Option<&mut [u8]> {
        let [to_a, to_b, to_body @ ..] = self.append(body.len().saturating_add(2))? else {
            return None;
        };
        (*to_a, *to_b) = (a, b);
        copy(to_body, body);
        Some(to_body)
    }

    #[inline(never)]
    fn put_any(&mut self, head: &[u8], body: &[u8]) -> Option<&mut [u8]> {
        let to = self.append(head.len().saturating_add(body.len()))?;
        let (to_head, to_body) = to.split_at_mut_checked(head.len())?;
        to_head.copy_from_slice(head);
        to_body.copy_from_slice(body);
        Some(to_body)
    }

    /// Memory for so many more bytes, which are to be written.
    #[inline]
    fn append(&mut self, more: usize) -> Option<&mut [u8]> {
        if !self.has_memory(more) {
            self.grow(more);
        }
        let start = self.len;
        self.len = start.saturating_add(more);
        self.memory.get_mut(start..self.len)
    }

    #[inline]
    const fn has_memory(&self, more: usize) -> bool {
        self.memory.len().saturating_sub(self.len) >= more
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let len = self.len.saturating_add(more);
        self.memory.resize(len.max(self.memory.len().saturating_mul(2)), 0);
    }
}

impl Sink for Cork {
    fn room(&self) -> usize {
        usize::MAX
    }

    #[inline]
    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        let done = match head {
            [a, b] if (16..=32).contains(&body.len()) && self.has_memory(64) => {
                self.put_small(*a, *b, body)
            }
            [a, b] => self.put_short(*a, *b, body),
            _ => self.put_any(head, body),
        };
        done.ok_or(Full)
    }
}

/// Copies without a call if it is little.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..16 => ends::<8>(to, from),
        16..32 => ends::<16>(to, from),
        32..64 => ends::<32>(to, from),
        64..=128 => ends::<64>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies what has `N` to `2 * N` bytes, by two blocks that may overlap.
#[inline]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::{Cork, KEPT};
    use ws_proto::Sink;

    #[test]
    fn pieces_of_any_length_stand_one_behind_the_other() {
        let (mut cork, mut expected) = (Cork::default(), Vec::new());
        for len in (0..300).chain([KEPT]) {
            let body = (0..len)
                .map(|i| i.wrapping_mul(7).to_le_bytes()[0] ^ len.to_le_bytes()[0])
                .collect::<Vec<_>>();
            assert_eq!(cork.put(b"ab", &body).unwrap(), body);
            expected.extend(b"ab");
            expected.extend(body);
            assert_eq!(cork.len(), expected.len());
        }
        assert_eq!(cork.bytes(), expected);
        cork.clear();
        assert!(cork.is_empty());
        assert_eq!(cork.memory.capacity(), 0, "so much is not kept");
    }
}
