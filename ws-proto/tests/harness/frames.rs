//! Frames as bytes, written by hand and not by the crate under test.

use super::alloc::{vec, vec::Vec};
use super::{CLOSE, End, KEY};

/// The payload length of a header, in the form that is to be written, whether it is the right one
/// or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Len {
    Short(u8),
    Medium(u16),
    Long(u64),
}

impl Len {
    /// The one form that RFC 6455 §5.2 allows for this length.
    pub(crate) fn minimal(len: usize) -> Self {
        match len {
            0..=125 => Self::Short(len as u8),
            126..=65535 => Self::Medium(len as u16),
            _ => Self::Long(len as u64),
        }
    }
}

/// A header on its way to `to`: with the mask bit and a key if that is a server.
pub(crate) fn header(to: End, first: u8, len: Len) -> Vec<u8> {
    let mask = if to == End::Server { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match len {
        Len::Short(len) => bytes.push(mask | len),
        Len::Medium(len) => {
            bytes.push(mask | 126);
            bytes.extend(len.to_be_bytes());
        }
        Len::Long(len) => {
            bytes.push(mask | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    if to == End::Server {
        bytes.extend(KEY);
    }
    bytes
}

/// The payload as `to` expects it behind a [`header`].
pub(crate) fn masked(to: End, payload: &[u8]) -> Vec<u8> {
    match to {
        End::Client => payload.to_vec(),
        End::Server => {
            payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
        }
    }
}

/// A frame on its way to `to`. `first` is the header's first byte: FIN, RSV, opcode.
pub(crate) fn frame(to: End, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(to, first, Len::minimal(payload.len()));
    bytes.extend(masked(to, payload));
    bytes
}

pub(crate) fn close_frame(to: End, code: u16, reason: &str) -> Vec<u8> {
    frame(to, CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Both ends, each with a function that makes frames for it.
pub(crate) fn ends() -> impl Iterator<Item = (End, impl Fn(u8, &[u8]) -> Vec<u8>)> {
    End::BOTH.into_iter().map(|end| (end, move |first, payload: &[u8]| frame(end, first, payload)))
}
