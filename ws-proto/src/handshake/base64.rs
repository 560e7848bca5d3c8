//! Base64 (RFC 4648 §4), encoded.

/// Encodes `bytes`, of which `text` has four characters for three or fewer.
pub(super) fn encode(bytes: &[u8], text: &mut [u8]) {
    for (i, to) in text.iter_mut().enumerate() {
        // Six bits, of two bytes at most.
        let at = i.wrapping_mul(6);
        let byte = |n: usize| bytes.get((at / 8).wrapping_add(n)).copied();
        *to = match (byte(0), byte(1)) {
            (Some(high), low) => {
                let two = u16::from_be_bytes([high, low.unwrap_or(0)]);
                character((two << (at % 8) >> 10).to_le_bytes()[0])
            }
            (None, _) => b'=',
        };
    }
}

/// The character for a number below 64.
const fn character(six: u8) -> u8 {
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
    extern crate std;

    use std::vec;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::collection;
    use proptest::prelude::any;
    use proptest::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn equals_the_crate_base64(bytes in collection::vec(any::<u8>(), 0..30)) {
            let expected = STANDARD.encode(&bytes);
            let mut text = vec![b' '; expected.len()];
            super::encode(&bytes, &mut text);
            prop_assert_eq!(str::from_utf8(&text), Ok(expected.as_str()));
        }
    }
}
