//! What compression takes of memory, by what zlib-rs 0.6 allocates and touches on 64-bit machines.

use super::deflater::{Deflater, KEPT};
use super::inflater::{CHUNK, Inflater};
use super::{Settings, WindowBits};

/// zlib's state to deflate, and the heads of the chains of its 65,536 hashes.
const HASHES: usize = 3_200 + 2 * 65_536;

/// Bytes that a [`Deflater`] takes while it is idle: see [`Deflater::memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Allocated, at the most.
    pub allocated: usize,
    /// Resident, once it has compressed messages of 64 KiB; before, it may be less.
    pub resident: usize,
}

impl Inflater {
    /// Bytes that one takes, for any window: zlib's state and the largest window, and its output.
    pub const MEMORY: usize = 14_784 + 32 * 1024 + CHUNK;
}

impl Deflater {
    /// Bytes that one takes while it is idle, for a window of 2^w bytes and memory level m:
    ///
    /// - 134,272 whatever the settings,
    /// - 2^(w+2) for the window, twice, and two bytes for each position in it,
    /// - 3 · 2^(m+6) for the symbols of a block,
    /// - 4 · 2^(m+6) for its bits, all of them used at level 1, half of them above, and none at level 0,
    /// - up to 4,096 for the output.
    #[must_use]
    pub const fn memory(settings: &Settings, window: WindowBits) -> Memory {
        let window = 4usize.wrapping_shl(window.get() as u32);
        let symbols = 1usize.wrapping_shl(settings.symbols_bits() as u32);
        let bits_used = match settings.level {
            0 => 0,
            1 => 4,
            _ => 2,
        };
        let fixed = HASHES.saturating_add(window).saturating_add(KEPT);
        Memory {
            allocated: fixed.saturating_add(symbols.saturating_mul(7)),
            resident: fixed
                .saturating_add(symbols.saturating_mul(bits_used))
                .saturating_add(symbols.saturating_mul(3)),
        }
    }
}

impl Settings {
    /// A block has 2 to the power of this symbols.
    pub(super) const fn symbols_bits(&self) -> u8 {
        let level = match self.memory_level {
            0 => 1,
            level @ 1..=9 => level,
            10.. => 9,
        };
        level.saturating_add(6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_what_takes_it() {
        let of = |level, memory_level, bits| {
            let settings = Settings { level, memory_level, ..Settings::default() };
            Deflater::memory(&settings, WindowBits::new(bits).unwrap())
        };
        assert_eq!(of(1, 8, 15).allocated, 134_272 + 4_096 + (4 << 15) + (7 << 14));
        for (level, memory_level, bits) in [(0, 1, 9), (1, 6, 12), (6, 8, 15), (9, 9, 15)] {
            let Memory { allocated, resident } = of(level, memory_level, bits);
            assert!(resident <= allocated);
            assert!(level != 1 || resident == allocated);
            assert_eq!(of(level, memory_level, bits).allocated, of(1, memory_level, bits).resident);
        }
        assert_eq!(of(6, 0, 9), of(6, 1, 9));
        assert_eq!(of(6, 10, 9), of(6, 9, 9));
        let fixed = 134_272 + 4_096 + (4 << 9);
        for (level, bits) in [(0, 0), (1, 4), (6, 2), (9, 2)] {
            assert_eq!(of(level, 1, 9).resident, fixed + ((3 + bits) << 7), "level {level}");
        }
        assert_eq!(Inflater::MEMORY, 14_784 + 32_768 + 16_384);
    }
}
