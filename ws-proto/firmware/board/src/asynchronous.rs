//! The serial port for asynchronous code, which has the processor to itself.

use core::convert::Infallible;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io::{Read as _, Write as _};
use embedded_io_async::{ErrorType, Read, Write};

use super::Uart;

/// The port as a stream whose every call is ready when it returns: it sleeps as the port itself does.
#[derive(Debug)]
pub struct AsyncUart(pub Uart);

impl ErrorType for AsyncUart {
    type Error = Infallible;
}

impl Read for AsyncUart {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.0.read(buffer)
    }
}

impl Write for AsyncUart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.write(bytes)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        self.0.flush()
    }
}

/// Runs a future to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}
