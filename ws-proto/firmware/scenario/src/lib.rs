//! What the firmware says to `ws-mio-server`, over whatever stream its board has. Each visit is a connection.
#![no_std]

mod pattern;

use core::fmt;

use embedded_io::{ErrorType, Read, Write};
use pattern::Pattern;
use ws_proto::handshake::Ask;
use ws_proto::io::{Buffers, Error, Received, Socket};
use ws_proto::{Client, CloseCode, Closed, Config, Event, Message};

/// Why a visit failed.
#[derive(Debug)]
pub enum Failure<E> {
    /// An error of the socket.
    Socket(Error<E>),
    /// The stream could not be opened, or not be ended.
    Stream(E),
    /// What was expected of the server did not come.
    Unexpected(&'static str),
}

impl<E: fmt::Debug> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => error.fmt(f),
            Self::Stream(error) => write!(f, "the stream failed: {error:?}"),
            Self::Unexpected(what) => write!(f, "{what} did not come"),
        }
    }
}

impl<E> From<Error<E>> for Failure<E> {
    fn from(error: Error<E>) -> Self {
        Self::Socket(error)
    }
}

/// Random numbers, from a seed: QEMU's boards have no source of entropy. A device has one, and must use it
/// (RFC 6455 §10.3).
#[derive(Debug)]
pub struct Random(u32);

impl Random {
    /// From a seed that is not 0.
    pub const fn new(seed: u32) -> Self {
        Self(seed | 1)
    }

    fn word(&mut self) -> [u8; 4] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.to_le_bytes()
    }

    fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        for word in nonce.as_chunks_mut().0 {
            *word = self.word();
        }
        nonce
    }
}

/// The request for a target that may stand behind a host's name.
fn request(target: &str) -> Ask<'_> {
    match target.split_at(target.find('/').unwrap_or(0)) {
        ("", target) => Ask { host: "ws.example", target, ..Ask::default() },
        (host, target) => Ask { host, target, ..Ask::default() },
    }
}

type Connected<'b, S, M> = Result<Socket<'b, S, Client<M>>, Error<<S as ErrorType>::Error>>;

/// Connects to `target`.
fn connect<'b, S: Read + Write>(
    stream: S,
    target: &'b str,
    random: &'b mut Random,
    buffers: Buffers<'b>,
) -> Connected<'b, S, impl FnMut() -> [u8; 4] + 'b> {
    let ask = request(target);
    let nonce = random.nonce();
    Socket::connect(stream, ask, nonce, || random.word(), Config::default(), buffers)
}

/// Visits an echo: text, binary, a message of `long` bytes, pings both ways, and the closing handshake. Its buffers
/// are of 512 bytes.
///
/// # Errors
/// What went wrong.
pub fn echo<S: Read + Write>(
    stream: S,
    target: &str,
    random: &mut Random,
    long: usize,
) -> Result<(), Failure<S::Error>> {
    let (mut read, mut write, mut whole) = ([0; 512], [0; 512], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket = connect(stream, target, random, buffers)?;

    let text = "gr\u{fc}\u{df}e, \u{4f60}\u{597d}, \u{1f44b}";
    socket.send(text, true)?;
    expect(socket.read_message(&mut whole)? == Some(Message::Text(text)), "the text")?;
    socket.send(&[0, 1, 2, 0xff], true)?;
    let bytes = Message::Binary(&[0, 1, 2, 0xff]);
    expect(socket.read_message(&mut whole)? == Some(bytes), "the bytes")?;

    echo_long(&mut socket, long)?;

    socket.sender().ping(b"are you there")?;
    await_event(&mut socket, "the pong", |event| event == Event::Pong(b"are you there"))?;
    // The server gives up on a peer that does not answer, so the second ping shows that the first was.
    for _ in 0..2 {
        await_event(&mut socket, "a ping", |event| matches!(event, Event::Ping(_)))?;
    }
    goodbye(&mut socket)
}

/// Sends a long message in fragments and checks its echo as it comes.
fn echo_long<S: Read + Write, M: FnMut() -> [u8; 4]>(
    socket: &mut Socket<'_, S, Client<M>>,
    long: usize,
) -> Result<(), Failure<S::Error>> {
    let (mut sent, mut fragment) = (Pattern::default(), [0; 500]);
    while sent.len() < long {
        let len = fragment.len().min(long - sent.len());
        let fragment = &mut fragment[..len];
        sent.fill(fragment);
        socket.send(&*fragment, sent.len() == long)?;
    }
    let mut come = Pattern::default();
    loop {
        match socket.receive()? {
            Received::Event(Event::Binary(part), _) => {
                expect(part.first == (come.len() == 0), "the start of the long message")?;
                expect(come.matches(part.data), "the long message's bytes")?;
                if part.last {
                    return expect(come.len() == long, "the long message's length");
                }
            }
            Received::Event(Event::Ping(_), _) | Received::Nothing => {}
            _ => return Err(Failure::Unexpected("the long message")),
        }
    }
}

/// Joins a room and waits for a voice, which it answers. `joined` is called once it can be heard.
///
/// # Errors
/// What went wrong.
pub fn listen<S: Read + Write>(
    stream: S,
    target: &str,
    random: &mut Random,
    joined: impl FnOnce(),
) -> Result<(), Failure<S::Error>> {
    let (mut read, mut write, mut whole) = ([0; 512], [0; 256], [0; 64]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket = connect(stream, target, random, buffers)?;
    joined();
    let heard = socket.read_message(&mut whole)?;
    expect(heard == Some(Message::Text("is anyone there?")), "a voice in the room")?;
    socket.send("I am", true)?;
    goodbye(&mut socket)
}

/// Joins a room in which someone listens, speaks, and hears the answer.
///
/// # Errors
/// What went wrong.
pub fn speak<S: Read + Write>(
    stream: S,
    target: &str,
    random: &mut Random,
) -> Result<(), Failure<S::Error>> {
    let (mut read, mut write, mut whole) = ([0; 512], [0; 256], [0; 64]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket = connect(stream, target, random, buffers)?;
    socket.send("is anyone there?", true)?;
    expect(socket.read_message(&mut whole)? == Some(Message::Text("I am")), "an answer")?;
    goodbye(&mut socket)
}

/// Waits for one text message, which `show` is given.
///
/// # Errors
/// What went wrong.
pub fn ask<S: Read + Write>(
    stream: S,
    target: &str,
    random: &mut Random,
    show: impl FnOnce(&str),
) -> Result<(), Failure<S::Error>> {
    let (mut read, mut write, mut whole) = ([0; 512], [0; 256], [0; 64]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket = connect(stream, target, random, buffers)?;
    match socket.read_message(&mut whole)? {
        Some(Message::Text(text)) => show(text),
        _ => return Err(Failure::Unexpected("a text")),
    }
    Ok(())
}

/// Echoes whatever comes, as it comes, until the server is done: what a test suite asks of a client. How the
/// connection ends is for the suite to judge.
///
/// # Errors
/// There was no connection.
pub fn mirror<S: Read + Write>(
    stream: S,
    target: &str,
    random: &mut Random,
) -> Result<(), Failure<S::Error>> {
    let (mut read, mut write) = ([0; 4096], [0; 4096 + 14]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let ask = request(target);
    let nonce = random.nonce();
    let config = Config { max_message: 16 << 20, ..Config::default() };
    let mut socket = Socket::connect(stream, ask, nonce, || random.word(), config, buffers)?;
    loop {
        let sent = match socket.receive() {
            Ok(Received::Event(Event::Text(part), mut sender)) => sender.send(part.data, part.last),
            Ok(Received::Event(Event::Binary(part), mut sender)) => {
                sender.send(part.data, part.last)
            }
            Ok(Received::Event(..) | Received::Nothing) | Err(Error::Protocol(_)) => Ok(()),
            Ok(Received::Closed(_)) | Err(_) => return Ok(()),
        };
        if !matches!(sent, Ok(()) | Err(Error::Send(_))) {
            return Ok(());
        }
    }
}

fn await_event<S: Read + Write, M: FnMut() -> [u8; 4]>(
    socket: &mut Socket<'_, S, Client<M>>,
    what: &'static str,
    is_it: impl Fn(Event<'_>) -> bool,
) -> Result<(), Failure<S::Error>> {
    loop {
        match socket.receive()? {
            Received::Event(event, _) if is_it(event) => return Ok(()),
            Received::Event(Event::Ping(_), _) | Received::Nothing => {}
            _ => return Err(Failure::Unexpected(what)),
        }
    }
}

fn goodbye<S: Read + Write, M: FnMut() -> [u8; 4]>(
    socket: &mut Socket<'_, S, Client<M>>,
) -> Result<(), Failure<S::Error>> {
    socket.close(CloseCode::NORMAL, "done")?;
    await_event(socket, "the server's Close frame", |event| {
        matches!(event, Event::Close(Some(CloseCode::NORMAL), _))
    })?;
    match socket.receive()? {
        Received::Closed(Closed::Clean) => Ok(()),
        _ => Err(Failure::Unexpected("a clean end")),
    }
}

fn expect<E>(is_so: bool, what: &'static str) -> Result<(), Failure<E>> {
    if is_so { Ok(()) } else { Err(Failure::Unexpected(what)) }
}
