//! The server's side (RFC 6455 §4.2).

use core::fmt;

use super::header::{self, Once};
use super::response::{line, write_all};
use super::{Agreed, Field, Response, key};
use crate::{Full, Sink};

/// A request that has passed RFC 6455 §4.2.1 and waits to be accepted, or refused for a reason of the
/// caller's: unknown path, origin, credentials.
#[derive(Debug)]
pub struct Upgrade<'h> {
    fields: &'h [Field<'h>],
    accept: [u8; 28],
}

impl<'h> Upgrade<'h> {
    /// Checks a request. Its HTTP version, 1.1, and its target are the caller's to check.
    ///
    /// # Errors
    /// A [`Reject`], which knows its HTTP status.
    pub fn parse(method: &str, fields: &'h [Field<'h>]) -> Result<Self, Reject> {
        if !fields.iter().all(Field::is_legal) {
            return Err(Reject::IllegalField);
        }
        if !is_host(required(fields, "Host")?) {
            return Err(Reject::Invalid("Host"));
        }
        if method != "GET" {
            return Err(Reject::Method);
        }
        let upgrade = header::has_token(fields, "Upgrade", "websocket");
        let connection = header::has_token(fields, "Connection", "upgrade");
        // A proxy that does not pass an upgrade on drops these fields but not the others.
        let meant =
            |field: &Field<'_>| field.is("Sec-WebSocket-Key") || field.is("Sec-WebSocket-Version");
        match (upgrade, connection) {
            (true, true) => {}
            (false, _) if fields.iter().any(meant) => return Err(Reject::Missing("Upgrade")),
            (false, _) => return Err(Reject::NotAnUpgrade),
            (true, false) => return Err(Reject::Missing("Connection")),
        }
        if announces_body(fields)? {
            return Err(Reject::Body);
        }
        if required(fields, "Sec-WebSocket-Version")? != b"13" {
            return Err(Reject::Version);
        }
        let key = key::parse(required(fields, "Sec-WebSocket-Key")?);
        let key = key.ok_or(Reject::Invalid("Sec-WebSocket-Key"))?;
        if !header::elements(fields, PROTOCOL).all(header::is_token) {
            return Err(Reject::Invalid(PROTOCOL));
        }
        let mut accept = [0; 28];
        key::accept(&key, &mut accept);
        Ok(Self { fields, accept })
    }

    /// The subprotocols that the client offers, the one it would like best first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> {
        header::elements(self.fields, PROTOCOL).filter_map(|name| str::from_utf8(name).ok())
    }

    /// The first of `preferred` that the client offers.
    #[must_use]
    pub fn choose<'p>(&self, preferred: &[&'p str]) -> Option<&'p str> {
        preferred.iter().copied().find(|name| self.subprotocols().any(|offered| offered == *name))
    }

    /// Accepts with a 101 response. Frames that came behind the request are the connection's first.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing is appended then.
    pub fn accept(self, choice: Choice<'_>, out: &mut impl Sink) -> Result<Agreed, AcceptError> {
        self.accept_with(choice, "", out)?;
        Ok(Agreed::elsewhere())
    }

    /// [`accept`](Self::accept), with permessage-deflate if the client offers it in a way that the server
    /// can keep to: [`Agreed::deflate`] tells.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "deflate")]
    pub fn accept_deflate(
        self,
        choice: Choice<'_>,
        settings: &crate::deflate::Settings,
        out: &mut impl Sink,
    ) -> Result<Agreed, AcceptError> {
        use crate::deflate::negotiate::{self, value};
        let Some((params, agreement)) = negotiate::accept(self.fields, settings) else {
            return self.accept(choice, out);
        };
        self.accept_with(choice, &value(params), out)?;
        Ok(Agreed::elsewhere().with_deflate(agreement))
    }

    fn accept_with(
        self,
        choice: Choice<'_>,
        extension: &str,
        out: &mut impl Sink,
    ) -> Result<(), AcceptError> {
        if let Some(chosen) = choice.subprotocol
            && !self.subprotocols().any(|offered| offered == chosen)
        {
            return Err(AcceptError::NotOffered);
        }
        if !choice.fields.iter().all(|field| field.is_legal() && !field.is_of_handshake()) {
            return Err(AcceptError::IllegalField);
        }
        let head: [&[u8]; 3] = [
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
            &self.accept,
            b"\r\n",
        ];
        Ok(write_all(out, &|put| {
            head.into_iter().for_each(&mut *put);
            if let Some(name) = choice.subprotocol {
                line(&Field::new(PROTOCOL, name), put);
            }
            if !extension.is_empty() {
                line(&Field::new("Sec-WebSocket-Extensions", extension), put);
            }
            choice.fields.iter().for_each(|field| line(field, put));
            put(b"\r\n");
        })?)
    }
}

/// What a server answers beyond the mere acceptance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// The subprotocol, one of those offered.
    pub subprotocol: Option<&'a str>,
    /// Further fields of the response, cookies for example.
    pub fields: &'a [Field<'a>],
}

/// Why a request can't be accepted as it stands. The values name the header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reject {
    /// The method is not GET.
    Method,
    /// An ordinary request: it does not ask for an upgrade to WebSocket.
    NotAnUpgrade,
    /// `Sec-WebSocket-Version` is anything but 13.
    Version,
    /// A field, or the token in it that makes it an upgrade, is missing.
    Missing(&'static str),
    /// A field that must come once comes several times.
    Repeated(&'static str),
    /// A field's value is not what RFC 6455 asks for.
    Invalid(&'static str),
    /// A field's name is not a token, or its value holds a control character.
    IllegalField,
    /// The request announces a body.
    Body,
}

impl Reject {
    /// The HTTP status that answers the request: 400, 405 or 426.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::NotAnUpgrade | Self::Version => 426,
            _ => 400,
        }
    }

    /// The fields that the response must have: `Allow` with 405, the version that is spoken with 426.
    #[must_use]
    pub const fn fields(self) -> &'static [Field<'static>] {
        match self {
            Self::Method => const { &[Field::new("Allow", "GET")] },
            Self::NotAnUpgrade | Self::Version => {
                const { &[Field::new("Upgrade", "websocket"), Field::new("Sec-WebSocket-Version", "13")] }
            }
            _ => &[],
        }
    }

    /// Appends the complete response, a body of one readable line included.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; nothing is appended then.
    pub fn write(self, out: &mut impl Sink) -> Result<(), Full> {
        let mut body = heapless::String::<160>::new();
        // A line that is too long is cut; none is.
        let _ = fmt::write(&mut body, format_args!("{self}\n"));
        Response { status: self.status(), fields: self.fields(), body: body.as_bytes() }.write(out)
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("the method of a WebSocket handshake is GET"),
            Self::NotAnUpgrade => f.write_str(
                "this is a WebSocket endpoint: connect with a WebSocket client (ws:// or wss://)",
            ),
            Self::Version => f.write_str("only WebSocket version 13 (RFC 6455) is spoken here"),
            Self::Missing(name @ ("Upgrade" | "Connection")) => write!(
                f,
                "the {name} field must ask for the upgrade; a proxy on the way may have dropped it"
            ),
            Self::Missing(name) => write!(f, "the {name} field is missing"),
            Self::Repeated(name) => write!(f, "the {name} field must come once"),
            Self::Invalid("Sec-WebSocket-Key") => {
                f.write_str("the Sec-WebSocket-Key field must be 16 bytes in base64")
            }
            Self::Invalid(name) => write!(f, "the {name} field is malformed"),
            Self::IllegalField => f.write_str("a header field has an illegal name or value"),
            Self::Body => f.write_str("a WebSocket handshake has no body"),
        }
    }
}

impl core::error::Error for Reject {}

/// Why an [`Upgrade`] could not be accepted with a [`Choice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AcceptError {
    /// The sink has no room for the response.
    Full,
    /// The client did not offer the subprotocol (RFC 6455 §4.2.2).
    NotOffered,
    /// A further field has an illegal name or value, or is one that the handshake sets itself.
    IllegalField,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no room in the sink for the response",
            Self::NotOffered => "the chosen subprotocol was not offered",
            Self::IllegalField => {
                "a response field has an illegal name or value, or is the handshake's own"
            }
        })
    }
}

impl core::error::Error for AcceptError {}

impl From<Full> for AcceptError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

fn required<'h>(fields: &[Field<'h>], name: &'static str) -> Result<&'h [u8], Reject> {
    match header::once(fields, name) {
        Once::Missing => Err(Reject::Missing(name)),
        Once::Value(value) => Ok(value),
        Once::Repeated => Err(Reject::Repeated(name)),
    }
}

fn announces_body(fields: &[Field<'_>]) -> Result<bool, Reject> {
    let length = match header::once(fields, "Content-Length") {
        Once::Missing => &b"0"[..],
        Once::Value(value) => value,
        Once::Repeated => return Err(Reject::Repeated("Content-Length")),
    };
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(Reject::Invalid("Content-Length"));
    }
    Ok(length.iter().any(|&b| b != b'0') || fields.iter().any(|f| f.is("Transfer-Encoding")))
}

/// `host [":" port]` (RFC 9110 §7.2, RFC 3986 §3.2.2).
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|&b| b == b':') {
        Some(colon) if !value.ends_with(b"]") => value.split_at_checked(colon).unwrap_or_default(),
        _ => (value, &b""[..]),
    };
    let address = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    let name = |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(b);
    let host_is_valid = match host.strip_prefix(b"[").map(|host| host.strip_suffix(b"]")) {
        Some(literal) => literal.is_some_and(|l| !l.is_empty() && l.iter().all(address)),
        None => !host.is_empty() && host.iter().all(name),
    };
    let port = port.strip_prefix(b":").unwrap_or_default();
    host_is_valid && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn hosts() {
        for host in ["a", "a.example:80", "127.0.0.1:9001", "[::1]", "[::1]:9001", "a:", "x_y.z"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in
            ["", ":80", "a b", "a/b", "a:b", "[::1", "::1", "[]", "[::g]", "a@b", "a:123456"]
        {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
