//! Base64 (RFC 4648 §4), encoded.

/// Encodes `bytes`, of which `text` has four characters for three or fewer.
pub(super) fn encode(bytes: &[u8], text: &mut [u8]) {
    for (four, bytes) in text.as_chunks_mut().0.iter_mut().zip(bytes.chunks(3)) {
        let (a, b, c) = match *bytes {
            [a, b, c] => (a, Some(b), Some(c)),
            [a, b] => (a, Some(b), None),
            [a, ..] => (a, None, None),
            [] => continue,
        };
        let bits = u32::from_be_bytes([0, a, b.unwrap_or(0), c.unwrap_or(0)]);
        let third = if b.is_some() { character(bits >> 6) } else { b'=' };
        let fourth = if c.is_some() { character(bits) } else { b'=' };
        *four = [character(bits >> 18), character(bits >> 12), third, fourth];
    }
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
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn equals_the_crate_base64(bytes in vec(any::<u8>(), 0..30)) {
            let mut text = [b' '; 40];
            super::encode(&bytes, &mut text);
            let text = str::from_utf8(&text).map(str::trim_end);
            let expected = STANDARD.encode(&bytes);
            prop_assert_eq!(text, Ok(expected.as_str()));
        }
    }
}
