//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 §4.1, §4.2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// Appended to the key before it is hashed (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The key of a client's nonce: 24 base64 characters.
pub(super) fn encode(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    // 16 bytes make 24 characters, so this can't fail.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    key
}

/// What proves that a server has read `key`.
pub(super) fn accept(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    // 20 bytes make 28 characters, so this can't fail.
    let _ = STANDARD.encode_slice(digest, &mut accept);
    accept
}

/// Whether `key` is base64 for 16 bytes: 22 characters and two of padding.
pub(super) fn is_valid(key: &[u8]) -> bool {
    let character = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    key.len() == 24
        && key.strip_suffix(b"==").is_some_and(|characters| characters.iter().all(character))
}

#[cfg(test)]
mod tests {
    use super::{accept, encode, is_valid};

    #[test]
    fn example_of_rfc_6455_section_1_3() {
        let key = encode(*b"the sample nonce");
        assert_eq!(&key, b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(&accept(&key), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_valid(&key));
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
            assert!(!is_valid(key.as_bytes()), "{key}");
        }
    }
}
