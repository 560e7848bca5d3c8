//! A connection's bytes, with TLS or without.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use rustls::{ClientConnection, StreamOwned};
use ws_proto::keepalive::Instant;

use super::Url;
use crate::clock::{Clock, moment};

/// A socket whose calls fail when a moment has come.
pub(super) struct Timed {
    pub(super) socket: TcpStream,
    pub(super) clock: Clock,
    pub(super) deadline: Instant,
}

impl Timed {
    /// Tries all addresses of the host.
    pub(super) fn connect(url: &Url, clock: Clock, deadline: Instant) -> io::Result<Self> {
        let mut error = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in (url.host.as_str(), url.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, remaining(clock, deadline)?) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(Self { socket, clock, deadline });
                }
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }
}

/// A time of zero would mean: no limit.
fn remaining(clock: Clock, deadline: Instant) -> io::Result<Duration> {
    match deadline.since(moment(clock.running())) {
        Duration::ZERO => Err(io::Error::new(ErrorKind::TimedOut, "it took too long")),
        left => Ok(left),
    }
}

/// A socket says `WouldBlock` when its time is over.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, "it took too long"),
        _ => error,
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(remaining(self.clock, self.deadline)?))?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(remaining(self.clock, self.deadline)?))?;
        self.socket.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection while its handshakes are made, by calls that wait.
pub(super) enum Blocking {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Blocking {
    pub(super) fn stream(&mut self) -> &mut dyn Stream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream,
        }
    }

    /// The connection, with calls that never wait.
    pub(super) fn into_transport(self) -> io::Result<Transport> {
        let (Timed { socket, .. }, tls) = match self {
            Self::Plain(timed) => (timed, None),
            Self::Tls(stream) => {
                let (connection, timed) = stream.into_parts();
                (timed, Some(Box::new(connection)))
            }
        };
        socket.set_nonblocking(true)?;
        Ok(Transport { socket: mio::net::TcpStream::from_std(socket), tls })
    }
}

/// What a handshake needs of a connection.
pub(super) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A connection whose calls never wait: they fail with `WouldBlock`.
pub(super) struct Transport {
    socket: mio::net::TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Transport {
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // A peer that leaves without closing TLS is judged by whether it has closed WebSocket.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            if tls.read_tls(&mut self.socket)? > 0 {
                tls.process_new_packets().map_err(io::Error::other)?;
            }
        }
    }

    /// Takes as many of the bytes as it can now.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => {
                let taken = tls.writer().write(bytes)?;
                match self.flush() {
                    Err(error) if taken == 0 => Err(error),
                    Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
                    _ => Ok(taken),
                }
            }
        }
    }

    /// Sends what TLS still holds.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// Nothing more will be sent. A second call changes nothing.
    pub(super) fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        // The peer may be gone, and then need not be told.
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }
}
