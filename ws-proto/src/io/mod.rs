//! Clients and servers over a byte stream of `embedded-io` or `embedded-io-async`, in memory that the
//! caller lends.
//!
//! A [`Socket`] (feature `embedded-io`, blocking) or an [`AsyncSocket`] (feature `embedded-io-async`) does the
//! opening handshake, answers pings, keeps the closing handshake, and hands out what comes in one of two ways:
//!
//! - [`read_message`](Socket::read_message): a whole message in a buffer of the caller's.
//! - [`receive`](Socket::receive): events as they come, in pieces that borrow the receive buffer, together with
//!   a [`Sender`] to answer with. So a message larger than every buffer streams through.
//!
//! ```
//! # #[cfg(feature = "embedded-io")] {
//! use ws_proto::io::{Buffers, Error, Received, Socket};
//! use ws_proto::{Config, Event, Message};
//! use ws_proto::handshake::Ask;
//!
//! /// Says hello, and echoes whatever comes until the server closes.
//! fn talk<S: embedded_io::Read + embedded_io::Write>(
//!     stream: S,
//!     nonce: [u8; 16],
//!     random: impl FnMut() -> [u8; 4],
//! ) -> Result<(), Error<S::Error>> {
//!     let (mut read, mut write) = ([0; 512], [0; 512]);
//!     let buffers = Buffers { read: &mut read, write: &mut write };
//!     let ask = Ask { host: "server.example", target: "/echo", ..Ask::default() };
//!     let mut socket = Socket::connect(stream, ask, nonce, random, Config::default(), buffers)?;
//!     socket.send("hello", true)?;
//!     loop {
//!         match socket.receive()? {
//!             Received::Event(Event::Text(part), mut sender) => sender.send(part.data, part.last)?,
//!             Received::Event(Event::Binary(part), mut sender) => sender.send(part.data, part.last)?,
//!             Received::Event(_, _) | Received::Nothing => {}
//!             Received::Closed(_) => return Ok(()),
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! # Buffers
//!
//! Neither bounds a message. The write buffer holds the opening request (or response), then one frame with its
//! header of at most 14 bytes, and at least [`MIN_WRITE`] bytes. The read buffer holds the head of the peer's
//! request or response, and is the most that a part can be; 256 bytes do for most servers' responses.
//!
//! # Time
//!
//! Nothing here reads a clock. [`tick`](Socket::tick) tells the peer's silence from its death by the caller's;
//! call it as often as deadlines shall be kept, with a stream whose reads end by themselves (a timeout that
//! gives an error leaves everything as it was) or that says when there is something to read.

#[cfg(feature = "embedded-io-async")]
mod asynchronous;
#[cfg(feature = "embedded-io")]
mod blocking;
mod error;
mod link;
mod opening;
mod out;

#[cfg(feature = "embedded-io-async")]
pub use asynchronous::{AsyncReceived, AsyncSender, AsyncSocket};
#[cfg(feature = "embedded-io")]
pub use blocking::{Received, Sender, Socket};
pub use error::Error;

/// The smallest write buffer, in bytes: a control frame of a client.
pub const MIN_WRITE: usize = 131;

/// The most header fields of a request that a server reads: 512 bytes of stack on a 32-bit device, during
/// the handshake.
pub const SERVER_FIELDS: usize = 32;

/// The memory that a socket works in.
#[derive(Debug)]
pub struct Buffers<'b> {
    /// What the peer has sent.
    pub read: &'b mut [u8],
    /// What the peer is to be sent: at least [`MIN_WRITE`] bytes.
    pub write: &'b mut [u8],
}
