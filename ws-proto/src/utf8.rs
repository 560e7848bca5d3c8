//! UTF-8 that comes in pieces (RFC 6455 §8.1): a code point that a piece cuts is held back.

use core::str::{self, Utf8Error};

use crate::sink;

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

    /// What is held and `next`, at most [`missing`](Self::missing) bytes: together, and how many bytes that is.
    pub(crate) fn join(self, next: &[u8]) -> ([u8; 4], usize) {
        let Self { bytes: [a, b, c], .. } = self;
        let mut joined = [a, b, c, 0];
        sink::copy(joined.get_mut(self.len()..).unwrap_or_default(), next);
        (joined, self.len().saturating_add(next.len()))
    }
}
