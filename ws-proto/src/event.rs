//! What a peer's bytes mean.

use crate::CloseCode;

/// One step of what the peer said, borrowed from the [`Input`](crate::Input) of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'i> {
    /// A piece of a text message (RFC 6455 §5.6): always whole code points.
    Text(Part<'i, str>),
    /// A piece of a binary message (§5.6).
    Binary(Part<'i, [u8]>),
    /// A ping, of at most 125 bytes (§5.5.2).
    Ping(&'i [u8]),
    /// A pong, of at most 125 bytes, whether it answers a ping or not (§5.5.3).
    Pong(&'i [u8]),
    /// A Close frame: its status code, if it has one, and its reason (§5.5.1). No event follows.
    Close(Option<CloseCode>, &'i str),
}

/// A piece of a message, as much of it as one read held.
///
/// Fragments of the peer and reads of the caller don't show: the data of all parts from `first` to
/// `last`, one after the other, is the message. A part is empty only if it is the last.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'i, T: ?Sized> {
    /// The piece.
    pub data: &'i T,
    /// Whether the message starts here.
    pub first: bool,
    /// Whether the message ends here.
    pub last: bool,
}

impl<T: ?Sized> Clone for Part<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Part<'_, T> {}

/// The two kinds of messages (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A whole message, or a fragment to send, of either kind.
///
/// It is made from a `&str` or a `&[u8]` by `into`, so text that is not UTF-8 can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// A message from a client, within a frame as a server sends it: see
/// [`Connection::next_framed`](crate::Connection::next_framed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framed<'b> {
    /// The message, whose payload lies at the end of the frame.
    pub message: Message<'b>,
    /// The frame: a header, without a mask, and the payload.
    pub frame: &'b [u8],
}

impl<'a> Message<'a> {
    /// The kind.
    #[inline]
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The payload's bytes, of either kind.
    #[inline]
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a str> for Message<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}
