//! How much is read at a time of peers whose messages may be compressed: what takes time is not what comes, but
//! what it inflates to, which may be a thousand times as much.

use std::time::Duration;

/// How much the messages of a worker's connections may inflate to in a turn before others have theirs.
const OF_A_TURN: usize = 1024 * 1024;
/// What a read may inflate to, if the next is to be as large.
const OF_A_READ: usize = 64 * 1024;
/// The logarithms of the fewest and the most bytes that are read.
const LEAST: u8 = 6;
const MOST: u8 = 13;

/// How much a peer is read from at a time, as a logarithm: less, the more its messages inflate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appetite(u8);

impl Appetite {
    /// Of a peer that has said nothing.
    pub(super) const START: Self = Self(10);

    /// In bytes.
    pub(super) const fn bytes(self) -> usize {
        1 << self.0
    }

    /// So many bytes were read, and have inflated to so many.
    pub(super) fn learn(&mut self, read: usize, inflated: usize) {
        if inflated > OF_A_READ {
            self.0 = self.0.saturating_sub(1).max(LEAST);
        } else if read >= self.bytes() {
            self.0 = self.0.saturating_add(1).min(MOST);
        }
    }
}

/// What messages have inflated to in this turn of the event loop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inflated {
    /// When the turn began.
    turn: Duration,
    bytes: usize,
}

impl Inflated {
    pub(super) fn add(&mut self, bytes: usize, turn: Duration) {
        if self.turn != turn {
            *self = Self { turn, bytes: 0 };
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// How many bytes in the turn that began then.
    pub(super) fn in_turn(self, turn: Duration) -> usize {
        if self.turn == turn { self.bytes } else { 0 }
    }

    /// Whether peers whose messages may be compressed have had enough of the turn.
    pub(crate) fn is_enough(self, turn: Duration) -> bool {
        self.in_turn(turn) >= OF_A_TURN
    }
}

#[cfg(test)]
mod tests {
    use super::{Appetite, Inflated};
    use std::time::Duration;

    #[test]
    fn who_sends_bombs_is_read_from_in_sips() {
        let mut appetite = Appetite::START;
        // Whose messages are short is read from as before.
        appetite.learn(100, 200);
        assert_eq!(appetite.bytes(), 1024);
        for _ in 0..5 {
            appetite.learn(appetite.bytes(), 3 * appetite.bytes());
        }
        assert_eq!(appetite.bytes(), 8 * 1024);
        // Whatever a read inflates to, by a thousand or by twenty, the next ones come to about 64 KiB.
        for ratio in [20, 1000] {
            for _ in 0..20 {
                appetite.learn(appetite.bytes(), ratio * appetite.bytes());
            }
            let inflated = ratio * appetite.bytes();
            assert!((32 * 1024..=128 * 1024).contains(&inflated), "{ratio}: {inflated}");
        }
        assert!(appetite.bytes() <= 128);
    }

    #[test]
    fn what_is_inflated_counts_for_its_turn() {
        let (first, second) = (Duration::from_millis(1), Duration::from_millis(2));
        let mut inflated = Inflated::default();
        inflated.add(1024 * 1024 - 1, first);
        assert!(!inflated.is_enough(first));
        inflated.add(1, first);
        assert!(inflated.is_enough(first) && !inflated.is_enough(second));
        inflated.add(7, second);
        assert_eq!((inflated.in_turn(second), inflated.in_turn(first)), (7, 0));
    }
}
