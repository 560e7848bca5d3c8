//! What a worker has of the network: the socket that it listens on, and those of its connections.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;

use super::{Network, Quirks, State, first};
use crate::system::{Listener, Stream, System};

/// "Too many open files".
const EMFILE: i32 = 24;

/// The system of a worker.
pub(in crate::simulation) struct Simulated {
    pub(in crate::simulation) network: Network,
    pub(in crate::simulation) port: usize,
}

/// The socket that accepts a worker's connections.
pub(in crate::simulation) struct Door {
    network: Network,
    port: usize,
}

/// The socket of a connection, at the server.
pub(in crate::simulation) struct End {
    network: Network,
    number: usize,
}

/// A descriptor that is kept.
pub(in crate::simulation) struct Spare {
    network: Network,
    port: usize,
}

fn exhausted() -> io::Error {
    io::Error::from_raw_os_error(EMFILE)
}

impl Simulated {
    pub(in crate::simulation) fn door(&self) -> Door {
        self.network.lock().ports[self.port].is_open = true;
        Door { network: self.network.clone(), port: self.port }
    }
}

impl System for Simulated {
    type Stream = End;
    type Listener = Door;
    type Spare = Spare;

    fn watch(&self, stream: &mut End, token: usize) -> io::Result<()> {
        let mut state = self.network.lock();
        let connection = &mut state.connections[stream.number];
        (connection.token, connection.is_writable) = (Some(token), true);
        state.happened(stream.number);
        Ok(())
    }

    fn watch_listener(&self, listener: &mut Door, token: usize) -> io::Result<()> {
        self.network.lock().ports[listener.port].token = token;
        Ok(())
    }

    fn spare(&self) -> io::Result<Spare> {
        match &mut self.network.lock().ports[self.port].left {
            Some(0) => return Err(exhausted()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(Spare { network: self.network.clone(), port: self.port })
    }

    fn descriptors(&self) -> Option<u64> {
        None
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(left) = &mut self.network.lock().ports[self.port].left {
            *left += 1;
        }
    }
}

impl Listener<End> for Door {
    fn accept(&self) -> io::Result<End> {
        let mut state = self.network.lock();
        let port = &mut state.ports[self.port];
        if port.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        match &mut port.left {
            Some(0) => return Err(exhausted()),
            Some(left) => *left -= 1,
            None => {}
        }
        let Some(number) = port.backlog.pop_front() else {
            return Err(ErrorKind::WouldBlock.into());
        };
        port.open += 1;
        Ok(End { network: self.network.clone(), number })
    }

    fn is_local(&self) -> bool {
        false
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut state = self.network.lock();
        let State { connections, ports } = &mut *state;
        let port = &mut ports[self.port];
        port.is_open = false;
        for number in std::mem::take(&mut port.backlog) {
            (connections[number].is_open, connections[number].is_reset) = (false, true);
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "End({})", self.number)
    }
}

impl End {
    fn write<'b>(&self, len: usize, pieces: impl Iterator<Item = &'b [u8]>) -> io::Result<usize> {
        let mut state = self.network.lock();
        let connection = &mut state.connections[self.number];
        if connection.is_broken || connection.down.is_ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let Quirks { room, interrupted, short, refused, .. } = connection.quirks;
        if connection.quirks.chance(interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        let room = room.saturating_sub(connection.down.way.len());
        if connection.quirks.chance(refused) {
            connection.is_writable = true;
            state.happened(self.number);
            return Err(ErrorKind::WouldBlock.into());
        }
        connection.wants_room = room < len;
        if room == 0 && len > 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut n = room.min(len);
        if connection.quirks.chance(short) {
            n = connection.quirks.up_to(n).min(n);
        }
        let mut left = n;
        for piece in pieces {
            let taken = piece.len().min(left);
            connection.down.way.extend(&piece[..taken]);
            left -= taken;
        }
        Ok(n)
    }
}

impl Stream for End {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.network.lock();
        let connection = &mut state.connections[self.number];
        let Quirks { interrupted, meanwhile, .. } = connection.quirks;
        if connection.quirks.chance(interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        let pipe = &mut connection.up;
        if pipe.here.is_empty() && !buffer.is_empty() {
            return match (connection.is_broken, pipe.has_end) {
                (true, _) => Err(ErrorKind::ConnectionReset.into()),
                (false, true) => Ok(0),
                (false, false) => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let n = buffer.len().min(pipe.here.len());
        let mut rest = &mut buffer[..n];
        for piece in first(&pipe.here, n) {
            let (to, behind) = rest.split_at_mut(piece.len());
            to.copy_from_slice(piece);
            rest = behind;
        }
        pipe.here.drain(..n);
        if !pipe.way.is_empty() && connection.quirks.chance(meanwhile) {
            let more = connection.quirks.up_to(connection.up.way.len());
            connection.up.arrive(more);
            connection.is_readable = true;
            state.happened(self.number);
        }
        Ok(n)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes.len(), std::iter::once(bytes))
    }

    fn send_all(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        self.write(len, slices.iter().map(|slice| &**slice))
    }

    fn finish(&self) -> io::Result<()> {
        let mut state = self.network.lock();
        let connection = &mut state.connections[self.number];
        if connection.is_broken {
            return Err(ErrorKind::NotConnected.into());
        }
        connection.down.is_ended = true;
        Ok(())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        let connection = &self.network.lock().connections[self.number];
        match connection.is_broken {
            true => Err(ErrorKind::NotConnected.into()),
            false => Ok(connection.address),
        }
    }

    fn descriptor(&self) -> RawFd {
        0
    }

    fn hurry(&self) -> io::Result<()> {
        match self.network.lock().connections[self.number].is_broken {
            true => Err(ErrorKind::InvalidInput.into()),
            false => Ok(()),
        }
    }

    fn give_up_after(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.network.lock();
        let State { connections, ports } = &mut *state;
        let connection = &mut connections[self.number];
        let port = &mut ports[connection.port];
        port.open -= 1;
        if let Some(left) = &mut port.left {
            *left += 1;
        }
        connection.is_open = false;
        connection.down.is_ended = true;
        // What was not read breaks it off.
        connection.is_reset = !connection.up.here.is_empty();
    }
}
