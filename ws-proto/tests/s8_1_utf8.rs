//! RFC 6455 §8.1: text is UTF-8, judged at each byte as it comes, against `core::str::from_utf8`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]

mod harness;
mod vectors;

use harness::{CONT, End, FIN, Len, TEXT, frame, header, limit, masked, server_conn};
use ws_proto::{Connection, Error, Event, Input, Scratch, Server};

#[test]
fn vectors_of_text_at_every_chunk_size() {
    vectors::check(vectors::utf8::vectors);
}

/// Where the first bad sequence starts; `None` if more bytes can still make `bytes` good.
fn bad_at(bytes: &[u8], last: bool) -> Option<usize> {
    let error = std::str::from_utf8(bytes).err()?;
    (last || error.error_len().is_some()).then_some(error.valid_up_to())
}

/// What a connection made of text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    text: Vec<u8>,
    ended: bool,
    bad_at: Option<usize>,
}

fn read(conn: &mut Connection<Server>, mut bytes: Vec<u8>, read: &mut Read) {
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut bytes, &mut scratch);
    loop {
        match conn.next_event(&mut input) {
            Ok(Some(Event::Text(part))) => {
                read.text.extend(part.data.as_bytes());
                read.ended |= part.last;
            }
            Ok(None) => return,
            Err(Error::InvalidUtf8 { offset }) => read.bad_at = Some(offset as usize),
            other => panic!("{other:?}"),
        }
    }
}

/// How the bytes of a text come: in one frame that is read byte by byte, or each in its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Come {
    InReads,
    InFragments,
}

impl Come {
    fn start(self) -> Vec<u8> {
        match self {
            Self::InReads => header(End::Server, TEXT, Len::Short(9)),
            Self::InFragments => frame(End::Server, TEXT, b""),
        }
    }

    /// The byte at `n`, on its way.
    fn byte(self, n: usize, byte: u8) -> Vec<u8> {
        match self {
            Self::InReads => vec![masked(End::Server, &[vec![0; n], vec![byte]].concat())[n]],
            Self::InFragments => frame(End::Server, CONT, &[byte]),
        }
    }
}

/// Tries every byte behind `prefix`, at whose end `conn` stands, and goes on behind those that may
/// be followed by something.
fn every_byte_behind(
    conn: &Connection<Server>,
    prefix: &mut Vec<u8>,
    come: Come,
    leads: &[u8],
    depth: usize,
) {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for &byte in if prefix.is_empty() { leads } else { &all } {
        let mut next = conn.park().expect("nothing is owed").resume();
        let mut got = Read::default();
        read(&mut next, come.byte(prefix.len(), byte), &mut got);
        prefix.push(byte);
        assert_eq!(got.bad_at, bad_at(prefix, false), "{prefix:x?} {come:?}");
        if got.bad_at.is_none() {
            // What is whole is handed out at once; less than four bytes are held back.
            let whole = std::str::from_utf8(prefix).map_or_else(|e| e.valid_up_to(), str::len);
            let before = &prefix[..prefix.len() - 1];
            let was = std::str::from_utf8(before).map_or_else(|e| e.valid_up_to(), str::len);
            assert_eq!(got.text, prefix[was..whole], "{prefix:x?} {come:?}");
            if come == Come::InFragments {
                // A final fragment that is empty ends the message here, in a code point or not.
                let mut end = next.park().expect("nothing is owed").resume();
                let mut got = Read::default();
                read(&mut end, frame(End::Server, FIN, b""), &mut got);
                assert_eq!(got.bad_at, bad_at(prefix, true), "{prefix:x?}, and the end");
                assert_eq!(got.ended, got.bad_at.is_none(), "{prefix:x?}, and the end");
            }
            if prefix.len() < depth {
                every_byte_behind(&next, prefix, come, leads, depth);
            }
        }
        prefix.pop();
    }
}

#[test]
fn every_sequence_of_three_bytes_byte_by_byte() {
    // Behind an ASCII character come sequences of two bytes, whichever character it is.
    let leads: Vec<u8> = [0, 0x7f].into_iter().chain(0x80..=0xff).collect();
    for come in [Come::InReads, Come::InFragments] {
        let mut conn = server_conn(limit(1000));
        read(&mut conn, come.start(), &mut Read::default());
        every_byte_behind(&conn, &mut Vec::new(), come, &leads, 3);
    }
}

#[test]
fn every_sequence_of_one_or_two_bytes_in_one_read() {
    for first in 0..=u8::MAX {
        in_frames(&[&[first]], &[1]);
        for second in 0..=u8::MAX {
            in_frames(&[&[first, second]], &[usize::MAX]);
        }
    }
}

/// Reads `fragments` of a text in chunks of each of these sizes.
fn in_frames(fragments: &[&[u8]], sizes: &[usize]) {
    let bytes = fragments.concat();
    let mut frames = Vec::new();
    for (n, data) in fragments.iter().enumerate() {
        let fin = if n + 1 == fragments.len() { FIN } else { 0 };
        frames.extend(frame(End::Server, fin | if n == 0 { TEXT } else { CONT }, data));
    }
    let bad = bad_at(&bytes, true);
    let text = bytes[..bad.unwrap_or(bytes.len())].to_vec();
    let expected = Read { text, ended: bad.is_none(), bad_at: bad };
    for &size in sizes {
        let mut conn = server_conn(limit(1000));
        let mut got = Read::default();
        for chunk in frames.chunks(size.min(frames.len())) {
            read(&mut conn, chunk.to_vec(), &mut got);
        }
        assert_eq!(got, expected, "{fragments:x?} in chunks of {size}");
    }
}

/// Bytes at the edges of what UTF-8 (RFC 3629 §4) allows at each place of a sequence.
const EDGES: [u8; 12] = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xf0, 0xff];
const LEADS: [u8; 18] = [
    0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf3,
    0xf4, 0xf5,
];

#[test]
fn sequences_at_the_edges_in_every_fragmentation() {
    for lead in LEADS {
        for n in 0..EDGES.len().pow(3) {
            let tail: Vec<u8> =
                (0..3).map(|i| EDGES[n / EDGES.len().pow(i) % EDGES.len()]).collect();
            let sequence = [lead, tail[0], tail[1], tail[2]];
            // Fragments end behind the bytes whose bits are set.
            for cuts in 0..8u8 {
                let mut fragments = vec![&sequence[..]];
                for (i, at) in [3, 2, 1].into_iter().enumerate() {
                    if cuts >> i & 1 == 1 {
                        let (head, rest) = fragments.remove(0).split_at(at);
                        fragments.splice(0..0, [head, rest]);
                    }
                }
                in_frames(&fragments, &[usize::MAX]);
            }
        }
    }
}

#[test]
fn good_text_is_handed_out_however_it_is_cut() {
    let text = "a\u{e9}\u{20ac}\u{1f600}\u{10ffff}\u{800}\u{7ff}z";
    let sizes: Vec<usize> = (1..=40).collect();
    for a in 0..=text.len() {
        for b in a..=text.len() {
            let bytes = text.as_bytes();
            in_frames(&[&bytes[..a], &bytes[a..b], &bytes[b..]], &sizes);
        }
    }
}

/// Bad bytes behind good ones, at each distance: the words that a fast check may take at a time.
#[test]
fn a_bad_byte_is_found_wherever_it_stands() {
    for good in 0..70 {
        let mut bytes = vec![b'x'; good];
        bytes.extend(b"\xe2\x28 and good ones again");
        in_frames(&[&bytes], &[1, 7, 8, usize::MAX]);
        in_frames(&[&bytes[..good], &bytes[good..=good], &bytes[good + 1..]], &[usize::MAX]);
    }
}

/// Found at the first bad byte, with the frame and the message unfinished, and the text before it
/// delivered.
#[test]
fn bad_text_is_found_before_its_frame_ends() {
    let start = header(End::Server, TEXT, Len::Medium(500));
    let data = masked(End::Server, b"good \xf0\x9f\x98\x80 \xf4\x90");
    let mut conn = server_conn(limit(1000));
    let mut got = Read::default();
    read(&mut conn, start, &mut got);
    for (n, byte) in data.iter().enumerate() {
        assert_eq!(got.bad_at, None, "byte {n}");
        read(&mut conn, vec![*byte], &mut got);
    }
    assert_eq!(got.bad_at, Some(10));
    assert_eq!(got.text, "good \u{1f600} ".as_bytes());
}
