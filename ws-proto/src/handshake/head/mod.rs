//! The heads of requests and responses as raw bytes (RFC 9112).
//!
//! A [`HeadReader`] finds the end of a head as its bytes come in, in time linear in them however they
//! are sliced, and refuses it as soon as a limit is passed or an illegal byte is seen. [`request`] and
//! [`response`] then parse the complete head, once. A client that has no memory for a list of fields gives
//! the head to [`Pending::finish_head`](super::Pending::finish_head) instead.
//!
//! With the feature `httparse`, that crate parses the head and not this one. What is accepted and what it is
//! refused for is the same.
//!
//! ```
//! use ws_proto::handshake::head::{self, HeadReader};
//!
//! let mut reader = HeadReader::request();
//! let mut buffer = b"GET /chat HTTP/1.1\r\nHost: a.exam".to_vec();
//! assert_eq!(reader.end(&buffer), Ok(None));
//! buffer.extend(b"ple\r\n\r\n and the first frames");
//! let end = reader.end(&buffer)?.expect("the head is complete");
//! let request = head::request(&buffer[..end])?;
//! assert_eq!((request.method, request.target), ("GET", "/chat"));
//! assert_eq!(request.fields[0].value, b"a.example");
//! # Ok::<(), head::HeadError>(())
//! ```

mod error;
#[cfg(any(test, not(feature = "httparse")))]
pub(super) mod own;
#[cfg(all(test, feature = "httparse"))]
mod same;
#[cfg(feature = "httparse")]
mod with_httparse;

use heapless::Vec;

use super::Field;
pub use error::HeadError;
#[cfg(not(feature = "httparse"))]
use own as parser;
#[cfg(feature = "httparse")]
use with_httparse as parser;

/// The largest request target, in bytes.
pub const MAX_TARGET: usize = 8 * 1024;
/// The largest head, in bytes, its empty line included.
pub const MAX_HEAD: usize = 16 * 1024;
/// The most header fields.
pub const MAX_FIELDS: usize = 100;

/// Finds the end of a head in bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct HeadReader {
    seen: usize,
    at: At,
    /// Bytes of the request target so far.
    target: usize,
    /// Lines that have ended, without empty ones before the first.
    lines: usize,
    has_target: bool,
}

/// Where in the head the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    /// In the request's method.
    Method,
    Target,
    Line,
    /// Behind a CR, which ends an empty line or not.
    Cr {
        empty: bool,
    },
    End,
}

impl HeadReader {
    /// For the head of a request.
    #[must_use]
    pub const fn request() -> Self {
        Self { seen: 0, at: At::LineStart, target: 0, lines: 0, has_target: true }
    }

    /// For the head of a response.
    #[must_use]
    pub const fn response() -> Self {
        Self { seen: 0, at: At::LineStart, target: 0, lines: 0, has_target: false }
    }

    /// The length of the head, empty line included, once `bytes` hold all of it. `bytes` are all
    /// that have come, from the first; only those that are new are looked at.
    ///
    /// # Errors
    /// A limit is passed, or a byte is illegal. It is final.
    pub fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        for &byte in bytes.iter().skip(self.seen) {
            if self.at == At::End {
                break;
            }
            if self.seen == MAX_HEAD {
                return Err(HeadError::TooLong);
            }
            self.at = self.step(byte)?;
            self.seen = self.seen.saturating_add(1);
        }
        Ok((self.at == At::End).then_some(self.seen))
    }

    fn step(&mut self, byte: u8) -> Result<At, HeadError> {
        match (self.at, byte) {
            (At::Cr { empty: true }, b'\n') if self.lines > 0 => Ok(At::End),
            // An empty line before the first is skipped (RFC 9112 §2.2).
            (At::Cr { empty: true }, b'\n') => Ok(At::LineStart),
            (At::Cr { empty: false }, b'\n') => {
                self.lines = self.lines.saturating_add(1);
                Ok(At::LineStart)
            }
            (At::Cr { .. }, _) | (_, b'\n') => Err(HeadError::LineEnd),
            (at, b'\r') => Ok(At::Cr { empty: at == At::LineStart }),
            (_, 0..=8 | 11..=31 | 127) => Err(HeadError::Control),
            (At::LineStart, _) if self.lines > MAX_FIELDS => Err(HeadError::TooManyFields),
            (At::LineStart, _) if self.lines == 0 && self.has_target => Ok(At::Method),
            (At::Method, b' ') => Ok(At::Target),
            (At::Target, b' ') => Ok(At::Line),
            (At::Target, _) if self.target == MAX_TARGET => Err(HeadError::TargetTooLong),
            (At::Target, _) => {
                self.target = self.target.saturating_add(1);
                Ok(At::Target)
            }
            (At::Method, _) => Ok(At::Method),
            (At::LineStart | At::Line, _) => Ok(At::Line),
            (At::End, _) => Ok(At::End),
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead<'h, const N: usize = MAX_FIELDS> {
    /// The method, as it was sent.
    pub method: &'h str,
    /// The target, as it was sent: neither decoded nor split.
    pub target: &'h str,
    /// The minor version: 1 for HTTP/1.1.
    pub minor_version: u8,
    /// The header fields, in order.
    pub fields: Vec<Field<'h>, N>,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead<'h> {
    /// The status code: 0 to 999.
    pub status: u16,
    /// The header fields, in order.
    pub fields: Vec<Field<'h>, MAX_FIELDS>,
}

/// Parses the complete head of a request, of HTTP/1.0 or HTTP/1.1.
///
/// # Errors
/// [`HeadError::Version`] for any other version, [`HeadError::Incomplete`], or what is malformed.
pub fn request(head: &[u8]) -> Result<RequestHead<'_>, HeadError> {
    request_of(head)
}

/// [`request`], with at most `N` fields, 16 bytes each on a 32-bit device: for servers with little memory.
///
/// # Errors
/// As there; [`HeadError::TooManyFields`] beyond `N`.
pub fn request_of<const N: usize>(head: &[u8]) -> Result<RequestHead<'_, N>, HeadError> {
    parser::request(head)
}

/// Parses the complete head of a response, of HTTP/1.1 (RFC 6455 §4.1).
///
/// # Errors
/// [`HeadError::Version`] for any other version, [`HeadError::Incomplete`], or what is malformed.
pub fn response(head: &[u8]) -> Result<ResponseHead<'_>, HeadError> {
    parser::response(head)
}

/// Whether a word that should be an HTTP version is one, though another: `HTTP/` and a digit.
fn names_http(word: &[u8]) -> bool {
    word.strip_prefix(b"HTTP/").and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
}
