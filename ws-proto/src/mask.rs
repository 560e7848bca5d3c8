//! Masking of payload data (RFC 6455 §5.3): XOR with a four-byte key, the same in both directions.

/// Masks or unmasks `data` in place; `key` applies to its first byte.
///
/// Written over 8-byte words, which compilers turn into vector code where the target has any.
pub fn apply(data: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = data.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= mask;
    }
}

/// The key as it applies `n` bytes further into the payload.
#[must_use]
pub const fn rotate(key: [u8; 4], n: usize) -> [u8; 4] {
    let bits = match n & 3 {
        0 => 0,
        1 => 8,
        2 => 16,
        _ => 24,
    };
    u32::from_be_bytes(key).rotate_left(bits).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::{apply, rotate};

    #[test]
    fn example_of_rfc_6455_section_5_7() {
        let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply(&mut data, [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&data, b"Hello");
    }

    #[test]
    fn equals_the_definition_at_every_length_and_split() {
        let key = [0x11, 0x82, 0xf3, 0x04];
        for len in 0..64usize {
            let plain: [u8; 64] = core::array::from_fn(|i| u8::try_from(i * 7 % 251).unwrap());
            let mut expected = plain;
            for (i, byte) in expected.iter_mut().take(len).enumerate() {
                *byte ^= key[i % 4];
            }
            for split in 0..=len {
                let mut data = plain;
                apply(&mut data[..split], key);
                apply(&mut data[split..len], rotate(key, split));
                assert_eq!(data, expected, "length {len}, split at {split}");
            }
        }
    }
}
