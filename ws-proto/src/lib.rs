//! The WebSocket protocol (RFC 6455) for both roles, as a core that does no I/O.
//!
//! Bytes go in, events come out; messages go in, bytes come out. The crate opens no socket, reads no
//! clock, draws no entropy, allocates nothing and has no unsafe code, so the same core runs in
//! firmware and in a server with a million connections.
//!
//! | what you need | where it is |
//! |---|---|
//! | the opening handshake | [`handshake`] |
//! | frames, messages, pings, the closing handshake | [`Connection`] |
//! | whole messages from parts | [`Assembler`] |
//! | when to ping, when to give up | [`keepalive`] |
//! | all of it over a byte stream, in firmware | `io`, with the feature `embedded-io` |
//!
//! # A server over any byte stream
//!
//! ```
//! use ws_proto::handshake::{self, Choice, Upgrade};
//! use ws_proto::{Config, Connection, Event, Input, Message, Part, Scratch, Server};
//! # #[cfg(feature = "alloc")] {
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let head = b"GET /echo HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
//! #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
//! # let mut reads = [vec![0x81, 0x82, 0, 0, 0, 0, b'h', b'i'], vec![0x88, 0x80, 0, 0, 0, 0]].into_iter();
//! let mut to_send: Vec<u8> = Vec::new();
//! let request = handshake::head::request(head)?;
//! let agreed = Upgrade::parse(request.method, &request.fields)?.accept(Choice::default(), &mut to_send)?;
//! let mut conn = Connection::new(Server, Config::default(), agreed);
//! let mut scratch = Scratch::new();
//! while let Some(mut read) = reads.next() {
//!     let mut input = Input::new(&mut read, &mut scratch);
//!     loop {
//!         match conn.next_event(&mut input) {
//!             Ok(Some(Event::Text(part))) => conn.send(part.data, part.last, &mut to_send)?,
//!             Ok(Some(_)) => conn.poll_transmit(&mut to_send)?,
//!             Ok(None) => break,
//!             Err(error) => eprintln!("the peer broke the protocol: {error}"),
//!         }
//!     }
//!     conn.poll_transmit(&mut to_send)?;
//!     // Write `to_send` to the stream, and do what `conn.transport()` says.
//! }
//! # assert!(to_send.ends_with(b"\x81\x02hi\x88\x00"));
//! # Ok(()) }
//! # main().unwrap() }
//! ```
//!
//! # Features
//!
//! All are off by default, and none changes what another does.
//!
//! - `alloc`: `Vec<u8>` as a [`Sink`] and a [`Store`].
//! - `embedded-io`, `embedded-io-async`: `io`, sockets over byte streams in memory that the caller lends.
//! - `defmt`: `defmt::Format` for errors, states, settings and whole messages.
//! - `deflate`: [`deflate`], permessage-deflate (RFC 7692); with `alloc`.
//! - `httparse`: [`handshake::head`] has that crate parse heads, to the same result: faster where the target has
//!   vector instructions, larger in firmware.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod assemble;
mod close;
mod config;
mod connection;
#[cfg(feature = "deflate")]
pub mod deflate;
mod error;
mod event;
mod frame;
#[cfg(feature = "_fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod handshake;
mod input;
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
pub mod io;
pub mod keepalive;
pub mod mask;
mod reframe;
mod role;
mod sink;
mod utf8;

pub use assemble::Assembler;
pub use close::CloseCode;
pub use config::{Config, Pongs};
pub use connection::{Closed, Connection, Parked, State, Transport};
pub use error::{Error, Full, SendError};
pub use event::{Event, Framed, Kind, Message, Part};
pub use frame::Header;
pub use input::{Input, Scratch};
pub use role::{Client, KeyedClient, Role, Server};
pub use sink::{Sink, Slice, Store};
