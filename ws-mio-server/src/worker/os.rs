//! Sockets of the operating system, and the loop that waits for them.

use std::io::{self, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags};
use rustix::process::{Resource, getrlimit};
use socket2::{Domain, SockRef, Socket, Type};

use super::{EVENTS, WAKER, Worker};
use crate::listener::Acceptor;
use crate::system::{Happened, Stream, System, Wake};

/// The operating system.
#[derive(Debug)]
pub(crate) struct Os(Poll);

impl Os {
    /// One for a worker, and what wakes it.
    pub(crate) fn new() -> io::Result<(Self, Box<dyn Wake>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), Token(WAKER))?;
        Ok((Self(poll), Box::new(waker)))
    }
}

impl Wake for Waker {
    fn wake(&self) -> io::Result<()> {
        Self::wake(self)
    }
}

impl System for Os {
    type Stream = TcpStream;
    type Listener = Acceptor;
    type Spare = Socket;

    fn watch(&self, stream: &mut TcpStream, token: usize) -> io::Result<()> {
        // Both at once, for good: edges tell the rest.
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.0.registry().register(stream, Token(token), interest)
    }

    fn watch_listener(&self, listener: &mut Acceptor, token: usize) -> io::Result<()> {
        self.0.registry().register(listener, Token(token), Interest::READABLE)
    }

    fn spare(&self) -> io::Result<Socket> {
        Socket::new(Domain::UNIX, Type::STREAM, None)
    }

    fn descriptors(&self) -> Option<u64> {
        getrlimit(Resource::Nofile).current
    }
}

// By system calls of their own: those of libc are points of cancellation, which costs as much as all that is done for
// a message.
impl Stream for TcpStream {
    #[inline(always)]
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(net::recv(self, buffer, RecvFlags::empty())?.1)
    }

    #[inline(always)]
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(net::send(self, bytes, SendFlags::NOSIGNAL)?)
    }

    #[inline(always)]
    fn send_all(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let nothing = &mut SendAncillaryBuffer::default();
        Ok(net::sendmsg(self, slices, nothing, SendFlags::NOSIGNAL)?)
    }

    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Self::peer_addr(self)
    }

    fn descriptor(&self) -> RawFd {
        self.as_raw_fd()
    }

    fn hurry(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }

    fn give_up_after(&self, silence: Duration) -> io::Result<()> {
        SockRef::from(self).set_tcp_user_timeout(Some(silence))
    }
}

impl From<&Event> for Happened {
    #[inline(always)]
    fn from(event: &Event) -> Self {
        Self {
            token: event.token().0,
            is_readable: event.is_readable(),
            is_writable: event.is_writable(),
            is_over: event.is_read_closed() || event.is_error(),
        }
    }
}

impl Worker<Os> {
    /// Serves until the server is told to stop and every connection has ended, or had its time.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = self.timeout();
            match self.system.0.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                Err(_) => events.clear(),
                Ok(()) => {}
            }
            if self.turn(events.iter().map(Happened::from)) {
                return Ok(());
            }
        }
    }
}
