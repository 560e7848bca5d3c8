//! A server in this process, and a client of raw bytes that knows nothing of the code under test.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ws_mio_server::{Builder, Handle, Handler, Message, Peer, Server};

/// How long anything may take until the test has failed.
pub const LIMIT: Duration = Duration::from_secs(10);

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// Every message comes back to its sender.
#[derive(Clone)]
pub struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
    }
}

/// `/echo` on one worker. A closing handshake may take longer than any test: who waits for the end of
/// a stream gets it from the handshake, not from the deadline.
pub fn echo() -> Builder {
    Server::builder().workers(1).route("/echo", Echo).close_timeout(6 * LIMIT)
}

/// A server that runs, until it is dropped.
pub struct Running {
    pub address: SocketAddr,
    /// Where it speaks TLS, if it does.
    pub tls: Option<SocketAddr>,
    pub handle: Handle,
    ended: Receiver<()>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

/// Runs a server on any free port.
pub fn serve(builder: Builder) -> Running {
    let server = builder.bind("127.0.0.1:0").expect("bind");
    let (address, handle) = (server.local_addrs()[0], server.handle());
    let tls = server.tls_addrs().first().copied();
    let (send, ended) = channel();
    let thread = thread::spawn(move || {
        let result = server.run();
        drop(send);
        result
    });
    Running { address, tls, handle, ended, thread: Some(thread) }
}

impl Running {
    /// Waits for the end of the server, which someone must have told to stop.
    pub fn join(&mut self) {
        let ended = self.ended.recv_timeout(LIMIT);
        assert_eq!(ended, Err(RecvTimeoutError::Disconnected), "the server did not stop");
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a worker panicked").expect("the event loop failed");
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn open(&self, path: &str) -> Client {
        let mut client = self.connect();
        client.upgrade(path);
        client
    }

    /// Waits until no connection is left.
    pub fn until_empty(&self) {
        until("no connection is left", || self.handle.stats().connections == 0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
        if !thread::panicking() {
            self.join();
        }
    }
}

/// Waits for a condition, which is looked at again and again.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "waited too long until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A frame as the server sent it.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The first byte: FIN, reserved bits and opcode.
    pub start: u8,
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.payload[..self.payload.len().min(40)]);
        write!(f, "{:#x} {shown:?} ({} bytes)", self.start, self.payload.len())
    }
}

impl Frame {
    pub fn code(&self) -> u16 {
        assert_eq!(self.start, CLOSE, "a Close frame is due: {self:?}");
        self.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))
    }
}

/// A masked frame.
pub fn frame(start: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x5a, 0x00, 0xff, 0x31, 0x5a, 0x00, 0xff, 0x31];
    let mut bytes = vec![start];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(&key[..4]);
    let (words, rest) = payload.as_chunks();
    let key_word = u64::from_ne_bytes(key);
    for word in words {
        bytes.extend_from_slice(&(u64::from_ne_bytes(*word) ^ key_word).to_ne_bytes());
    }
    bytes.extend(rest.iter().zip(key).map(|(byte, key)| byte ^ key));
    bytes
}

/// A masked Close frame.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// The request that opens a connection.
pub fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A client of raw bytes, which blocks. Nothing it waits for may take longer than [`LIMIT`].
pub struct Client {
    pub stream: TcpStream,
    /// One read.
    chunk: Vec<u8>,
    /// What has come and was not looked at.
    buffer: Vec<u8>,
    /// How much of the buffer was looked at.
    used: usize,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect_timeout(&address, LIMIT).expect("connect"))
    }

    pub fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, chunk: vec![0; 256 * 1024], buffer: Vec::new(), used: 0 }
    }

    pub fn upgrade(&mut self, path: &str) {
        self.write(request(path).as_bytes());
        self.accepted();
    }

    /// Reads the head of a 101.
    pub fn accepted(&mut self) {
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        let accept = "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert!(head.contains(accept), "{head}");
        assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
        assert!(head.contains("\r\nConnection: Upgrade\r\n"), "{head}");
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("write");
    }

    pub fn send(&mut self, start: u8, payload: &[u8]) {
        self.write(&frame(start, payload));
    }

    /// Sends a text and waits for it to come back.
    pub fn echo(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
        self.expect(TEXT, text.as_bytes());
    }

    pub fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Breaks the connection off with a RST.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The next frame, or `None` at the end.
    pub fn next(&mut self) -> Option<Frame> {
        let start = match self.take(2, true)?[..] {
            [start, len @ 0..=125] => (start, u64::from(len)),
            [start, 126] => (start, u64::from(u16::from_be_bytes(self.array()))),
            [start, 127] => (start, u64::from_be_bytes(self.array())),
            ref masked => panic!("a server's frame is never masked: {masked:x?}"),
        };
        let (start, len) = start;
        let payload = self.take(usize::try_from(len).unwrap(), false)?;
        Some(Frame { start, payload })
    }

    pub fn frame(&mut self) -> Frame {
        self.next().expect("a frame is due, the stream ended")
    }

    pub fn expect(&mut self, start: u8, payload: &[u8]) {
        let frame = self.frame();
        let expected = Frame { start, payload: payload.to_vec() };
        assert!(frame == expected, "{frame:?} came, {expected:?} was due");
    }

    /// Waits for a Close frame with this code and the end of the stream right behind it.
    pub fn closed(&mut self, code: u16) {
        let frame = self.frame();
        assert_eq!(frame.code(), code, "{frame:?}");
        self.ended();
    }

    /// Waits for the end of the stream.
    pub fn ended(&mut self) {
        let more = self.next();
        assert!(more.is_none(), "{more:?} came instead of the end");
    }

    /// Whether the stream has ended or broken, whatever came before.
    pub fn is_gone(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let mut sink = [0; 4096];
        loop {
            match self.stream.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    /// Everything up to the end.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = self.buffer.split_off(self.used);
        if let Err(error) = self.stream.read_to_end(&mut rest) {
            panic!("{error} behind {:?}", String::from_utf8_lossy(&rest));
        }
        rest
    }

    /// A response's head, its empty line included.
    pub fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1, false).unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// The next so many bytes.
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        self.take(n, false).unwrap()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N, false).unwrap().try_into().unwrap()
    }

    /// The next `n` bytes; `None` if the stream has ended, where it may.
    fn take(&mut self, n: usize, may_end: bool) -> Option<Vec<u8>> {
        while self.buffer.len() - self.used < n {
            self.buffer.drain(..std::mem::take(&mut self.used));
            let read = self.stream.read(&mut self.chunk).expect("read");
            if read == 0 {
                assert!(may_end && self.buffer.is_empty(), "the stream ended inside of something");
                return None;
            }
            self.buffer.extend_from_slice(&self.chunk[..read]);
        }
        self.used += n;
        Some(self.buffer[self.used - n..self.used].to_vec())
    }
}
