//! permessage-deflate (RFC 7692): messages that are compressed on the wire.
//!
//! Both ends agree on it in the opening handshake: a server by
//! [`Upgrade::accept_deflate`](crate::handshake::Upgrade::accept_deflate), a client by
//! [`Pending::request_deflate`](crate::handshake::Pending::request_deflate), each with its [`Settings`]. What they agreed on, [`Agreement`], makes an [`Inflater`] for
//! [`Connection::next_event_inflated`](crate::Connection::next_event_inflated) and a [`Deflater`] for
//! [`Connection::send_deflated`](crate::Connection::send_deflated).
//!
//! Their memory lies outside the connection, so that it can be a connection's own, or, without context
//! takeover, lent to one message and then to another connection's.
//!
//! # Memory
//!
//! [`Inflater::MEMORY`] and [`Deflater::memory`] tell what a pair takes that belongs to one connection. These are
//! resident bytes of 1,000 idle connections of a server with such pairs and default settings otherwise, each after
//! it had echoed 64 KiB of noise and 64 KiB of JSON, beside their sum:
//!
//! | window | level 1 | documented | | level 6 | documented | |
//! |---|---|---|---|---|---|---|
//! | 9 | 227,512 | 233,024 | −2.4 % | 219,505 | 224,832 | −2.4 % |
//! | 10 | 229,671 | 235,072 | −2.3 % | 221,565 | 226,880 | −2.3 % |
//! | 11 | 233,665 | 239,168 | −2.3 % | 225,731 | 230,976 | −2.3 % |
//! | 12 | 241,938 | 247,360 | −2.2 % | 233,828 | 239,168 | −2.2 % |
//! | 13 | 258,269 | 263,744 | −2.1 % | 250,233 | 255,552 | −2.1 % |
//! | 14 | 291,021 | 296,512 | −1.9 % | 283,378 | 288,320 | −1.7 % |
//! | 15 | 356,528 | 362,048 | −1.5 % | 349,356 | 353,856 | −1.3 % |
//!
//! (2026-11-21, `cargo build --release && cargo run --release -p benches --bin idle -- --deflate dedicated`, which
//! fails if one is wrong by more than 10 %.)
//!
//! ```
//! use ws_proto::deflate::{Agreement, Deflater, Inflater, Settings};
//! use ws_proto::handshake::Agreed;
//! use ws_proto::{Client, Config, Connection, Event, Input, Part, Scratch, Server};
//!
//! // As the opening handshake would have agreed.
//! let agreement = Agreement::default();
//! let agreed = || Agreed::elsewhere().with_deflate(agreement);
//! let mut client = Connection::new(Client(|| [1, 2, 3, 4]), Config::default(), agreed());
//! let mut server = Connection::new(Server, Config::default(), agreed());
//!
//! let mut deflater = Deflater::new(&Settings::default(), agreement.sent);
//! let (text, mut wire) = ("row, row, row your boat, ".repeat(40), Vec::new());
//! client.send_deflated(text.as_str(), true, &mut deflater, &mut wire)?;
//! assert!(wire.len() < 60);
//!
//! let mut inflater = Inflater::new(agreement.received);
//! let mut scratch = Scratch::new();
//! let mut input = Input::new(&mut wire, &mut scratch);
//! let event = server.next_event_inflated(&mut input, &mut inflater)?;
//! assert_eq!(event, Some(Event::Text(Part { data: &text, first: true, last: true })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod deflater;
mod inflater;
mod memory;
pub(crate) mod negotiate;

pub use deflater::Deflater;
pub(crate) use inflater::End;
pub use inflater::Inflater;
pub use memory::Memory;

/// The end of each message's compressed data, which does not go over the wire (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// How one end compresses, and what it asks of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How hard to compress: 0 (not at all) to 9; above that, as 9. Default: 6.
    pub level: u8,
    /// How much is compressed at a time, which takes memory: 1 to 9; beyond, the nearest. Default: 6, for
    /// more makes JSON of 16 KiB no smaller, and messages of less than 1 KiB slower.
    pub memory_level: u8,
    /// A message of fewer bytes goes uncompressed. Default: [`THRESHOLD`](Self::THRESHOLD), or
    /// [`TAKEOVER_THRESHOLD`](Self::TAKEOVER_THRESHOLD) with context takeover.
    pub threshold: Option<usize>,
    /// The most that this end's compressor will use.
    pub sent: Context,
    /// The most that the other end's compressor is asked to use.
    pub received: Context,
}

impl Settings {
    /// Bytes of the smallest message that is worth compressing by itself: JSON shrinks by a sixth from
    /// here on, and half of that size not at all, after the same effort.
    pub const THRESHOLD: usize = 256;
    /// Bytes of the smallest message that is worth compressing where it may refer to those before it.
    pub const TAKEOVER_THRESHOLD: usize = 32;

    const fn threshold_for(&self, context: Context) -> usize {
        match self.threshold {
            Some(bytes) => bytes,
            None if context.takeover => Self::TAKEOVER_THRESHOLD,
            None => Self::THRESHOLD,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let (sent, received) = (Context::default(), Context::default());
        Self { level: 6, memory_level: 6, threshold: None, sent, received }
    }
}

/// What the messages of one direction share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Context {
    /// How far back a message may refer.
    pub window: WindowBits,
    /// Whether a message may refer to those before it. It then is smaller, and both ends keep the
    /// window between messages.
    pub takeover: bool,
}

impl Default for Context {
    /// The largest window, taken over.
    fn default() -> Self {
        Self { window: WindowBits::MAX, takeover: true }
    }
}

/// The size of a window of 2^9 to 2^15 bytes, as the exponent.
///
/// RFC 7692 has 2^8, too, which compressors of the zlib family can't keep to: a peer that asks for it is
/// not promised it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 512 bytes.
    pub const MIN: Self = Self(9);
    /// 32 KiB.
    pub const MAX: Self = Self(15);

    /// The window of 2^`bits` bytes, if `bits` is 9 to 15.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            9..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The exponent.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// What both ends have agreed on, as one of them sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Agreement {
    /// The direction from this end.
    pub sent: Context,
    /// The direction to this end.
    pub received: Context,
}
