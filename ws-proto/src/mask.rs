//! Masking of payload data (RFC 6455 §5.3): XOR with a four-byte key, the same in both directions.

#[cfg(feature = "fearless_simd")]
mod vectors;

/// Masks or unmasks `data` in place; `key` applies to its first byte.
///
/// Written over blocks of bytes, which compilers turn into vector code where the target has any. The last
/// block overlaps the one before it, so that no byte goes alone but those of the shortest payloads. In
/// firmware, where code is scarce, the blocks are words.
#[cfg_attr(not(target_os = "none"), inline)]
pub fn apply(data: &mut [u8], key: [u8; 4]) {
    if cfg!(target_os = "none") {
        return words(data, key);
    }
    match data.len() {
        16..=32 => _ = ends::<16>(data, key),
        8..16 => _ = ends::<8>(data, key),
        _ => apply_any(data, key),
    }
}

fn apply_any(data: &mut [u8], key: [u8; 4]) {
    #[cfg(feature = "fearless_simd")]
    if data.len() >= vectors::WORTH_IT {
        return vectors::apply(data, key);
    }
    if data.len() > 128 {
        blocks(data, key);
    } else if !(ends::<64>(data, key) || ends::<32>(data, key) || ends::<4>(data, key)) {
        for (byte, mask) in data.iter_mut().zip(key) {
            *byte ^= mask;
        }
    }
}

fn words(data: &mut [u8], key: [u8; 4]) {
    let (whole, rest) = data.as_chunks_mut::<4>();
    for word in whole {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key) {
        *byte ^= mask;
    }
}

fn blocks(data: &mut [u8], key: [u8; 4]) {
    // Read before the others are written: both writes then put the same bytes where they overlap.
    let last_key = rotate(key, data.len());
    let last = data.last_chunk::<64>().map(|last| masked(*last, last_key));
    for block in data.as_chunks_mut::<64>().0 {
        *block = masked(*block, key);
    }
    if let (Some(to), Some(last)) = (data.last_chunk_mut(), last) {
        *to = last;
    }
}

/// Masks `data`, if it has `N` to `2 * N` bytes.
#[inline]
fn ends<const N: usize>(data: &mut [u8], key: [u8; 4]) -> bool {
    Ends::<N>::masked(data, key).is_some_and(|ends| ends.put(data).is_some())
}

/// The first and the last `N` bytes of a payload of `N` to `2 * N` bytes, masked: both are read before any is
/// written, so that what is written may overlap what was read.
pub(crate) struct Ends<const N: usize> {
    first: [u8; N],
    last: [u8; N],
}

impl<const N: usize> Ends<N> {
    #[inline]
    pub(crate) fn masked(payload: &[u8], key: [u8; 4]) -> Option<Self> {
        let (first, last) = (payload.first_chunk()?, payload.last_chunk()?);
        let last_key = rotate(key, payload.len());
        Some(Self { first: masked(*first, key), last: masked(*last, last_key) })
    }

    /// Writes them to a place as long as the payload.
    #[inline]
    pub(crate) fn put(self, to: &mut [u8]) -> Option<()> {
        *to.first_chunk_mut()? = self.first;
        *to.last_chunk_mut()? = self.last;
        Some(())
    }
}

/// Unmasks the payload at the end of `bytes`, behind `gap` bytes, and moves it to their beginning. What then lies
/// behind it is of no use.
pub(crate) fn apply_down(bytes: &mut [u8], gap: usize, key: [u8; 4]) {
    let len = bytes.len().saturating_sub(gap);
    if gap <= bytes.len() {
        bytes.copy_within(gap.., 0);
    }
    apply(bytes.get_mut(..len).unwrap_or_default(), key);
}

/// `N` is a multiple of 4.
#[inline]
fn masked<const N: usize>(mut block: [u8; N], key: [u8; 4]) -> [u8; N] {
    for bytes in block.as_chunks_mut().0 {
        *bytes = (u32::from_ne_bytes(*bytes) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    block
}

/// The key as it applies `n` bytes further into the payload.
#[inline]
#[must_use]
pub const fn rotate(key: [u8; 4], n: usize) -> [u8; 4] {
    let bits = match n & 3 {
        0 => 0,
        1 => 8,
        2 => 16,
        _ => 24,
    };
    u32::from_le_bytes(key).rotate_right(bits).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::{apply, apply_down, rotate, words};

    #[test]
    fn example_of_rfc_6455_section_5_7() {
        let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply(&mut data, [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&data, b"Hello");
    }

    #[test]
    fn equals_the_definition_at_every_length_and_split() {
        let key = [0x11, 0x82, 0xf3, 0x04];
        for len in 0..200usize {
            let plain: [u8; 200] = core::array::from_fn(|i| u8::try_from(i * 7 % 251).unwrap());
            let mut expected = plain;
            for (i, byte) in expected.iter_mut().take(len).enumerate() {
                *byte ^= key[i % 4];
            }
            for split in 0..=len {
                let mut data = plain;
                apply(&mut data[..split], key);
                apply(&mut data[split..len], rotate(key, split));
                assert_eq!(data, expected, "length {len}, split at {split}");
                let mut data = plain;
                words(&mut data[..split], key);
                words(&mut data[split..len], rotate(key, split));
                assert_eq!(data, expected, "length {len}, split at {split}, by words");
            }
        }
    }

    #[test]
    fn moving_down_changes_nothing_else() {
        let key = [0x11, 0x82, 0xf3, 0x04];
        for len in (0..300usize).chain([4096, 4099]) {
            for gap in [0, 1, 4, 5, 15, 16, 17, 63, 64, 100] {
                let mut bytes = [0; 5000];
                let bytes = &mut bytes[..gap + len];
                for (i, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::try_from(i * 7 % 251).unwrap();
                }
                let mut expected = [0; 5000];
                expected[..len].copy_from_slice(&bytes[gap..]);
                apply(&mut expected[..len], key);
                apply_down(bytes, gap, key);
                assert_eq!(bytes[..len], expected[..len], "length {len}, down by {gap}");
            }
        }
    }
}
