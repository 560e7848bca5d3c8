//! What the kernel takes for an echo and for a fan-out: a server that only does `recv` and `send`.
//!
//! It answers the opening handshake without looking at it. Of a connection's frames it reads the length of the
//! first, takes it that all are like it, and from then on counts: for so many bytes as came, it sends so
//! many as an echo of them has, whatever they are, to whom they came from, or on `/relay` to all others. A
//! server that does what is asked of it does this, and more.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a measurement, not a product"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use benches::{Result, raise_descriptor_limit};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const BUFFER: usize = 64 * 1024;
const MASKING_KEY: u64 = 4;
/// It fits the key that our clients send.
const RESPONSE: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Connection {
    socket: TcpStream,
    stage: Stage,
    /// Bytes that the kernel had no room for.
    owed: usize,
}

#[derive(Clone, Copy)]
enum Stage {
    /// The request has not come.
    Opening,
    /// It has, and no frame.
    Open { relay: bool },
    /// Frames of this size come, masked; so many bytes have.
    Counting { relay: bool, frame: u64, came: u64 },
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        while self.owed > 0 {
            match self.socket.write(&bytes[..bytes.len().min(self.owed)]) {
                Ok(n) => self.owed -= n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// How long an echo of so many bytes of masked frames is, each of this size.
fn echo(bytes: u64, frame: u64) -> u64 {
    bytes / frame * (frame - MASKING_KEY) + (bytes % frame).saturating_sub(MASKING_KEY)
}

/// The size of the masked frame that begins here (RFC 6455 §5.2).
fn frame(bytes: &[u8]) -> Option<u64> {
    Some(match bytes.get(1)? & 0x7f {
        126 => 8 + u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        127 => 14 + u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?),
        len => 6 + u64::from(len),
    })
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
}

impl Floor {
    fn run(mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let at = event.token().0;
                if event.is_writable()
                    && let Some(connection) = &mut self.connections[at]
                {
                    connection.send(&self.buffer)?;
                }
                if event.is_readable() && self.read(at).is_err() {
                    self.connections[at] = None;
                    self.free.push(at);
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(at), both)?;
            self.connections[at] = Some(Connection { socket, stage: Stage::Opening, owed: 0 });
        }
    }

    /// Reads what is there, and sends what it makes due.
    fn read(&mut self, at: usize) -> Result<()> {
        loop {
            let Some(connection) = &mut self.connections[at] else { return Ok(()) };
            let n = match connection.socket.read(&mut self.buffer) {
                Ok(0) => return Err("closed".into()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let (relay, frame, came) = match connection.stage {
                Stage::Counting { relay, frame, came } => (relay, frame, came),
                Stage::Open { relay } => (relay, frame(&self.buffer[..n]).ok_or("no header")?, 0),
                Stage::Opening => {
                    let relay = self.buffer.starts_with(b"GET /relay");
                    connection.stage = Stage::Open { relay };
                    connection.socket.write_all(RESPONSE)?;
                    continue;
                }
            };
            connection.stage = Stage::Counting { relay, frame, came: came + n as u64 };
            let due = usize::try_from(echo(came + n as u64, frame) - echo(came, frame))?;
            if relay {
                for (_, other) in
                    self.connections.iter_mut().enumerate().filter(|(to, _)| *to != at)
                {
                    if let Some(other) = other {
                        other.owed += due;
                        other.send(&self.buffer)?;
                    }
                }
            } else {
                connection.owed += due;
                connection.send(&self.buffer)?;
            }
            if n < self.buffer.len() {
                return Ok(());
            }
        }
    }
}

fn main() -> Result<()> {
    raise_descriptor_limit()?;
    let poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("ws://{}/", listener.local_addr()?);
    let (connections, free) = (Vec::new(), Vec::new());
    Floor { poll, listener, connections, free, buffer: vec![0; BUFFER] }.run()
}
