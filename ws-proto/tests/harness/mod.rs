//! What the tests of connections share: frames as bytes, a sink, and a log of what a connection did.
#![allow(dead_code, unused_imports, reason = "each test crate uses a part of it")]

extern crate alloc;

mod frames;

pub(crate) use frames::{Len, close_frame, ends, frame, header, masked};

// What a crate without std has to say: microcontrollers replay the vectors too.
use alloc::{borrow::ToOwned, string::String, vec::Vec};
use ws_proto::{
    Client, Config, Connection, Error, Event, Full, Input, Part, Role, Scratch, Sink, State,
    Transport,
};

/// The masking key of every frame in the tests, as in RFC 6455 §5.7.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const CONT: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
pub(crate) const FIN: u8 = 0x80;

/// One end of a connection, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Server,
    Client,
}

impl End {
    pub(crate) const BOTH: [Self; 2] = [Self::Server, Self::Client];

    pub(crate) const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

pub(crate) type FixedKey = Client<fn() -> [u8; 4]>;

/// A client that masks every frame with [`KEY`].
pub(crate) fn client() -> FixedKey {
    Client(|| KEY)
}

/// A sink that takes what fits: the way to the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    pub(crate) capacity: usize,
}

impl Default for Wire {
    fn default() -> Self {
        Self::with_capacity(usize::MAX)
    }
}

impl Wire {
    pub(crate) const fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::new(), capacity }
    }

    /// Empties it.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }
}

impl Sink for Wire {
    fn room(&self) -> usize {
        self.capacity - self.bytes.len()
    }

    fn put(&mut self, head: &[u8], body: &[u8]) -> Result<&mut [u8], Full> {
        if self.room() < head.len() + body.len() {
            return Err(Full);
        }
        self.bytes.extend_from_slice(head);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        Ok(&mut self.bytes[start..])
    }
}

/// An [`Event`] that owns its data. Parts of one message that come one right after the other are
/// one, as where they are cut depends on the reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Text { data: String, first: bool, last: bool },
    Binary { data: Vec<u8>, first: bool, last: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl Got {
    /// A whole text message.
    pub(crate) fn text(data: &str) -> Self {
        Self::text_part(data, true, true)
    }

    pub(crate) fn text_part(data: &str, first: bool, last: bool) -> Self {
        Self::Text { data: data.to_owned(), first, last }
    }

    /// A whole binary message.
    pub(crate) fn binary(data: &[u8]) -> Self {
        Self::binary_part(data, true, true)
    }

    pub(crate) fn binary_part(data: &[u8], first: bool, last: bool) -> Self {
        Self::Binary { data: data.to_vec(), first, last }
    }

    pub(crate) fn ping(data: &[u8]) -> Self {
        Self::Ping(data.to_vec())
    }

    pub(crate) fn pong(data: &[u8]) -> Self {
        Self::Pong(data.to_vec())
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::Close(Some(code), reason.to_owned())
    }

    fn of(event: Event<'_>) -> Self {
        match event {
            Event::Text(Part { data, first, last }) => {
                assert!(!data.is_empty() || last, "an empty part in the middle of a message");
                Self::text_part(data, first, last)
            }
            Event::Binary(Part { data, first, last }) => {
                assert!(!data.is_empty() || last, "an empty part in the middle of a message");
                Self::binary_part(data, first, last)
            }
            Event::Ping(data) => Self::ping(data),
            Event::Pong(data) => Self::pong(data),
            Event::Close(code, reason) => Self::Close(code.map(Into::into), reason.to_owned()),
        }
    }
}

/// What a connection did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) got: Vec<Got>,
    pub(crate) error: Option<Error>,
    pub(crate) sent: Wire,
}

impl Log {
    pub(crate) fn push(&mut self, event: Event<'_>) {
        let next = Got::of(event);
        match (self.got.last_mut(), next) {
            (
                Some(Got::Text { data, last: ended @ false, .. }),
                Got::Text { data: more, first: false, last },
            ) => {
                data.push_str(&more);
                *ended = last;
            }
            (
                Some(Got::Binary { data, last: ended @ false, .. }),
                Got::Binary { data: more, first: false, last },
            ) => {
                data.extend(more);
                *ended = last;
            }
            (_, next) => self.got.push(next),
        }
    }
}

/// Gives `bytes` to `conn` in one read, as a host should: everything that is owed is sent after each
/// event, and after the read.
pub(crate) fn read<R: Role>(conn: &mut Connection<R>, bytes: &[u8], log: &mut Log) {
    let mut bytes = bytes.to_vec();
    // A frame takes two bytes at least, and a violation may stand behind the last event.
    let mut events_left = bytes.len() + 1;
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut bytes, &mut scratch);
    loop {
        match conn.next_event(&mut input) {
            Ok(Some(event)) => {
                events_left = events_left.checked_sub(1).expect("more events than bytes");
                log.push(event);
            }
            Ok(None) => break,
            Err(error) => {
                assert_eq!(log.error.replace(error), None, "a second error");
            }
        }
        let _ = conn.poll_transmit(&mut log.sent);
    }
    assert!(input.is_empty(), "`Ok(None)`, and {} bytes are left", input.len());
    let _ = conn.poll_transmit(&mut log.sent);
}

/// What a new connection does with `reads`, and how it ends.
pub(crate) fn replay<'r>(
    end: End,
    config: Config,
    reads: impl IntoIterator<Item = &'r [u8]>,
) -> (Log, State, Transport) {
    fn run<'r, R: Role>(
        mut conn: Connection<R>,
        reads: impl IntoIterator<Item = &'r [u8]>,
    ) -> (Log, State, Transport) {
        let mut log = Log::default();
        for bytes in reads {
            read(&mut conn, bytes, &mut log);
        }
        (log, conn.state(), conn.transport())
    }
    match end {
        End::Server => run(server_conn(config), reads),
        End::Client => run(client_conn(config), reads),
    }
}

pub(crate) fn server_conn(config: Config) -> Connection<ws_proto::Server> {
    Connection::new(ws_proto::Server, config, ws_proto::handshake::Agreed::elsewhere())
}

pub(crate) fn client_conn(config: Config) -> Connection<FixedKey> {
    Connection::new(client(), config, ws_proto::handshake::Agreed::elsewhere())
}

/// A limit for tests that are not about the limit.
pub(crate) fn limit(max_message: u64) -> Config {
    Config { max_message, ..Config::default() }
}
