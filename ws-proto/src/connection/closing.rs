//! The closing handshake (RFC 6455 §7): who has said what, and who closes TCP.

use super::send::write;
use super::{Connection, Section};
use crate::frame::{Control, Opcode};
use crate::{CloseCode, Error, Full, Role, SendError, Sink};

/// How far the closing handshake is (RFC 6455 §7.1). The crate's `STATES.md` has what every event does in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// It has not begun: messages go both ways.
    Open,
    /// This end has sent a Close frame: the peer's messages still come, none can be sent.
    CloseSent,
    /// The peer has sent a Close frame, and [`Connection::poll_transmit`] has yet to answer it.
    CloseReceived,
    /// It is over, or the connection has failed, or the peer's bytes have ended. A Close frame that
    /// tells of a failure may still be owed.
    Closed,
}

/// What to do with the byte stream below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Transport {
    /// Go on; [`Connection::poll_transmit`] may have something to send.
    Keep,
    /// Send what is queued, then close. While the peer may still be sending, shut down the sending
    /// side first and read to the end, within the close deadline: bytes that are not read can make
    /// the network drop the Close frame (RFC 6455 §7.1.1).
    Close,
    /// Send what is queued, then wait, within the close deadline, for the server to close (§7.1.1).
    AwaitEof,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Closed {
    /// Cleanly: both ends have said Close, or owe nothing but the answer (RFC 6455 §7.1.4).
    Clean,
    /// The peer's bytes ended without a closing handshake, or after a failure. APIs report code 1006
    /// (§7.1.5).
    Abnormal,
}

/// [`State`], with the ways to be closed told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    CloseSent,
    CloseReceived,
    /// Both Close frames have been exchanged.
    Clean,
    Failed,
    /// The peer's bytes have ended.
    Ended(Closed),
}

impl Phase {
    #[inline]
    pub(super) const fn state(self) -> State {
        match self {
            Self::Open => State::Open,
            Self::CloseSent => State::CloseSent,
            Self::CloseReceived => State::CloseReceived,
            Self::Clean | Self::Failed | Self::Ended(_) => State::Closed,
        }
    }
}

/// A Close frame that [`Connection::poll_transmit`] has to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwedClose {
    Nothing,
    /// The answer to the peer's, with the same code (§5.5.1).
    Answer(Option<CloseCode>),
    Failure(Error),
}

impl<R: Role> Connection<R> {
    /// How far the closing handshake is.
    #[inline]
    #[must_use]
    pub const fn state(&self) -> State {
        self.rest.phase.state()
    }

    /// What to do with the byte stream now.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match (self.rest.phase, self.owed) {
            (Phase::Open | Phase::CloseSent | Phase::CloseReceived, _)
            | (_, OwedClose::Answer(_) | OwedClose::Failure(_)) => Transport::Keep,
            (Phase::Clean, OwedClose::Nothing) if !R::READS_MASKED => Transport::AwaitEof,
            (Phase::Clean | Phase::Failed | Phase::Ended(_), OwedClose::Nothing) => {
                Transport::Close
            }
        }
    }

    /// Begins the closing handshake with a Close frame, after any pong that is owed. Call it once.
    ///
    /// # Errors
    /// [`SendError::TooLong`] for a reason over 123 bytes, [`SendError::Closing`] when a Close was sent
    /// or received already, [`SendError::Full`].
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        out: &mut impl Sink,
    ) -> Result<(), SendError> {
        if self.rest.phase != Phase::Open {
            return Err(SendError::Closing);
        }
        if reason.len() > 123 {
            return Err(SendError::TooLong);
        }
        self.transmit_pong(out)?;
        self.write_close(Some(code), reason, out)?;
        self.rest.phase = Phase::CloseSent;
        Ok(())
    }

    /// Sends what the connection owes by itself: the pong for the newest ping, then the answer to a
    /// Close frame, or the Close frame that tells of a failure.
    ///
    /// # Errors
    /// [`Full`] when a frame does not fit; it stays owed.
    pub fn poll_transmit(&mut self, out: &mut impl Sink) -> Result<(), Full> {
        self.transmit_pong(out)?;
        let (code, reason) = match self.owed {
            OwedClose::Nothing => return Ok(()),
            OwedClose::Answer(code) => (code, ""),
            OwedClose::Failure(error) => (Some(error.close_code()), error.reason()),
        };
        self.write_close(code, reason, out)?;
        self.owed = OwedClose::Nothing;
        if self.rest.phase == Phase::CloseReceived {
            self.rest.phase = Phase::Clean;
        }
        Ok(())
    }

    /// The peer's bytes have ended (a read of zero bytes), or the transport broke.
    ///
    /// What is queued may still reach a peer that only closed its sending side. A second call gives
    /// what the first gave.
    pub const fn peer_eof(&mut self) -> Closed {
        let closed = match self.rest.phase {
            Phase::CloseReceived | Phase::Clean => Closed::Clean,
            Phase::Open | Phase::CloseSent | Phase::Failed => Closed::Abnormal,
            Phase::Ended(closed) => closed,
        };
        self.rest.phase = Phase::Ended(closed);
        self.rest.section = Section::Discard;
        closed
    }

    /// Fails the connection (§7.1.7). Nothing is sent after a Close frame, not even another one.
    pub(super) const fn fail(&mut self, error: Error) -> Error {
        if let Phase::Open = self.rest.phase {
            self.owed = OwedClose::Failure(error);
        }
        self.rest.phase = Phase::Failed;
        self.rest.section = Section::Discard;
        error
    }

    /// The peer's Close frame has come.
    pub(super) const fn close_received(&mut self, code: Option<CloseCode>) {
        self.rest.section = Section::Discard;
        self.rest.phase = match self.rest.phase {
            Phase::Open => {
                self.owed = OwedClose::Answer(code);
                Phase::CloseReceived
            }
            _ => Phase::Clean,
        };
    }

    fn write_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        out: &mut impl Sink,
    ) -> Result<(), Full> {
        let (role, first) = (&mut self.role, Opcode::Control(Control::Close).last());
        write(role, first, code, reason.as_bytes(), out)
    }
}
