//! Where all chance comes from.

/// A sequence of numbers that a seed gives again.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// One of `0..of`.
    pub(crate) fn below(&mut self, of: u64) -> u64 {
        self.next() % of.max(1)
    }

    pub(crate) fn index(&mut self, of: usize) -> usize {
        self.below(of as u64) as usize
    }

    /// Whether one of so many hundreds has come.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Mostly small, up to `most`.
    pub(crate) fn skewed(&mut self, most: u64) -> u64 {
        let shift = self.below(12);
        self.below((most >> shift).max(1)) + 1
    }
}
