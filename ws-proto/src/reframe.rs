//! Masked frames made unmasked ones where they lie.

use crate::mask::{self, Ends};

/// How many bytes a masking key takes in a header (RFC 6455 §5.2).
pub(crate) const KEY: usize = 4;

/// How many bytes a short header has, and with a key.
const HEADER: usize = 2;
const MASKED_HEADER: usize = HEADER + KEY;

/// Makes of a masked frame, of a header of `N` bytes, a key and `len` bytes of payload, one with the header `new`. Its
/// payload stays where it is: often there is no other frame. The frame, and what is left behind it.
#[inline]
pub(crate) fn first<const N: usize>(
    bytes: &mut [u8],
    new: [u8; N],
    len: usize,
    key: [u8; 4],
) -> (Option<&[u8]>, &mut [u8]) {
    let end = len.saturating_add(const { N + KEY });
    if bytes.len() < end {
        return (None, bytes);
    }
    let (bytes, rest) = bytes.split_at_mut_checked(end).unwrap_or_default();
    (Some(whole(bytes, new, key)), rest)
}

/// The same, if that frame is all that there is.
#[inline]
pub(crate) fn whole<const N: usize>(bytes: &mut [u8], new: [u8; N], key: [u8; 4]) -> &[u8] {
    let frame = bytes.get_mut(KEY..).unwrap_or_default();
    if let Some((head, body)) = frame.split_first_chunk_mut() {
        *head = new;
        mask::apply(body, key);
    }
    frame
}

/// The same of one that lies behind a gap, and is moved down to the beginning.
#[inline(never)]
pub(crate) fn next<const N: usize>(
    bytes: &mut [u8],
    gap: usize,
    new: [u8; N],
    len: usize,
    key: [u8; 4],
) -> (Option<&[u8]>, &mut [u8]) {
    let moved = gap.saturating_add(KEY);
    let end = len.saturating_add(moved).saturating_add(N);
    let Some((head, body)) = bytes.get_mut(..end).and_then(<[u8]>::split_first_chunk_mut) else {
        return (None, bytes);
    };
    *head = new;
    mask::apply_down(body, moved, key);
    // It is shorter than what was just there.
    let (frame, rest) = bytes.split_at_mut_checked(len.saturating_add(N)).unwrap_or_default();
    (Some(frame), rest)
}

/// The same of all behind a gap that begin with `start` and have `len` bytes of payload, one behind the other. How
/// many they are.
// A loop for itself, so that little is done for each of them.
#[inline(never)]
pub(crate) fn alike(bytes: &mut [u8], gap: usize, start: u16, new: [u8; 2], len: u8) -> usize {
    let usual = usize::from(len);
    match len {
        16 => each::<16>(bytes, gap, start, new, 16),
        17..=32 => each::<16>(bytes, gap, start, new, usual),
        64..=125 => each::<64>(bytes, gap, start, new, usual),
        _ => any(bytes, gap, start, new, usual),
    }
}

/// [`alike`] for payloads of `E` to `2 * E` bytes, which go through registers.
#[inline(always)]
fn each<const E: usize>(
    bytes: &mut [u8],
    mut gap: usize,
    start: u16,
    new: [u8; 2],
    len: usize,
) -> usize {
    let (mut rest, mut frames) = (bytes, 0_usize);
    while let Some((key, payload)) = masked(rest, gap, start)
        && let Some(payload) = payload.get(..len)
        && let Some(ends) = Ends::<E>::masked(payload, key)
        && let Some((frame, behind)) = rest.split_at_mut_checked(len.saturating_add(HEADER))
    {
        if let Some((head, body)) = frame.split_first_chunk_mut() {
            *head = new;
            ends.put(body);
        }
        rest = behind;
        gap = gap.wrapping_add(KEY);
        frames = frames.wrapping_add(1);
    }
    frames
}

/// [`alike`] for payloads of any length.
fn any(bytes: &mut [u8], mut gap: usize, start: u16, new: [u8; 2], len: usize) -> usize {
    let (mut rest, mut frames) = (bytes, 0_usize);
    while let Some((key, _)) = masked(rest, gap, start)
        && let (Some(_), behind) = next(rest, gap, new, len, key)
    {
        rest = behind;
        gap = gap.wrapping_add(KEY);
        frames = frames.wrapping_add(1);
    }
    frames
}

/// The key and what is behind it, of the header behind a gap, if it begins with `start`.
#[inline(always)]
fn masked(bytes: &[u8], gap: usize, start: u16) -> Option<([u8; 4], &[u8])> {
    let (header, payload) = bytes.get(gap..)?.split_first_chunk::<MASKED_HEADER>()?;
    let [first, second, key @ ..] = *header;
    (u16::from_ne_bytes([first, second]) == start).then_some((key, payload))
}

/// Makes of `ready` bytes of frames of `len` bytes each, at the beginning of `bytes`, masked ones at its end, which
/// begin with `start`, and whose keys change nothing.
pub(crate) fn undo(bytes: &mut [u8], ready: usize, start: u16, len: usize) {
    let (mut from, mut to) = (ready, bytes.len());
    let [first, second] = start.to_ne_bytes();
    // The last first: each is moved up over what is behind it. Not `copy_within`: it keeps a panic path.
    while let Some(begin) = from.checked_sub(len)
        && let Some(place) = to.checked_sub(len.saturating_add(KEY))
    {
        for offset in (HEADER..len).rev() {
            let byte = bytes.get(begin.saturating_add(offset)).copied();
            let to = bytes.get_mut(place.saturating_add(KEY).saturating_add(offset));
            if let (Some(byte), Some(to)) = (byte, to) {
                *to = byte;
            }
        }
        if let Some(header) = bytes.get_mut(place..).and_then(<[u8]>::first_chunk_mut) {
            *header = [first, second, 0, 0, 0, 0];
        }
        (from, to) = (begin, place);
    }
}
