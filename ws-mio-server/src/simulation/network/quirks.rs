//! What may go otherwise than usual, and when it does.

/// What system calls of a connection do now and then that they may do: all chances are of 256.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quirks {
    /// How many bytes may be on their way to the client.
    pub room: usize,
    /// Calls are interrupted.
    pub interrupted: u8,
    /// Fewer bytes are taken than there is room for.
    pub short: u8,
    /// No byte is taken, though there is room.
    pub refused: u8,
    /// More arrives while the server reads.
    pub meanwhile: u8,
    /// Where the dice stand.
    pub seed: u64,
}

impl Quirks {
    fn draw(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.seed;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(super) fn chance(&mut self, of_256: u8) -> bool {
        of_256 > 0 && self.draw() % 256 < u64::from(of_256)
    }

    pub(super) fn up_to(&mut self, most: usize) -> usize {
        1 + (self.draw() % most.max(1) as u64) as usize
    }
}
