//! A connection as a byte stream.

use embedded_io::{ErrorType, Read, ReadReady, Write};
use smoltcp::socket::tcp::RecvError;

use crate::network::{self, Error, Network};

/// A TCP connection. When it is dropped it is broken off; [`end`](Self::end) ends it in order.
pub struct Stream<'n, 'a>(&'n mut Network<'a>);

impl<'n, 'a> Stream<'n, 'a> {
    pub(crate) const fn new(network: &'n mut Network<'a>) -> Self {
        Self(network)
    }

    /// Waits until the other end has ended its side, some time at most, and ends this one: a client leaves the
    /// first step to the server (RFC 6455 §7.1.1). What still comes is for nobody.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if the other end does not; the connection is broken off then.
    pub fn end(self) -> Result<(), Error> {
        let patience = network::HANDSHAKE_MS;
        let ended = self.0.wait(patience, |socket| {
            (socket.recv(|bytes| (bytes.len(), ())).is_err()).then_some(Ok(()))
        });
        self.0.socket().close();
        ended.and(self.0.wait(patience, |socket| (!socket.is_active()).then_some(Ok(()))))
    }
}

impl Drop for Stream<'_, '_> {
    fn drop(&mut self) {
        if self.0.socket().is_active() {
            self.0.socket().abort();
            self.0.poll();
        }
    }
}

impl ErrorType for Stream<'_, '_> {
    type Error = Error;
}

impl Read for Stream<'_, '_> {
    /// Sleeps until bytes have come; 0 when the other end has ended the connection.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.0.wait(network::SILENCE_MS, |socket| match socket.recv_slice(buffer) {
            Ok(0) if !buffer.is_empty() => None,
            Ok(n) => Some(Ok(n)),
            Err(RecvError::Finished) => Some(Ok(0)),
            Err(RecvError::InvalidState) => Some(Err(Error::Reset)),
        })
    }
}

impl ReadReady for Stream<'_, '_> {
    fn read_ready(&mut self) -> Result<bool, Error> {
        self.0.poll();
        let socket = self.0.socket();
        Ok(socket.can_recv() || !socket.may_recv())
    }
}

impl Write for Stream<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.0.wait(network::SILENCE_MS, |socket| match socket.send_slice(bytes) {
            Ok(0) if !bytes.is_empty() => None,
            Ok(n) => Some(Ok(n)),
            Err(_) => Some(Err(Error::Reset)),
        })
    }

    /// Hands what was written to the controller, as far as the other end has room.
    fn flush(&mut self) -> Result<(), Error> {
        self.0.poll();
        Ok(())
    }
}
