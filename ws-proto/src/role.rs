//! The two ends of a connection: what each expects of frames it reads and does to frames it writes.

use core::fmt;

/// One end of a connection: [`Server`], [`Client`] or [`KeyedClient`].
pub trait Role: sealed::Sealed {}

impl<R: sealed::Sealed> Role for R {}

pub(crate) mod sealed {
    pub trait Sealed {
        /// Whether frames that this end reads are masked (RFC 6455 §5.1).
        const READS_MASKED: bool;
        /// The key for the next frame that this end writes.
        fn key(&mut self) -> Option<[u8; 4]>;
    }
}

/// The end that answered the opening handshake: it reads masked frames, writes unmasked ones and
/// closes TCP first (RFC 6455 §5.1, §7.1.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

impl sealed::Sealed for Server {
    const READS_MASKED: bool = true;

    fn key(&mut self) -> Option<[u8; 4]> {
        None
    }
}

/// The end that asked for the opening handshake: it writes masked frames.
///
/// The function gives the masking key of each frame. It must come from a strong source of entropy
/// that a page or a peer can't predict (RFC 6455 §10.3): on a host the operating system's, on a
/// microcontroller its random number generator.
#[derive(Clone, Copy)]
pub struct Client<M>(pub M);

impl<M> fmt::Debug for Client<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl<M: FnMut() -> [u8; 4]> sealed::Sealed for Client<M> {
    const READS_MASKED: bool = false;

    fn key(&mut self) -> Option<[u8; 4]> {
        Some((self.0)())
    }
}

/// A client whose masking keys are arguments: before a call that sends, they are put in with
/// [`Connection::role_mut`](crate::Connection::role_mut), as many as frames it may write. A pong and a
/// Close frame may leave together, in [`close`](crate::Connection::close) and in
/// [`poll_transmit`](crate::Connection::poll_transmit), so there is room for two.
///
/// For those who can't bring a function, as over a C interface; [`Client`] is easier to use well.
/// A frame for which there is no key left goes out with a key of zeros, which §10.3 forbids.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyedClient([[u8; 4]; 2]);

impl KeyedClient {
    /// The keys of the next two frames, drawn as [`Client`] asks for it.
    pub const fn set_keys(&mut self, keys: [[u8; 4]; 2]) {
        self.0 = keys;
    }
}

impl sealed::Sealed for KeyedClient {
    const READS_MASKED: bool = false;

    fn key(&mut self) -> Option<[u8; 4]> {
        let [next, then] = self.0;
        self.0 = [then, [0; 4]];
        Some(next)
    }
}
