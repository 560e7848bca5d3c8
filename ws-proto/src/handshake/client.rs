//! The client's side (RFC 6455 §4.1).

use core::fmt;

use super::answer::Answer;
use super::head::HeadError;
use super::response::{line, write_all};
use super::{Agreed, Field, header, key};
use crate::{Full, Sink};

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// `Host`: the server's name or address, with `:port` if that is not the scheme's own.
    pub host: &'a str,
    /// The request's target: a path that starts with `/`, and a query.
    pub target: &'a str,
    /// The subprotocols to offer, the one liked best first.
    pub subprotocols: &'a [&'a str],
    /// Further fields: `Origin`, `Authorization`, cookies.
    pub fields: &'a [Field<'a>],
}

impl Default for Ask<'_> {
    /// The target `/` on `localhost`.
    fn default() -> Self {
        Self { host: "localhost", target: "/", subprotocols: &[], fields: &[] }
    }
}

/// A request that waits for its 101.
#[derive(Debug)]
pub struct Pending<'a> {
    accept: [u8; 28],
    subprotocols: &'a [&'a str],
    #[cfg(feature = "deflate")]
    deflate: Option<crate::deflate::Settings>,
}

impl<'a> Pending<'a> {
    /// Appends the request. `nonce` is 16 bytes of entropy, new for each connection (§4.1).
    ///
    /// # Errors
    /// [`RequestError`]; nothing is appended then.
    pub fn request(
        ask: Ask<'a>,
        nonce: [u8; 16],
        out: &mut impl Sink,
    ) -> Result<Self, RequestError> {
        write(ask, "", nonce, out)?;
        let mut pending = Self::of_proof([0; 28], ask.subprotocols);
        pending.await_proof(nonce);
        Ok(pending)
    }

    /// Makes it wait for the answer to a request with this nonce.
    pub(crate) fn await_proof(&mut self, nonce: [u8; 16]) {
        let mut key = [0; 24];
        key::encode(&nonce, &mut key);
        key::accept(&key, &mut self.accept);
    }

    /// [`request`](Self::request), with an offer of permessage-deflate.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "deflate")]
    pub fn request_deflate(
        ask: Ask<'a>,
        settings: crate::deflate::Settings,
        nonce: [u8; 16],
        out: &mut impl Sink,
    ) -> Result<Self, RequestError> {
        use crate::deflate::negotiate::{Params, value};
        write(ask, &value(Params::offer(&settings)), nonce, out)?;
        let mut pending = Self::of_proof([0; 28], ask.subprotocols);
        pending.await_proof(nonce);
        Ok(Self { deflate: Some(settings), ..pending })
    }

    /// What the answer must prove, to be kept where this can't be, as it borrows the subprotocols.
    #[must_use]
    pub const fn proof(&self) -> [u8; 28] {
        self.accept
    }

    /// The request that waits for an answer with this [`proof`](Self::proof), and that offered these
    /// subprotocols and no extension.
    #[must_use]
    pub const fn of_proof(proof: [u8; 28], subprotocols: &'a [&'a str]) -> Self {
        Self {
            accept: proof,
            subprotocols,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Checks the response. Bytes behind its head are the connection's first frames.
    ///
    /// # Errors
    /// [`HandshakeError`]: the server refused, or did not answer as RFC 6455 §4.1 asks it to.
    pub fn finish<'h>(
        self,
        status: u16,
        fields: &[Field<'h>],
    ) -> Result<Accepted<'h>, HandshakeError> {
        self.judge_fields(status, fields)
    }

    fn judge_fields<'h>(
        &self,
        status: u16,
        fields: &[Field<'h>],
    ) -> Result<Accepted<'h>, HandshakeError> {
        let mut answer = Answer::default();
        for field in fields {
            answer.add(field);
        }
        #[cfg(feature = "deflate")]
        let agreed = self.extensions(fields);
        #[cfg(not(feature = "deflate"))]
        let agreed = answer.without_extensions();
        self.judge(status, &answer, agreed)
    }

    /// [`finish`](Self::finish) with the complete head of the response as
    /// [`HeadReader::end`](super::head::HeadReader::end) has found it, and without a list of its fields.
    ///
    /// # Errors
    /// As there, and [`HandshakeError::Head`].
    pub fn finish_head(self, head: &[u8]) -> Result<Accepted<'_>, HandshakeError> {
        self.judge_head(head)
    }

    /// [`finish_head`](Self::finish_head), where this is not moved.
    pub(crate) fn judge_head<'h>(&self, head: &'h [u8]) -> Result<Accepted<'h>, HandshakeError> {
        #[cfg(any(feature = "httparse", feature = "deflate"))]
        {
            let head = super::head::response(head)?;
            self.judge_fields(head.status, &head.fields)
        }
        #[cfg(not(any(feature = "httparse", feature = "deflate")))]
        {
            let (status, mut lines) = super::head::own::status(head)?;
            let mut answer = Answer::default();
            while let Some(field) = lines.field()? {
                answer.add(&field);
            }
            self.judge(status, &answer, answer.without_extensions())
        }
    }

    fn judge<'h>(
        &self,
        status: u16,
        answer: &Answer<'h>,
        agreed: Result<Agreed, HandshakeError>,
    ) -> Result<Accepted<'h>, HandshakeError> {
        if status != 101 {
            return Err(HandshakeError::Status(status));
        }
        answer.proves(&self.accept)?;
        Ok(Accepted { agreed: agreed?, subprotocol: answer.subprotocol(self.subprotocols)? })
    }

    #[cfg(feature = "deflate")]
    fn extensions(&self, fields: &[Field<'_>]) -> Result<Agreed, HandshakeError> {
        let agreed = Agreed::elsewhere();
        match crate::deflate::negotiate::finish(fields, self.deflate.as_ref()) {
            Ok(Some(agreement)) => Ok(agreed.with_deflate(agreement)),
            Ok(None) => Ok(agreed),
            Err(_) => Err(HandshakeError::Extension),
        }
    }
}

/// Appends the request.
pub(crate) fn write(
    ask: Ask<'_>,
    extension: &str,
    nonce: [u8; 16],
    out: &mut impl Sink,
) -> Result<(), RequestError> {
    let visible = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if ask.host.is_empty() || !visible(ask.host) {
        return Err(RequestError::Host);
    }
    let fragment = ask.target.bytes().any(|b| b == b'#');
    if !ask.target.starts_with('/') || !visible(ask.target) || fragment {
        return Err(RequestError::Target);
    }
    let mut subprotocols = ask.subprotocols;
    while let [name, rest @ ..] = subprotocols {
        if !header::is_token(name.as_bytes()) || rest.contains(name) {
            return Err(RequestError::Subprotocol);
        }
        subprotocols = rest;
    }
    if !ask.fields.iter().all(|field| field.is_legal() && !field.is_of_handshake()) {
        return Err(RequestError::Field);
    }
    let mut key = [0; 24];
    key::encode(&nonce, &mut key);
    write_all(out, &|put| {
        put(b"GET ");
        put(ask.target.as_bytes());
        put(b" HTTP/1.1\r\nHost: ");
        put(ask.host.as_bytes());
        put(b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: ");
        put(&key);
        put(b"\r\n");
        let mut before = "Sec-WebSocket-Protocol: ";
        for name in ask.subprotocols {
            put(before.as_bytes());
            put(name.as_bytes());
            before = ", ";
        }
        if !ask.subprotocols.is_empty() {
            put(b"\r\n");
        }
        if cfg!(feature = "deflate") && !extension.is_empty() {
            line(&Field::new("Sec-WebSocket-Extensions", extension), put);
        }
        ask.fields.iter().for_each(|field| line(field, put));
        put(b"\r\n");
    })?;
    Ok(())
}

/// A handshake that the server has accepted.
#[derive(Debug)]
pub struct Accepted<'h> {
    /// What opens the [`Connection`](crate::Connection).
    pub agreed: Agreed,
    /// The subprotocol that the server chose, one of those offered.
    pub subprotocol: Option<&'h str>,
}

/// What is wrong with an [`Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// The sink has no room for the request.
    Full,
    /// The host is empty or holds white space or control characters.
    Host,
    /// The target does not start with `/`, has a fragment, or holds other than visible ASCII.
    Target,
    /// A subprotocol is not a token, or is there twice (RFC 6455 §4.1).
    Subprotocol,
    /// A further field has an illegal name or value, or is one that the handshake sets itself.
    Field,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no room in the sink for the request",
            Self::Host => "the host must be visible ASCII and not empty",
            Self::Target => "the target must start with `/` and be visible ASCII without `#`",
            Self::Subprotocol => "subprotocols must be tokens, each offered once",
            Self::Field => {
                "a request field has an illegal name or value, or is the handshake's own"
            }
        })
    }
}

impl core::error::Error for RequestError {}

impl From<Full> for RequestError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// Why a server's answer opens no connection. The values name the header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head of the answer is malformed.
    Head(HeadError),
    /// The status is not 101.
    Status(u16),
    /// A field, or the token that it must have, is missing.
    Missing(&'static str),
    /// A field that must come once comes several times.
    Repeated(&'static str),
    /// `Sec-WebSocket-Accept` does not answer this request's key.
    Accept,
    /// The server chose a subprotocol that was not offered.
    Subprotocol,
    /// The server chose an extension, or a parameter of one, that was not offered.
    Extension,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "the server's answer is malformed: {error}"),
            Self::Status(status) => write!(f, "the server answered {status}, not 101"),
            Self::Missing(name) => write!(f, "the {name} field does not agree to the upgrade"),
            Self::Repeated(name) => write!(f, "the {name} field comes more than once"),
            Self::Accept => f.write_str("Sec-WebSocket-Accept does not match the request's key"),
            Self::Subprotocol => f.write_str("the server chose a subprotocol that was not offered"),
            Self::Extension => f.write_str("the server chose an extension that was not offered"),
        }
    }
}

impl core::error::Error for HandshakeError {}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}
