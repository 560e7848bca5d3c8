//! The opening handshake (RFC 6455 §4), over header fields that any HTTP parser may have read, or over
//! raw bytes with [`head`].
//!
//! A server makes an [`Upgrade`] of a request and accepts it; a client makes a [`Pending`] request
//! and finishes it with the answer. Both end with an [`Agreed`], which opens a
//! [`Connection`](crate::Connection).
//!
//! ```
//! use ws_proto::handshake::{Ask, Choice, Field, Pending, Upgrade};
//! use ws_proto::{Client, Config, Connection, Server, Slice, Store};
//!
//! // The client asks. The nonce is 16 random bytes.
//! let (mut buffer, nonce) = ([0; 512], *b"the sample nonce");
//! let mut request = Slice::new(&mut buffer);
//! let ask = Ask { host: "server.example", target: "/chat", ..Ask::default() };
//! let pending = Pending::request(ask, nonce, &mut request)?;
//! # assert!(request.stored().starts_with(b"GET /chat HTTP/1.1\r\nHost: server.example\r\n"));
//!
//! // The server reads the request with an HTTP parser and accepts it.
//! let fields = [
//!     Field::new("Host", "server.example"),
//!     Field::new("Upgrade", "websocket"),
//!     Field::new("Connection", "Upgrade"),
//!     Field::new("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
//!     Field::new("Sec-WebSocket-Version", "13"),
//! ];
//! let mut buffer = [0; 512];
//! let mut response = Slice::new(&mut buffer);
//! let agreed = Upgrade::parse("GET", &fields)?.accept(Choice::default(), &mut response)?;
//! let server = Connection::new(Server, Config::default(), agreed);
//!
//! // The client reads the response with an HTTP parser.
//! let fields = [
//!     Field::new("Upgrade", "websocket"),
//!     Field::new("Connection", "Upgrade"),
//!     Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
//! ];
//! let accepted = pending.finish(101, &fields)?;
//! let client = Connection::new(Client(|| [1, 2, 3, 4]), Config::default(), accepted.agreed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod base64;
pub(crate) mod client;
#[cfg(feature = "deflate")]
mod extension;
pub mod head;
mod header;
mod key;
mod response;
mod server;
mod sha1;

pub use client::{Accepted, Ask, HandshakeError, Pending, RequestError};
#[cfg(feature = "deflate")]
pub(crate) use extension::{Extension, extensions};
pub use header::Field;
pub use response::Response;
pub use server::{AcceptError, Choice, Reject, Upgrade};

/// What both ends have agreed in an opening handshake: the key that opens a
/// [`Connection`](crate::Connection).
#[derive(Debug)]
pub struct Agreed {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<crate::deflate::Agreement>,
    _private: (),
}

impl Agreed {
    /// For a handshake that other code has done, without extensions.
    #[must_use]
    pub const fn elsewhere() -> Self {
        Self {
            #[cfg(feature = "deflate")]
            deflate: None,
            _private: (),
        }
    }

    /// For a handshake that other code has done, with permessage-deflate.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(self, agreement: crate::deflate::Agreement) -> Self {
        Self { deflate: Some(agreement), ..self }
    }

    /// What was agreed for permessage-deflate, if it was agreed on.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(&self) -> Option<crate::deflate::Agreement> {
        self.deflate
    }
}
