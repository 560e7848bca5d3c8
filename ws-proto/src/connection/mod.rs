//! One WebSocket connection after its opening handshake.

mod closing;
mod controls;
#[cfg(feature = "deflate")]
mod inflate;
mod receive;
mod send;
#[cfg(test)]
mod states;
mod whole;

pub use closing::{Closed, State, Transport};

use crate::frame::{Control, Start};
use crate::handshake::Agreed;
use crate::role::Server;
use crate::utf8::Held;
use crate::{Config, Error, Kind, Pongs, Role};
use closing::{OwedClose, Phase};
use controls::Controls;

/// One WebSocket connection after its opening handshake: bytes in, [`Event`](crate::Event)s out;
/// messages in, bytes out. It never blocks, allocates, reads a clock or holds a pointer.
///
/// One loop serves it, in either role: give what was read to
/// [`next_event`](Self::next_event) until that returns `Ok(None)` or an error, send what
/// [`poll_transmit`](Self::poll_transmit) yields, do what [`transport`](Self::transport) says.
///
/// ```
/// use ws_proto::handshake::Agreed;
/// use ws_proto::{
///     Config, Connection, Event, Input, Part, Scratch, Server, Slice, Store, Transport,
/// };
///
/// let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
/// // A masked frame with the text "Hello", as in RFC 6455 §5.7.
/// let mut read = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut buffer = [0; 64];
/// let mut to_send = Slice::new(&mut buffer);
///
/// let mut scratch = Scratch::new();
/// let mut input = Input::new(&mut read, &mut scratch);
/// while let Some(event) = conn.next_event(&mut input)? {
///     if let Event::Text(Part { data, last, .. }) = event {
///         conn.send(data, last, &mut to_send)?;
///     }
/// }
/// conn.poll_transmit(&mut to_send)?;
/// assert_eq!(to_send.stored(), b"\x81\x05Hello");
/// assert_eq!(conn.transport(), Transport::Keep);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection<R> {
    role: R,
    rest: Rest,
    /// What is owed to the peer or cut by a read boundary; all empty while the connection rests.
    owed: OwedClose,
    /// A violation behind text that was handed out first; it is reported next.
    found: Option<Error>,
    controls: Controls,
}

/// What a connection remembers between reads when nothing is owed and no control frame is cut.
#[derive(Clone, Copy, Debug)]
struct Rest {
    max_message: u64,
    /// Payload bytes of the incoming message that headers have declared so far, or that have been
    /// inflated.
    message_len: u64,
    /// Payload bytes of the incoming frame that have not come; while a header comes in, its
    /// extended length so far.
    frame_left: u64,
    /// The masking key as it applies to the next byte.
    key: [u8; 4],
    held: Held,
    section: Section,
    /// The kind of the incoming message, from its first fragment's header to its last byte.
    receiving: Option<Kind>,
    /// Whether a part of that message has been handed out.
    started: bool,
    /// Whether the incoming message is, or the last one was, compressed.
    compressed: bool,
    /// The kind of an outgoing message whose last fragment has not been sent.
    sending: Option<Kind>,
    /// Whether that message is compressed.
    #[cfg(feature = "deflate")]
    sending_compressed: bool,
    /// Whether messages may be compressed.
    deflate: bool,
    phase: Phase,
    pongs: Pongs,
}

impl Rest {
    /// Whether messages may come compressed.
    const fn may_inflate(&self) -> bool {
        cfg!(feature = "deflate") && self.deflate
    }

    /// Whether the incoming message is compressed.
    const fn is_compressed(&self) -> bool {
        cfg!(feature = "deflate") && self.compressed
    }

    const fn payload_left(&self) -> u64 {
        match self.section {
            Section::Data { .. } if !self.is_compressed() && self.held.is_empty() => {
                self.frame_left
            }
            _ => 0,
        }
    }
}

/// Which part of a frame comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// The first header of a message, or one of a control frame before it: nothing of it has come.
    Message,
    /// The same inside a message.
    Fragment,
    /// A header of which one byte has come.
    SecondByte(u8),
    /// A header: its first two bytes have come, and that many further ones.
    HeaderRest(Start, u8),
    Data {
        kind: Kind,
        last: bool,
    },
    Control(Control),
    /// Nothing that counts: the closing handshake has begun, or the connection has failed.
    Discard,
}

impl<R: Role> Connection<R> {
    /// A connection whose opening handshake is `agreed`.
    #[must_use]
    pub const fn new(role: R, config: Config, agreed: Agreed) -> Self {
        #[cfg(feature = "deflate")]
        let deflate = agreed.deflate.is_some();
        #[cfg(not(feature = "deflate"))]
        let (deflate, Agreed { .. }) = (false, agreed);
        let rest = Rest {
            max_message: config.max_message,
            message_len: 0,
            frame_left: 0,
            key: [0; 4],
            held: Held::NOTHING,
            section: Section::Message,
            receiving: None,
            started: false,
            compressed: false,
            sending: None,
            #[cfg(feature = "deflate")]
            sending_compressed: false,
            deflate,
            phase: Phase::Open,
            pongs: config.pongs,
        };
        Self::resting(role, rest)
    }

    /// The role as it was given to [`new`](Self::new): a client's source of masking keys, to be given
    /// new entropy.
    pub const fn role_mut(&mut self) -> &mut R {
        &mut self.role
    }

    const fn resting(role: R, rest: Rest) -> Self {
        Self { role, rest, owed: OwedClose::Nothing, found: None, controls: Controls::nothing() }
    }
}

#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
impl<R: Role> Connection<R> {
    /// [`next_event`](Self::next_event) without its shortcut, which firmware has no room for, and of bytes that
    /// outlive the call's input.
    pub(crate) fn next_of<'i, 'b: 'i>(
        &mut self,
        bytes: &mut crate::input::Bytes<'b>,
        scratch: &'i mut crate::Scratch,
    ) -> Result<Option<crate::Event<'i>>, Error> {
        self.next(bytes, scratch, None)
    }

    /// Whether a violation is to be reported, though nothing need be left of the bytes.
    pub(crate) const fn has_found(&self) -> bool {
        self.found.is_some()
    }
}

impl Connection<Server> {
    /// A quarter of this connection's size, to keep while it is idle; `None` while something is owed
    /// to the peer or part of a control frame has come.
    ///
    /// A host with many connections keeps them parked and resumes one to serve its socket.
    #[must_use]
    pub fn park(&self) -> Option<Parked> {
        self.rests().then_some(Parked(self.rest))
    }

    #[inline(always)]
    fn rests(&self) -> bool {
        self.owed == OwedClose::Nothing && self.found.is_none() && self.controls.is_empty()
    }
}

/// A server's connection that has nothing to do: see [`Connection::park`].
#[derive(Clone, Copy, Debug)]
pub struct Parked(Rest);

impl Parked {
    /// How far the closing handshake is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.0.phase.state()
    }

    /// [`Connection::payload_left`], as it was.
    #[must_use]
    pub const fn payload_left(&self) -> u64 {
        self.0.payload_left()
    }

    /// Parks `connection` here, in place of what was, if it can be: see [`Connection::park`].
    // It is not copied but to here.
    #[inline(always)]
    #[must_use]
    pub fn renew(&mut self, connection: &Connection<Server>) -> bool {
        let rests = connection.rests();
        if rests {
            self.0 = connection.rest;
        }
        rests
    }

    /// The connection, as it was parked.
    #[must_use]
    pub const fn resume(self) -> Connection<Server> {
        Connection::resting(Server, self.0)
    }
}
