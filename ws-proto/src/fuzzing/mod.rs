//! The bodies of the fuzz targets in `fuzz/`: each takes what the fuzzer made up, and panics if an
//! oracle fails. Not a part of the crate's API.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an oracle that fails panics, and so may a bug in it"
)]

mod frames;
mod handshake;
mod heads;
mod inflate;
mod lists;
mod pair;
mod reference;
mod session;

use alloc::string::String;
use alloc::vec::Vec;

pub use frames::frames;
pub use handshake::{Asked, handshake};
pub use heads::{request_head, response_head};
pub use inflate::inflate;
pub use lists::{Wishes, lists};
pub use pair::{Op, pair};
pub use session::{Step, session};

use crate::{Event, Kind, Part};

/// An [`Event`] that owns its data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Data { kind: Kind, bytes: Vec<u8>, first: bool, last: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl Seen {
    fn of(event: Event<'_>) -> Self {
        let data = |kind, bytes: &[u8], first, last| {
            assert!(!bytes.is_empty() || last, "an empty part in the middle of a message");
            Self::Data { kind, bytes: bytes.to_vec(), first, last }
        };
        match event {
            Event::Text(Part { data: text, first, last }) => {
                data(Kind::Text, text.as_bytes(), first, last)
            }
            Event::Binary(Part { data: bytes, first, last }) => {
                data(Kind::Binary, bytes, first, last)
            }
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(code, reason) => Self::Close(code.map(Into::into), reason.into()),
        }
    }

    /// Appends what `event` tells.
    fn note(event: Event<'_>, log: &mut Vec<Self>) {
        let (same, more, last) = match &event {
            Event::Text(Part { data, first: false, last }) => (Kind::Text, data.as_bytes(), *last),
            Event::Binary(Part { data, first: false, last }) => (Kind::Binary, *data, *last),
            _ => return Self::of(event).push_to(log),
        };
        match log.last_mut() {
            // Most parts come here: they are copied but once.
            Some(Self::Data { kind, bytes, last: ended @ false, .. }) => {
                assert!(!more.is_empty() || last, "an empty part in the middle of a message");
                assert_eq!(*kind, same, "a message of two kinds");
                bytes.extend(more);
                *ended = last;
            }
            _ => Self::of(event).push_to(log),
        }
    }

    /// Appends `next`; parts of a message that come one right after the other become one, as where
    /// they are cut depends on the reads.
    fn push_to(self, log: &mut Vec<Self>) {
        match (log.last_mut(), self) {
            (
                Some(Self::Data { kind, bytes, last: ended @ false, .. }),
                Self::Data { kind: same, bytes: more, first: false, last },
            ) => {
                assert_eq!(*kind, same, "a message of two kinds");
                bytes.extend(more);
                *ended = last;
            }
            (_, next) => log.push(next),
        }
    }
}

/// Cuts `bytes` into reads of these sizes, again and again; 0 stands for 256, and no sizes for one read.
fn cut<'b>(bytes: &'b [u8], sizes: &[u8]) -> impl Iterator<Item = &'b [u8]> {
    let (mut rest, mut sizes) = (bytes, lengths(sizes));
    core::iter::from_fn(move || {
        let size = sizes.next().unwrap_or(usize::MAX).min(rest.len());
        let (read, behind) = rest.split_at(size);
        rest = behind;
        (!read.is_empty()).then_some(read)
    })
}

/// The same for bytes that may be changed.
fn cut_mut<'b>(bytes: &'b mut [u8], sizes: &[u8]) -> impl Iterator<Item = &'b mut [u8]> {
    let (mut rest, mut sizes) = (bytes, lengths(sizes));
    core::iter::from_fn(move || {
        let size = sizes.next().unwrap_or(usize::MAX).min(rest.len());
        let (read, behind) = core::mem::take(&mut rest).split_at_mut(size);
        rest = behind;
        (!read.is_empty()).then_some(read)
    })
}

fn lengths(sizes: &[u8]) -> impl Iterator<Item = usize> {
    sizes.iter().map(|&size| if size == 0 { 256 } else { usize::from(size) }).cycle()
}
