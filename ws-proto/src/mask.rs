//! Masking of payload data (RFC 6455 §5.3): XOR with a four-byte key, the same in both directions.

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
    if data.len() > 64 {
        blocks(data, key);
    } else if !(ends::<32>(data, key) || ends::<4>(data, key)) {
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
    let last_key = rotate(key, data.len());
    let (Some(first), Some(last)) = (data.first_chunk::<N>(), data.last_chunk::<N>()) else {
        return false;
    };
    let (first, last) = (masked(*first, key), masked(*last, last_key));
    if let Some(to) = data.first_chunk_mut() {
        *to = first;
    }
    if let Some(to) = data.last_chunk_mut() {
        *to = last;
    }
    true
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
    use super::{apply, rotate, words};

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
}
