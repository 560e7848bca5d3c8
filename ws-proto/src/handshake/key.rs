//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 §4.1, §4.2.2).

use super::base64;
use super::sha1::sha1;

/// Writes the key of a client's nonce: 24 base64 characters. It is not returned, as that would move it, for which
/// firmware needs a `memcpy`.
pub(super) fn encode(nonce: &[u8; 16], key: &mut [u8; 24]) {
    base64::encode(nonce, key);
}

/// Writes what proves that a server has read `key`.
pub(super) fn accept(key: &[u8; 24], accept: &mut [u8; 28]) {
    base64::encode(sha1(key).as_flattened(), accept);
}

/// A key that is base64 for 16 bytes: 22 characters and two of padding.
pub(super) fn parse(key: &[u8]) -> Option<[u8; 24]> {
    let character = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let is_valid =
        |key: &[u8; 24]| matches!(key, [chars @ .., b'=', b'='] if chars.iter().all(character));
    key.try_into().ok().filter(is_valid)
}

#[cfg(test)]
mod tests {
    use super::{accept, encode, parse};

    #[test]
    fn example_of_rfc_6455_section_1_3() {
        let (mut key, mut proof) = ([0; 24], [0; 28]);
        encode(b"the sample nonce", &mut key);
        assert_eq!(&key, b"dGhlIHNhbXBsZSBub25jZQ==");
        accept(&key, &mut proof);
        assert_eq!(&proof, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(parse(&key), Some(key));
    }

    #[test]
    fn keys_of_another_length_or_alphabet_are_invalid() {
        for key in [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZQAA",
            "dGhlIHNhbXBsZSBub25jZ-==",
            "dGhlIHNhbXBsZSBub25j ZQ=",
            "dGhlIHNhbXBsZSBub25jZ===",
        ] {
            assert_eq!(parse(key.as_bytes()), None, "{key}");
        }
    }
}
