//! What can end a connection over a stream, or keep it from beginning.

use core::fmt;

use crate::handshake::head::HeadError;
use crate::handshake::{AcceptError, HandshakeError, Reject, RequestError};
use crate::{Full, SendError};

/// Why a call came to nothing. `E` is the stream's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E> {
    /// The stream failed. If it can go on (a timeout, a read that would block), so can the connection.
    Stream(E),
    /// The stream ended during the opening handshake, or takes no bytes.
    Ended,
    /// The request could not be made.
    Request(RequestError),
    /// The server refused, or its answer does not agree to the upgrade.
    Handshake(HandshakeError),
    /// A client's request is no HTTP/1.1; it has been answered.
    Head(HeadError),
    /// A client's request is no opening handshake, or was refused; it has been answered.
    Rejected(Option<Reject>),
    /// A client's request could not be accepted as was chosen.
    Accept(AcceptError),
    /// The peer broke the protocol. It has been told so.
    Protocol(crate::Error),
    /// A call that sends was wrong: see [`SendError`].
    Send(SendError),
    /// A buffer is too small: the read buffer for a head, the write buffer for a control frame, or that of a
    /// whole message for the message.
    Full,
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => write!(f, "the stream failed: {error:?}"),
            Self::Ended => f.write_str("the stream ended"),
            Self::Request(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::Head(error) => error.fmt(f),
            Self::Rejected(Some(reject)) => reject.fmt(f),
            Self::Rejected(None) => f.write_str("the application refused the request"),
            Self::Accept(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Full => f.write_str("a buffer is too small"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}

impl<E> From<HandshakeError> for Error<E> {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl<E> From<RequestError> for Error<E> {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl<E> From<SendError> for Error<E> {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl<E> From<Full> for Error<E> {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}
