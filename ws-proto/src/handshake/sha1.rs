//! SHA-1 (RFC 3174) of 60 bytes: a key and the GUID, which is all that is ever hashed here.
//!
//! General implementations weigh several times this in firmware. As the input's length is fixed, so is
//! its padding. SHA-1 guards nothing here: the proof only shows that the server speaks WebSocket
//! (RFC 6455 §10.8).

pub(super) fn sha1(message: [u8; 60]) -> [u8; 20] {
    let mut words = [0u32; 32];
    let (whole, _) = message.as_chunks();
    for (to, from) in words.iter_mut().zip(whole) {
        *to = u32::from_be_bytes(*from);
    }
    words[15] = 0x8000_0000;
    words[31] = 60 * 8;
    let mut hash = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in words.as_chunks().0 {
        compress(&mut hash, *block);
    }
    let mut bytes = [0; 20];
    for (to, from) in bytes.as_chunks_mut().0.iter_mut().zip(hash) {
        *to = from.to_be_bytes();
    }
    bytes
}

/// The function of a block. `words` is a ring that holds the last sixteen of the schedule.
fn compress(hash: &mut [u32; 5], mut words: [u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e] = *hash;
    for t in 0..80usize {
        let back = |n: usize| words.get(t.wrapping_sub(n) & 15).copied().unwrap_or_default();
        let word = if t < 16 {
            back(16)
        } else {
            (back(3) ^ back(8) ^ back(14) ^ back(16)).rotate_left(1)
        };
        if let Some(to) = words.get_mut(t & 15) {
            *to = word;
        }
        let (f, k) = match t {
            0..20 => (b & c | !b & d, 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6u32),
        };
        let sum =
            a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(word).wrapping_add(k);
        (a, b, c, d, e) = (sum, a, b.rotate_left(30), c, d);
    }
    for (to, from) in hash.iter_mut().zip([a, b, c, d, e]) {
        *to = to.wrapping_add(from);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::{prop_assert_eq, proptest};
    use sha1::{Digest as _, Sha1};

    proptest! {
        #[test]
        fn equals_the_crate_sha1(head in any::<[u8; 32]>(), tail in any::<[u8; 28]>()) {
            let mut message = [0; 60];
            message[..32].copy_from_slice(&head);
            message[32..].copy_from_slice(&tail);
            let expected: [u8; 20] = Sha1::digest(message).into();
            prop_assert_eq!(super::sha1(message), expected);
        }
    }
}
