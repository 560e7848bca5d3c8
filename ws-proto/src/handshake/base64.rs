//! Base64 (RFC 4648 §4), encoded.

/// `N` is the length that `bytes` come to: four characters for three bytes or fewer.
pub(super) fn encode<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [b'='; N];
    for (four, bytes) in text.as_chunks_mut::<4>().0.iter_mut().zip(bytes.chunks(3)) {
        let mut bits = 0u32;
        for (shift, byte) in [16, 8, 0].into_iter().zip(bytes) {
            bits |= u32::from(*byte) << shift;
        }
        for (shift, to) in [18, 12, 6, 0].into_iter().zip(four).take(bytes.len().saturating_add(1))
        {
            *to = character(bits >> shift);
        }
    }
    text
}

/// The character for the low six bits.
const fn character(bits: u32) -> u8 {
    let [six, ..] = (bits & 63).to_le_bytes();
    match six {
        0..26 => six.wrapping_add(b'A'),
        26..52 => six.wrapping_add(b'a' - 26),
        52..62 => six.wrapping_sub(52 - b'0'),
        62 => b'+',
        _ => b'/',
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::any;
    use proptest::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn equals_the_crate_base64(nonce in any::<[u8; 16]>(), digest in any::<[u8; 20]>()) {
            let expected = STANDARD.encode(nonce);
            prop_assert_eq!(&super::encode::<24>(&nonce)[..], expected.as_bytes());
            let expected = STANDARD.encode(digest);
            prop_assert_eq!(&super::encode::<28>(&digest)[..], expected.as_bytes());
        }
    }
}
