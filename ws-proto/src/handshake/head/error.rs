//! Why a head is refused.

use core::fmt;

use super::{MAX_FIELDS, MAX_HEAD, MAX_TARGET};

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
