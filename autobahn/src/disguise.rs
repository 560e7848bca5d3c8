//! Text frames disguised as binary ones on their way in, for the negative control.
//!
//! `ws-proto` has no switch that turns the validation of UTF-8 off, and shall not get one for a test.
//! So the negative control changes what it sees: [`Disguise`] follows the boundaries of frames in a
//! byte stream and turns opcode 1 (text) into 2 (binary), which nobody validates.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};

use ws_proto::Kind;

const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// A byte stream of masked frames, in which text frames are binary ones.
#[derive(Debug)]
pub struct Disguise<'k, S> {
    inner: S,
    place: Place,
    /// What the messages really were, oldest first; whoever answers them takes them out.
    kinds: &'k RefCell<VecDeque<Kind>>,
}

/// What the next byte is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The first byte of a frame: FIN, the reserved bits and the opcode.
    Opcode,
    /// The second: MASK and the length, or what tells how the length follows.
    Length,
    /// One of the last `left` bytes of a longer length, and what it is so far.
    Extended { left: u8, length: u64, key: u64 },
    /// One of the last `left` bytes of masking key and payload.
    Rest { left: u64 },
}

impl<'k, S> Disguise<'k, S> {
    /// Disguises the frames that `inner` starts with, and appends the kind of each message to
    /// `kinds` when its first header comes by.
    pub fn new(inner: S, kinds: &'k RefCell<VecDeque<Kind>>) -> Self {
        Self { inner, place: Place::Opcode, kinds }
    }

    fn step(&mut self, byte: &mut u8) {
        self.place = match self.place {
            Place::Opcode => {
                match *byte & 0x0f {
                    TEXT => {
                        *byte ^= TEXT | BINARY;
                        self.kinds.borrow_mut().push_back(Kind::Text);
                    }
                    BINARY => self.kinds.borrow_mut().push_back(Kind::Binary),
                    _ => {}
                }
                Place::Length
            }
            Place::Length => {
                let key = if *byte & 0x80 == 0 { 0 } else { 4 };
                match *byte & 0x7f {
                    126 => Place::Extended { left: 2, length: 0, key },
                    127 => Place::Extended { left: 8, length: 0, key },
                    length => rest(key, u64::from(length)),
                }
            }
            Place::Extended { left, length, key } => {
                let length = length << 8 | u64::from(*byte);
                match left.saturating_sub(1) {
                    0 => rest(key, length),
                    left => Place::Extended { left, length, key },
                }
            }
            Place::Rest { left } => rest(0, left.saturating_sub(1)),
        };
    }
}

/// The place before `key` and `length` further bytes of a frame.
fn rest(key: u64, length: u64) -> Place {
    match length.saturating_add(key) {
        0 => Place::Opcode,
        left => Place::Rest { left },
    }
}

impl<S: Read> Read for Disguise<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        buffer.iter_mut().take(count).for_each(|byte| self.step(byte));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame, whose key and payload hold nothing but `fill`.
    fn frame(first: u8, length: &[u8], payload: usize, fill: u8) -> Vec<u8> {
        let mut frame = vec![first];
        frame.extend(length);
        frame.extend([fill; 4]);
        frame.extend(std::iter::repeat_n(fill, payload));
        frame
    }

    /// The stream as it comes out when it comes in by `size` bytes, and the kinds.
    fn disguised(stream: &[u8], size: usize) -> (Vec<u8>, Vec<Kind>) {
        let kinds = RefCell::default();
        let mut disguise = Disguise::new(stream, &kinds);
        let (mut buffer, mut out) = (vec![0; size], Vec::new());
        loop {
            match disguise.read(&mut buffer).unwrap() {
                0 => return (out, kinds.into_inner().into()),
                count => out.extend(&buffer[..count]),
            }
        }
    }

    #[test]
    fn only_the_opcode_of_text_changes_however_the_stream_is_cut() {
        // Payload and key look like headers of text frames, so that a lost boundary shows.
        let frames = |text: u8| {
            [
                frame(0x80 | text, &[0x80], 0, 0x81),
                frame(text, &[0x83], 3, 0x81),
                frame(0x89, &[0x81], 1, 0x81),
                frame(0x80, &[0xfe, 1, 44], 300, 0x81),
                frame(0x82, &[0xff, 0, 0, 0, 0, 0, 1, 0, 1], 0x1_0001, 0x81),
                vec![0x80 | text, 0x01, 0x81],
                frame(0x80 | text, &[0x82], 2, 0x81),
            ]
            .concat()
        };
        let kinds = [Kind::Text, Kind::Text, Kind::Binary, Kind::Text, Kind::Text];
        for size in [1, 2, 3, 7, 4096, 1 << 20] {
            let (out, seen) = disguised(&frames(TEXT), size);
            assert!(out == frames(BINARY), "read by {size}");
            assert_eq!(seen, kinds, "read by {size}");
        }
    }
}
