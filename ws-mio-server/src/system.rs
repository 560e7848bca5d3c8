//! What an event loop needs of the system that it runs on.
//!
//! Servers run on sockets of the operating system ([`Os`](crate::worker::Os)). Simulations have another one, in
//! which the same workers run on a network of their own.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;

/// Where the sockets of a worker are, and where it is told of them.
pub(crate) trait System {
    type Stream: Stream;
    type Listener: Listener<Self::Stream>;
    /// Something that keeps a descriptor.
    type Spare;

    /// Has what happens to a socket told under this token, once each time.
    fn watch(&self, stream: &mut Self::Stream, token: usize) -> io::Result<()>;

    /// The same of a socket that accepts connections.
    fn watch_listener(&self, listener: &mut Self::Listener, token: usize) -> io::Result<()>;

    fn spare(&self) -> io::Result<Self::Spare>;

    /// How many descriptors there may be, if that is limited.
    fn descriptors(&self) -> Option<u64>;
}

/// A socket that accepts connections.
pub(crate) trait Listener<S> {
    /// The next connection; it never waits.
    fn accept(&self) -> io::Result<S>;

    /// Whether who connects is of this machine.
    fn is_local(&self) -> bool;
}

/// The socket of a connection. Nothing of it ever waits.
pub(crate) trait Stream: fmt::Debug {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;

    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    fn send_all(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Says that nothing more is sent.
    fn finish(&self) -> io::Result<()>;

    fn peer_addr(&self) -> io::Result<SocketAddr>;

    fn descriptor(&self) -> RawFd;

    /// Sends small pieces at once.
    fn hurry(&self) -> io::Result<()>;

    /// Takes the peer for gone that confirms nothing of what was sent for so long.
    fn give_up_after(&self, silence: Duration) -> io::Result<()>;
}

/// What has happened to a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened {
    pub(crate) token: usize,
    pub(crate) is_readable: bool,
    pub(crate) is_writable: bool,
    /// The peer's end has come, or that of the connection.
    pub(crate) is_over: bool,
}

/// Ends a worker's sleep, from any thread.
pub(crate) trait Wake: fmt::Debug + Send + Sync {
    fn wake(&self) -> io::Result<()>;
}
