//! UTF-8 that comes in pieces (RFC 6455 §8.1): a code point that a piece cuts is held back.

use core::str::{self, Utf8Error};

/// From this length on vectors are worth their beginning.
#[cfg(feature = "simdutf8")]
const LONG: usize = 64;

/// What `str::from_utf8` says, sooner.
#[inline]
pub(crate) fn validate(bytes: &[u8]) -> Result<&str, Utf8Error> {
    #[cfg(feature = "simdutf8")]
    if bytes.len() >= LONG
        && let Ok(text) = simdutf8::basic::from_utf8(bytes)
    {
        return Ok(text);
    }
    str::from_utf8(bytes)
}

/// The first bytes of a code point whose rest has not come: a proper prefix of a valid sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    bytes: [u8; 3],
    len: u8,
}

/// What the bytes after a [`Held`] prefix made of it.
pub(crate) enum Joined {
    /// A whole code point: its bytes and their number.
    Char([u8; 4], usize),
    /// Still a prefix, now longer.
    Partial,
    Invalid,
}

impl Held {
    pub(crate) const NOTHING: Self = Self { bytes: [0; 3], len: 0 };

    pub(crate) fn len(self) -> usize {
        usize::from(self.len)
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Holds back a prefix that `str::from_utf8` called incomplete: at most three bytes.
    pub(crate) fn hold(&mut self, prefix: &[u8]) {
        *self = Self::NOTHING;
        for (to, from) in self.bytes.iter_mut().zip(prefix) {
            *to = *from;
            self.len = self.len.saturating_add(1);
        }
    }

    /// How many bytes the code point misses.
    pub(crate) fn missing(self) -> usize {
        let [lead, ..] = self.bytes;
        let whole: usize = match lead {
            0xf0.. => 4,
            0xe0.. => 3,
            _ => 2,
        };
        whole.saturating_sub(self.len())
    }

    /// Adds `next`, at most [`missing`](Self::missing) bytes. Nothing is held afterwards, unless the
    /// result is [`Joined::Partial`].
    pub(crate) fn join(&mut self, next: &[u8]) -> Joined {
        let mut joined = [0; 4];
        let held = self.bytes.iter().take(self.len());
        for (to, from) in joined.iter_mut().zip(held.chain(next)) {
            *to = *from;
        }
        let len = self.len().saturating_add(next.len());
        *self = Self::NOTHING;
        let bytes = joined.get(..len).unwrap_or_default();
        match str::from_utf8(bytes) {
            Ok(_) => Joined::Char(joined, len),
            Err(error) if error.error_len().is_none() => {
                self.hold(bytes);
                Joined::Partial
            }
            Err(_) => Joined::Invalid,
        }
    }
}
