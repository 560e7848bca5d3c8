//! SHA-1 (RFC 3174) of a key and the GUID, 60 bytes, which is all that is ever hashed here.
//!
//! General implementations weigh several times this in firmware. As the input's length is fixed, so are its
//! padding and most of its words. SHA-1 guards nothing here: the proof only shows that the server speaks
//! WebSocket (RFC 6455 §10.8).

/// RFC 6455 §1.3.
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(super) fn sha1(key: &[u8; 24]) -> [[u8; 4]; 5] {
    let mut words = [0; 16];
    load(&mut words, key);
    let [_, _, _, _, _, _, behind_key @ .., padding] = &mut words;
    load(behind_key, GUID);
    *padding = 0x8000_0000;
    let mut hash = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    compress(&mut hash, &mut words);
    // The second block is nothing but the length in bits.
    words = [0; 16];
    let [.., length] = &mut words;
    *length = 60 * 8;
    compress(&mut hash, &mut words);
    hash.map(u32::to_be_bytes)
}

/// As many words as `text` has.
fn load(words: &mut [u32], text: &[u8]) {
    for (to, from) in words.iter_mut().zip(text.as_chunks().0) {
        *to = u32::from_be_bytes(*from);
    }
}

/// The function of a block. `words` is a ring that holds the last sixteen of the schedule.
fn compress(hash: &mut [u32; 5], words: &mut [u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e] = *hash;
    for t in 0..80usize {
        let back = |n: usize| words.get(t.wrapping_sub(n) & 15).copied().unwrap_or_default();
        let mut word = back(16);
        if t >= 16 {
            word = (back(3) ^ back(8) ^ back(14) ^ word).rotate_left(1);
        }
        if let Some(to) = words.get_mut(t & 15) {
            *to = word;
        }
        let (f, k) = match t {
            0..20 => (b & c | !b & d, 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6u32),
        };
        let sum = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(word);
        (a, b, c, d, e) = (sum.wrapping_add(k), a, b.rotate_left(30), c, d);
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
        fn equals_the_crate_sha1(key in any::<[u8; 24]>()) {
            let guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
            let expected = Sha1::new().chain_update(key).chain_update(guid).finalize();
            let hash = super::sha1(&key);
            prop_assert_eq!(hash.as_flattened(), &expected[..]);
        }
    }
}
