//! What waits to be sent to one peer.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

/// How many pieces one `writev` sends.
pub(crate) const BATCH: usize = 64;

/// Small replies are gathered in one piece up to this size.
const GATHER: usize = 16 * 1024;

/// Shared frames up to this size are copied when many wait: references to them would take more memory
/// than the limit of bytes that may wait is meant to allow, and more writes.
const SMALL: usize = 256;

/// A queue of bytes in pieces: a connection's own, and frames shared with other connections.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    len: usize,
}

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Arc<[u8]>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Outbox {
    /// Bytes that wait.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.len = self.len.saturating_add(bytes.len());
        match self.pieces.back_mut() {
            Some(Piece::Own(last)) if last.len() < GATHER => last.extend_from_slice(bytes),
            _ => self.pieces.push_back(Piece::Own(bytes.to_vec())),
        }
    }

    pub(crate) fn push_shared(&mut self, bytes: Arc<[u8]>) {
        if bytes.len() <= SMALL && self.pieces.len() >= BATCH {
            self.push(&bytes);
        } else if !bytes.is_empty() {
            self.len = self.len.saturating_add(bytes.len());
            self.pieces.push_back(Piece::Shared(bytes));
        }
    }

    /// The first pieces, for a vectored write.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; BATCH]) -> usize {
        let mut skip = self.sent;
        let mut filled: usize = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece.bytes().get(skip..).unwrap_or_default());
            skip = 0;
            filled = filled.saturating_add(1);
        }
        filled
    }

    /// The first `n` bytes are sent.
    pub(crate) fn advance(&mut self, n: usize) {
        self.len = self.len.saturating_sub(n);
        self.sent = self.sent.saturating_add(n);
        while let Some(first) = self.pieces.front() {
            let Some(rest) = self.sent.checked_sub(first.bytes().len()) else { break };
            self.sent = rest;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, GATHER, Outbox};
    use std::io::IoSlice;
    use std::sync::Arc;

    #[test]
    fn what_goes_in_comes_out_in_order_at_any_pace() {
        for pace in [1, 2, 3, 7, 1000, GATHER, GATHER * 3] {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for i in 0..200u8 {
                let bytes = vec![i; usize::from(i) * 7];
                if i % 3 == 0 {
                    outbox.push_shared(Arc::from(bytes.as_slice()));
                } else {
                    outbox.push(&bytes);
                }
                expected.extend(bytes);
            }
            assert_eq!(outbox.len(), expected.len());
            let mut got = Vec::new();
            while !outbox.is_empty() {
                let mut slices = [IoSlice::new(&[]); BATCH];
                let filled = outbox.slices(&mut slices);
                let bytes = slices[..filled].iter().flat_map(|slice| slice.iter());
                let sent: Vec<u8> = bytes.take(pace).copied().collect();
                assert!(!sent.is_empty());
                got.extend_from_slice(&sent);
                outbox.advance(sent.len());
            }
            assert_eq!(got, expected, "{pace} bytes at a time");
            assert!(outbox.pieces.is_empty());
        }
    }

    #[test]
    fn many_small_frames_make_few_pieces() {
        let mut outbox = Outbox::default();
        for _ in 0..100_000 {
            outbox.push_shared(Arc::from([0x81, 0].as_slice()));
        }
        assert_eq!(outbox.len(), 200_000);
        assert!(outbox.pieces.len() <= BATCH + 200_000 / GATHER + 1);
    }
}
