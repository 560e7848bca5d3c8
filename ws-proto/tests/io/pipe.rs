//! A stream in memory: what is to be read is there from the start or made by a peer, what is written is kept.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_io::{Error as StreamError, ErrorKind, ErrorType, Read, Write};
use ws_proto::handshake::{Ask, Choice, Upgrade, head};
use ws_proto::{Client, Config, Connection, Event, Input, Scratch, Server};

/// A read of a stream on which nothing has come, and nothing will by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Idle;

impl core::fmt::Display for Idle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("idle")
    }
}

impl core::error::Error for Idle {}

impl StreamError for Idle {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

/// The other end: it is given what was written, and gives what there is to read.
type Peer = Box<dyn FnMut(Vec<u8>) -> Vec<u8>>;

/// Both ends' bytes, shared with the test.
#[derive(Clone)]
pub(crate) struct Pipe(Rc<RefCell<State>>);

pub(crate) struct State {
    /// What can be read.
    pub(crate) to_read: Vec<u8>,
    /// What has been written and not been taken.
    pub(crate) written: Vec<u8>,
    /// The most bytes that a call takes or gives.
    pub(crate) size: usize,
    /// Reads give no bytes when there are none, for the stream has ended.
    pub(crate) ended: bool,
    /// Every other call, of the asynchronous kind, is not ready at first.
    pub(crate) hesitates: bool,
    hesitated: bool,
    peer: Option<Peer>,
}

impl Pipe {
    pub(crate) fn new(size: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            to_read: Vec::new(),
            written: Vec::new(),
            size,
            ended: false,
            hesitates: false,
            hesitated: false,
            peer: None,
        })))
    }

    /// A pipe whose other end makes of what was written what there is to read.
    pub(crate) fn to(size: usize, peer: impl FnMut(Vec<u8>) -> Vec<u8> + 'static) -> Self {
        let pipe = Self::new(size);
        pipe.state(|state| state.peer = Some(Box::new(peer)));
        pipe
    }

    pub(crate) fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.0.borrow_mut())
    }

    pub(crate) fn push(&self, bytes: &[u8]) {
        self.state(|state| state.to_read.extend(bytes));
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        self.state(|state| core::mem::take(&mut state.written))
    }
}

impl core::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Pipe")
    }
}

impl State {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Idle> {
        if self.to_read.is_empty()
            && let Some(peer) = &mut self.peer
        {
            self.to_read = peer(core::mem::take(&mut self.written));
        }
        let n = self.size.min(buffer.len()).min(self.to_read.len());
        assert_ne!(buffer.len(), 0, "a read into nothing");
        if n == 0 {
            return if self.ended { Ok(0) } else { Err(Idle) };
        }
        buffer[..n].copy_from_slice(&self.to_read[..n]);
        self.to_read.drain(..n);
        Ok(n)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let n = self.size.min(bytes.len());
        self.written.extend(&bytes[..n]);
        n
    }

    fn hesitate(&mut self) -> bool {
        self.hesitated = self.hesitates && !self.hesitated;
        self.hesitated
    }
}

impl ErrorType for Pipe {
    type Error = Idle;
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Idle> {
        self.state(|state| state.read(buffer))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Idle> {
        Ok(self.state(|state| state.write(bytes)))
    }

    fn flush(&mut self) -> Result<(), Idle> {
        Ok(())
    }
}

impl embedded_io_async::Read for Pipe {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Idle> {
        self.ready().await;
        self.state(|state| state.read(buffer))
    }
}

impl embedded_io_async::Write for Pipe {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Idle> {
        self.ready().await;
        Ok(self.state(|state| state.write(bytes)))
    }

    async fn flush(&mut self) -> Result<(), Idle> {
        self.ready().await;
        Ok(())
    }
}

impl Pipe {
    async fn ready(&self) {
        core::future::poll_fn(|_| match self.state(State::hesitate) {
            true => core::task::Poll::Pending,
            false => core::task::Poll::Ready(()),
        })
        .await;
    }
}

/// An echo server of the core, which answers a request first. Before its answer to the first frames, it pings.
pub(crate) fn echo_server() -> impl FnMut(Vec<u8>) -> Vec<u8> {
    let (mut came, mut conn) = (Vec::new(), None);
    move |bytes| {
        let mut out = Vec::new();
        came.extend(bytes);
        let mut bytes = came.clone();
        let Some(conn) = &mut conn else {
            let Ok(request) = head::request(&bytes) else { return out };
            assert_eq!(request.target, "/echo");
            let upgrade = Upgrade::parse(request.method, &request.fields).unwrap();
            let subprotocol = upgrade.choose(&["b"]);
            let agreed = upgrade.accept(Choice { subprotocol, ..Choice::default() }, &mut out);
            let mut server = Connection::new(Server, Config::default(), agreed.unwrap());
            server.ping(b"first", &mut out).unwrap();
            conn = Some(server);
            came.clear();
            return out;
        };
        came.clear();
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut bytes, &mut scratch);
        while let Some(event) = conn.next_event(&mut input).unwrap() {
            match event {
                Event::Text(part) => conn.send(part.data, part.last, &mut out).unwrap(),
                Event::Binary(part) => conn.send(part.data, part.last, &mut out).unwrap(),
                _ => conn.poll_transmit(&mut out).unwrap(),
            }
        }
        conn.poll_transmit(&mut out).unwrap();
        out
    }
}

pub(crate) const NONCE: [u8; 16] = *b"the sample nonce";

pub(crate) const fn ask<'a>() -> Ask<'a> {
    Ask { host: "a", target: "/echo", subprotocols: &["a", "b"], fields: &[] }
}

/// A masking key that is not all zeros.
pub(crate) fn key() -> [u8; 4] {
    [0x37, 0xfa, 0x21, 0x3d]
}

/// What a client has sent, read by the core.
pub(crate) fn events_of(mut bytes: Vec<u8>) -> Vec<String> {
    let agreed = ws_proto::handshake::Agreed::elsewhere();
    let mut server = Connection::new(Server, Config::default(), agreed);
    let (mut scratch, mut events) = (Scratch::new(), Vec::new());
    let mut input = Input::new(&mut bytes, &mut scratch);
    while let Some(event) = server.next_event(&mut input).unwrap() {
        events.push(format!("{event:?}"));
    }
    events
}

/// What a client of the core writes.
pub(crate) fn client_frames(
    write: impl FnOnce(&mut Connection<Client<fn() -> [u8; 4]>>, &mut Vec<u8>),
) -> Vec<u8> {
    let agreed = ws_proto::handshake::Agreed::elsewhere();
    let mut client = Connection::new(Client(key as fn() -> [u8; 4]), Config::default(), agreed);
    let mut out = Vec::new();
    write(&mut client, &mut out);
    out
}
