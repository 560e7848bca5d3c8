//! The load generator: one thread, which knows beforehand every byte that it sends and that is due.

mod echo;
mod fanout;
mod frames;

pub use frames::Burst;

use std::hint::black_box;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};

use crate::Result;
use crate::point::{Mode, Point};

/// What is read at a time.
const BUFFER: usize = 256 * 1024;
/// For how long nothing may come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to check of that which comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every byte.
    Content,
    /// How many bytes there are: the server does not know what it sends.
    Length,
}

/// Connections that put one load on one server.
#[derive(Debug)]
pub struct Load(Kind);

#[derive(Debug)]
enum Kind {
    Echo(echo::Echo),
    FanOut(fanout::FanOut),
}

impl Load {
    /// Connects as the point says.
    pub fn open(address: &str, point: Point, check: Check) -> Result<Self> {
        Ok(Self(match point.mode {
            Mode::Echo => Kind::Echo(echo::Echo::open(address, point, check)?),
            Mode::FanOut => Kind::FanOut(fanout::FanOut::open(address, point, check)?),
        }))
    }

    /// Sends for so long, and waits for all that is due. How many messages came.
    pub fn run(&mut self, slice: Duration) -> Result<u64> {
        match &mut self.0 {
            Kind::Echo(echo) => echo.run(slice),
            Kind::FanOut(fan_out) => fan_out.run(slice),
        }
    }
}

fn register(
    poll: &Poll,
    address: &str,
    path: &str,
    token: Token,
    interest: Interest,
) -> Result<TcpStream> {
    let stream = crate::open(address, path, "")?;
    stream.set_nonblocking(true)?;
    let mut socket = TcpStream::from_std(stream);
    poll.registry().register(&mut socket, token, interest)?;
    Ok(socket)
}

/// Sends what the kernel takes of it; how much that is.
fn write(socket: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match socket.write(&bytes[sent..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sent)
}

/// How far a connection has got with what is due to it.
#[derive(Debug)]
struct Inbound {
    check: Check,
    received: usize,
}

impl Inbound {
    fn new(check: Check) -> Self {
        Self { check, received: 0 }
    }

    fn restart(&mut self) {
        self.received = 0;
    }

    /// Reads what is there. Whether the last of what is due was in it.
    fn read(&mut self, socket: &mut TcpStream, due: &[u8], buffer: &mut [u8]) -> Result<bool> {
        let before = self.received;
        // What fills the buffer may not have been all that is there.
        let mut n = buffer.len();
        while n == buffer.len() {
            n = match socket.read(buffer) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            let expected = due.get(self.received..self.received + n);
            let expected = expected.ok_or("the server has sent more than is due")?;
            // Compared whatever comes of it: it takes as much of the generator, and of the caches that it
            // shares with the server, for a server that does not know what it sends.
            let is_it = black_box(is_same(expected, &buffer[..n]));
            if self.check == Check::Content && !is_it {
                return Err("the server has sent something else than is due".into());
            }
            self.received += n;
        }
        Ok(self.received > before && self.received == due.len())
    }
}

/// Whether two pieces of the same length are the same, which takes as long if they are not.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream as Blocking};

    use super::{Check, Inbound, TcpStream};

    #[test]
    fn what_ends_where_the_buffer_ends_is_all_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Blocking::connect(listener.local_addr().unwrap()).unwrap();
        let (client, _) = listener.accept().unwrap();
        server.write_all(&[7; 6]).unwrap();
        // All six are there before the socket is one that does not wait.
        while client.peek(&mut [0; 6]).unwrap() < 6 {}
        client.set_nonblocking(true).unwrap();
        let (mut client, mut buffer) = (TcpStream::from_std(client), [0; 3]);

        let mut inbound = Inbound::new(Check::Content);
        assert!(inbound.read(&mut client, &[7; 6], &mut buffer).unwrap());
        assert!(!inbound.read(&mut client, &[7; 6], &mut buffer).unwrap(), "only once");
        inbound.restart();
        assert!(!inbound.read(&mut client, &[7; 6], &mut buffer).unwrap());
    }
}
