//! Masking with the widest vectors of the processor at hand.

use fearless_simd::{Level, Simd, SimdBase, dispatch};

use super::{masked, rotate};

/// From how many bytes on it is faster than without.
pub(super) const WORTH_IT: usize = 512;

/// The widest vector, in bytes, which is also what processors store at once at best: their vectors are aligned to it.
const WIDEST: usize = 64;

/// Masks `data`, of at least [`WIDEST`] bytes.
pub(super) fn apply(data: &mut [u8], key: [u8; 4]) {
    dispatch!(Level::new(), simd => aligned(simd, data, key));
}

#[inline(always)]
fn aligned<S: Simd>(simd: S, data: &mut [u8], key: [u8; 4]) {
    // Both ends are read before anything is written: what is written twice is the same.
    let (first, last) = (data.first_chunk::<WIDEST>(), data.last_chunk::<WIDEST>());
    let (Some(first), Some(last)) = (first, last) else { return };
    let last = masked(*last, rotate(key, data.len()));
    let first = masked(*first, key);
    let offset = data.as_ptr().align_offset(WIDEST) % WIDEST;
    let keys = masked([0; WIDEST], rotate(key, offset));
    let keys = S::u8s::from_slice(simd, keys.get(..S::u8s::LEN).unwrap_or_default());
    let (_, vectors) = data.split_at_mut_checked(offset).unwrap_or_default();
    for vector in vectors.chunks_exact_mut(S::u8s::LEN) {
        (S::u8s::from_slice(simd, vector) ^ keys).store_slice(vector);
    }
    if let Some(to) = data.first_chunk_mut() {
        *to = first;
    }
    if let Some(to) = data.last_chunk_mut() {
        *to = last;
    }
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::{WORTH_IT, apply};

    #[test]
    fn equals_the_definition_wherever_it_begins() {
        let key = [0x11, 0x82, 0xf3, 0x04];
        let plain: [u8; 1000] = core::array::from_fn(|i| u8::try_from(i * 7 % 251).unwrap());
        for offset in 0..64 {
            for len in (WORTH_IT..WORTH_IT + 130).chain([900]) {
                let (mut data, mut expected) = (plain, plain);
                apply(&mut data[offset..offset + len], key);
                words(&mut expected[offset..offset + len], key);
                assert_eq!(data, expected, "{len} bytes at {offset}");
            }
        }
    }
}
