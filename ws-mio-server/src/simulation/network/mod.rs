//! A network in memory, byte by byte: sockets of servers at one end of each connection, and at the other whoever has
//! the network in hand. Nothing moves by itself, and the edges of readiness are those of `epoll`.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::system::Happened;

mod quirks;
mod sockets;

pub use quirks::Quirks;
pub(super) use sockets::Simulated;

/// A network; clones are the same.
#[derive(Clone, Default)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    connections: Vec<Connection>,
    ports: Vec<Port>,
}

/// What a worker listens on.
#[derive(Default)]
struct Port {
    is_open: bool,
    token: usize,
    is_ready: bool,
    backlog: VecDeque<usize>,
    /// Connections that something has happened to.
    ready: Vec<usize>,
    /// How many descriptors are left, if they are short.
    left: Option<usize>,
    /// Sockets that the worker has.
    open: usize,
}

struct Connection {
    port: usize,
    address: SocketAddr,
    up: Pipe,
    down: Pipe,
    token: Option<usize>,
    is_ready: bool,
    is_readable: bool,
    is_writable: bool,
    is_over: bool,
    /// The server was told that there is no room, and is to be told when there is.
    wants_room: bool,
    /// The server has its socket, or may still get it.
    is_open: bool,
    /// The connection is reset, as the server will find out.
    is_broken: bool,
    /// The server has reset it, as the client will find out.
    is_reset: bool,
    quirks: Quirks,
}

#[derive(Default)]
struct Pipe {
    /// What is on its way.
    way: VecDeque<u8>,
    /// What is there, and was not read.
    here: VecDeque<u8>,
    /// The sender is done.
    is_ended: bool,
    /// The receiver knows.
    has_end: bool,
}

/// The first `n` bytes of a queue, in two pieces.
fn first(queue: &VecDeque<u8>, n: usize) -> [&[u8]; 2] {
    let (one, other) = queue.as_slices();
    let of_one = n.min(one.len());
    [&one[..of_one], &other[..n - of_one]]
}

impl Pipe {
    /// So many bytes have come all the way.
    fn arrive(&mut self, n: usize) {
        for piece in first(&self.way, n) {
            self.here.extend(piece);
        }
        self.way.drain(..n);
    }
}

/// What a client gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Bytes.
    pub bytes: Vec<u8>,
    /// The server sends nothing more.
    pub is_ended: bool,
    /// The server has reset the connection, or is not there.
    pub is_reset: bool,
}

/// What has happened to a socket of a server, to be told to it.
#[derive(Clone, Copy, Debug)]
pub struct Event(pub(super) Happened);

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl State {
    fn happened(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if connection.token.is_some() && connection.is_open && !connection.is_ready {
            connection.is_ready = true;
            self.ports[connection.port].ready.push(number);
        }
    }
}

impl Network {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A port that a worker can listen on; its number.
    #[must_use]
    pub fn port(&self) -> usize {
        let mut state = self.lock();
        state.ports.push(Port::default());
        state.ports.len() - 1
    }

    /// A client connects; the connection's number, or nothing if nobody listens.
    pub fn connect(&self, port: usize, address: SocketAddr, quirks: Quirks) -> Option<usize> {
        let mut state = self.lock();
        let number = state.connections.len();
        let found = &mut state.ports[port];
        if !found.is_open {
            return None;
        }
        found.is_ready = true;
        found.backlog.push_back(number);
        state.connections.push(Connection {
            port,
            address,
            up: Pipe::default(),
            down: Pipe::default(),
            token: None,
            is_ready: false,
            is_readable: false,
            is_writable: false,
            is_over: false,
            wants_room: false,
            is_open: true,
            is_broken: false,
            is_reset: false,
            quirks,
        });
        Some(number)
    }

    /// A client sends.
    pub fn send(&self, number: usize, bytes: &[u8]) {
        self.lock().connections[number].up.way.extend(bytes);
    }

    /// A client sends nothing more.
    pub fn finish(&self, number: usize) {
        self.lock().connections[number].up.is_ended = true;
    }

    /// How many bytes are on their way to the server; the end counts as one.
    #[must_use]
    pub fn on_the_way_up(&self, number: usize) -> usize {
        let state = self.lock();
        let pipe = &state.connections[number].up;
        pipe.way.len() + usize::from(pipe.is_ended && !pipe.has_end)
    }

    /// The same of those to the client; a reset counts, too.
    #[must_use]
    pub fn on_the_way_down(&self, number: usize) -> usize {
        let state = self.lock();
        let connection = &state.connections[number];
        let pipe = &connection.down;
        let ends = pipe.is_ended && !pipe.has_end;
        pipe.way.len() + usize::from(ends || connection.is_reset)
    }

    /// At most so many bytes arrive at the server, and the end behind the last of them.
    pub fn arrive(&self, number: usize, most: usize) {
        let mut state = self.lock();
        let connection = &mut state.connections[number];
        if !connection.is_open {
            // There is nobody: that is what the client is told.
            connection.is_reset |= !connection.up.way.is_empty();
            connection.up.way.clear();
            connection.up.has_end = connection.up.is_ended;
            return;
        }
        let pipe = &mut connection.up;
        let n = most.min(pipe.way.len());
        pipe.arrive(n);
        connection.is_readable |= n > 0;
        if pipe.way.is_empty() && pipe.is_ended && !pipe.has_end {
            pipe.has_end = true;
            (connection.is_readable, connection.is_over) = (true, true);
        }
        if connection.is_readable {
            state.happened(number);
        }
    }

    /// A client takes what arrives, at most so many bytes.
    pub fn take(&self, number: usize, most: usize) -> Arrived {
        let mut state = self.lock();
        let connection = &mut state.connections[number];
        let pipe = &mut connection.down;
        let n = most.min(pipe.way.len());
        let mut bytes = Vec::with_capacity(n);
        for piece in first(&pipe.way, n) {
            bytes.extend_from_slice(piece);
        }
        pipe.way.drain(..n);
        let is_over = pipe.way.is_empty();
        let is_ended =
            is_over && pipe.is_ended && !std::mem::replace(&mut pipe.has_end, pipe.is_ended);
        let is_reset = is_over && std::mem::take(&mut connection.is_reset);
        if connection.wants_room && pipe.way.len() * 3 <= connection.quirks.room * 2 {
            (connection.wants_room, connection.is_writable) = (false, true);
            state.happened(number);
        }
        Arrived { bytes, is_ended, is_reset }
    }

    /// The connection is reset by the client's end: what is there can still be read by the server, and nothing else.
    pub fn reset(&self, number: usize) {
        let mut state = self.lock();
        let connection = &mut state.connections[number];
        connection.up.way.clear();
        connection.down.way.clear();
        (connection.is_broken, connection.is_over) = (true, true);
        (connection.is_readable, connection.is_writable) = (true, true);
        state.happened(number);
    }

    /// The server is told that something has happened, though nothing has.
    pub fn disturb(&self, number: usize) {
        let mut state = self.lock();
        let connection = &mut state.connections[number];
        (connection.is_readable, connection.is_writable) = (true, true);
        state.happened(number);
    }

    /// Whether the server has the socket, or may still get it.
    #[must_use]
    pub fn is_open(&self, number: usize) -> bool {
        self.lock().connections[number].is_open
    }

    /// Whether anything has happened at a port.
    #[must_use]
    pub fn is_ready(&self, port: usize) -> bool {
        let state = self.lock();
        state.ports[port].is_ready || !state.ports[port].ready.is_empty()
    }

    /// What has happened at a port, in an order and as far as `choose` says: it is given a number, and names one that is
    /// smaller, or nothing more to be told now.
    pub fn events(
        &self,
        port: usize,
        choose: &mut dyn FnMut(usize) -> Option<usize>,
    ) -> Vec<Event> {
        let mut state = self.lock();
        let State { connections, ports } = &mut *state;
        let port = &mut ports[port];
        let mut events = Vec::new();
        let nothing =
            Happened { token: port.token, is_readable: true, is_writable: false, is_over: false };
        if std::mem::take(&mut port.is_ready) {
            events.push(Event(nothing));
        }
        while !port.ready.is_empty()
            && let Some(place) = choose(port.ready.len())
        {
            let connection = &mut connections[port.ready.swap_remove(place)];
            connection.is_ready = false;
            let Some(token) = connection.token.filter(|_| connection.is_open) else { continue };
            events.push(Event(Happened {
                token,
                is_readable: std::mem::take(&mut connection.is_readable),
                is_writable: std::mem::take(&mut connection.is_writable),
                // Like `EPOLLRDHUP`, it stays.
                is_over: connection.is_over,
            }));
        }
        events
    }

    /// There are no descriptors any more at a port until others are given back, or there are enough again.
    pub fn exhaust(&self, port: usize, is_short: bool) {
        let mut state = self.lock();
        let port = &mut state.ports[port];
        port.left = is_short.then_some(0);
        // One that waits is accepted when the worker looks again.
    }

    /// How many sockets the worker of a port has.
    #[must_use]
    pub fn sockets(&self, port: usize) -> usize {
        self.lock().ports[port].open
    }
}
