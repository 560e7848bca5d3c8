//! The heads of requests and responses as raw bytes (RFC 9112), parsed by `httparse`.
//!
//! A [`HeadReader`] finds the end of a head as its bytes come in, in time linear in them however they
//! are sliced, and refuses it as soon as a limit is passed or an illegal byte is seen. [`request`] and
//! [`response`] then parse the complete head, once.
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

use core::fmt;

use heapless::Vec;

use super::Field;

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
#[derive(Clone, Debug)]
pub struct RequestHead<'h> {
    /// The method, as it was sent.
    pub method: &'h str,
    /// The target, as it was sent: neither decoded nor split.
    pub target: &'h str,
    /// The minor version: 1 for HTTP/1.1.
    pub minor_version: u8,
    /// The header fields, in order.
    pub fields: Vec<Field<'h>, MAX_FIELDS>,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead<'h> {
    /// The status code.
    pub status: u16,
    /// The header fields, in order.
    pub fields: Vec<Field<'h>, MAX_FIELDS>,
}

/// Parses the complete head of a request, of HTTP/1.0 or HTTP/1.1.
///
/// # Errors
/// [`HeadError::Version`] for any other version, [`HeadError::Incomplete`], or what is malformed.
pub fn request(head: &[u8]) -> Result<RequestHead<'_>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Incomplete),
        Err(error) => return Err(HeadError::of(error, head)),
    }
    let (Some(method), Some(target), Some(minor_version)) =
        (request.method, request.path, request.version)
    else {
        return Err(HeadError::Incomplete);
    };
    Ok(RequestHead { method, target, minor_version, fields: fields(request.headers) })
}

/// Parses the complete head of a response, of HTTP/1.1 (RFC 6455 §4.1).
///
/// # Errors
/// [`HeadError::Version`] for any other version, [`HeadError::Incomplete`], or what is malformed.
pub fn response(head: &[u8]) -> Result<ResponseHead<'_>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Incomplete),
        Err(error) => return Err(HeadError::of(error, head)),
    }
    let (Some(status), Some(1)) = (response.code, response.version) else {
        return Err(HeadError::Version);
    };
    Ok(ResponseHead { status, fields: fields(response.headers) })
}

fn fields<'h>(headers: &[httparse::Header<'h>]) -> Vec<Field<'h>, MAX_FIELDS> {
    headers.iter().map(|header| Field { name: header.name, value: header.value }).collect()
}

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The request target is over [`MAX_TARGET`].
    TargetTooLong,
    /// The head is over [`MAX_HEAD`].
    TooLong,
    /// There are more than [`MAX_FIELDS`] fields.
    TooManyFields,
    /// A CR without an LF, or an LF without a CR.
    LineEnd,
    /// A NUL or another control character.
    Control,
    /// An HTTP version that is not 1.0 or 1.1; for a response, not 1.1.
    Version,
    /// The first line is not a request line, or not a status line.
    FirstLine,
    /// A field's name is empty or not a token, white space stands before its colon, or a line is
    /// folded.
    FieldName,
    /// A field's value holds an illegal byte.
    FieldValue,
    /// The bytes end before the head does.
    Incomplete,
}

impl HeadError {
    /// The HTTP status that answers a request with such a head: 400, 414, 431 or 505.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::TooLong | Self::TooManyFields => 431,
            Self::Version => 505,
            _ => 400,
        }
    }

    fn of(error: httparse::Error, head: &[u8]) -> Self {
        match error {
            httparse::Error::HeaderName => Self::FieldName,
            httparse::Error::HeaderValue => Self::FieldValue,
            httparse::Error::NewLine => Self::LineEnd,
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Version if names_http(head) => Self::Version,
            httparse::Error::Version | httparse::Error::Status | httparse::Error::Token => {
                Self::FirstLine
            }
        }
    }
}

/// Whether the first line says `HTTP/` and a digit where the version stands, in a response as its
/// first word and in a request as its third: then only the version is wrong.
fn names_http(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|&b| b == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&b| b == b' ');
    [words.next(), words.nth(1)]
        .into_iter()
        .filter_map(|word| word?.strip_prefix(b"HTTP/"))
        .any(|version| version.first().is_some_and(u8::is_ascii_digit))
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetTooLong => write!(f, "the request target is over {MAX_TARGET} bytes"),
            Self::TooLong => write!(f, "the head is over {MAX_HEAD} bytes"),
            Self::TooManyFields => write!(f, "there are more than {MAX_FIELDS} header fields"),
            Self::LineEnd => f.write_str("lines must end with CR LF, and hold neither elsewhere"),
            Self::Control => f.write_str("control character in the head: is this HTTP?"),
            Self::Version => f.write_str("only HTTP/1.1 is spoken here"),
            Self::FirstLine => f.write_str("the first line is not HTTP/1.1"),
            Self::FieldName => f.write_str(
                "a header field's name is malformed: a token is due, a colon right behind it, no folding",
            ),
            Self::FieldValue => f.write_str("a header field's value has an illegal byte"),
            Self::Incomplete => f.write_str("the head is not complete"),
        }
    }
}

impl core::error::Error for HeadError {}
