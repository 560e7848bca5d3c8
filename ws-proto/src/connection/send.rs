//! Messages and control frames out (RFC 6455 §5, §6.1).

use super::Connection;
use super::closing::Phase;
use crate::frame::{Control, Opcode};
use crate::{Full, Header, Kind, Message, Role, SendError, Sink, mask};

impl<R: Role> Connection<R> {
    /// Sends a message, or a fragment of one: `last` tells whether the message ends with it. The
    /// fragments of a message are all of its kind.
    ///
    /// # Errors
    /// [`SendError::Closing`], [`SendError::MessageUnfinished`], [`SendError::Full`].
    #[inline]
    pub fn send<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        last: bool,
        out: &mut impl Sink,
    ) -> Result<(), SendError> {
        let message = message.into();
        if last && R::READS_MASKED && self.rest.sending.is_none() && self.rest.phase == Phase::Open
        {
            // What nearly every message of a server is, without a header to be put together first.
            let first = Opcode::Message(message.kind()).last();
            let bytes = message.as_bytes();
            if let Ok(len @ 0..=125) = u8::try_from(bytes.len()) {
                return Ok(out.put(&[first, len], bytes).map(drop)?);
            }
        }
        self.send_part(message, last, out)
    }

    #[inline(never)]
    fn send_part(
        &mut self,
        message: Message<'_>,
        last: bool,
        out: &mut impl Sink,
    ) -> Result<(), SendError> {
        let bytes = message.as_bytes();
        let header = self.message_header(message.kind(), bytes.len() as u64, last)?;
        write(&header, bytes, out)?;
        self.message_sent(message.kind(), last);
        Ok(())
    }

    /// The header for a message, or a fragment of one, whose payload the caller sends behind it, all
    /// of it: from another buffer, or one payload to many peers.
    ///
    /// A client masks the payload with the header's
    /// [`masking_key`](Header::masking_key) first. The payload of a text message must be UTF-8, which
    /// the peer checks if this end doesn't.
    ///
    /// # Errors
    /// [`SendError::Closing`], [`SendError::MessageUnfinished`], [`SendError::TooLong`].
    pub fn send_header(&mut self, kind: Kind, len: u64, last: bool) -> Result<Header, SendError> {
        let header = self.message_header(kind, len, last)?;
        self.message_sent(kind, last);
        Ok(header)
    }

    /// Sends a ping with at most 125 bytes of payload, which the peer's pong carries back (§5.5.2).
    ///
    /// # Errors
    /// [`SendError::TooLong`], [`SendError::Closing`], [`SendError::Full`].
    pub fn ping(&mut self, payload: &[u8], out: &mut impl Sink) -> Result<(), SendError> {
        self.send_control(Control::Ping, payload, out)
    }

    /// Sends a pong with at most 125 bytes of payload: one that nobody asked for, or an answer where
    /// [`Pongs::Manual`](crate::Pongs) is set (§5.5.3).
    ///
    /// # Errors
    /// [`SendError::TooLong`], [`SendError::Closing`], [`SendError::Full`].
    pub fn pong(&mut self, payload: &[u8], out: &mut impl Sink) -> Result<(), SendError> {
        self.send_control(Control::Pong, payload, out)
    }

    fn message_header(&mut self, kind: Kind, len: u64, last: bool) -> Result<Header, SendError> {
        self.may_send(kind)?;
        if len >> 63 != 0 {
            return Err(SendError::TooLong);
        }
        let opcode = self.rest.sending.map_or(Opcode::Message(kind), |_| Opcode::Continuation);
        Ok(Header::new(opcode, last, len, self.role.key()))
    }

    /// Whether a frame of a message of this kind may be sent now.
    pub(super) fn may_send(&self, kind: Kind) -> Result<(), SendError> {
        if self.rest.phase != Phase::Open {
            return Err(SendError::Closing);
        }
        match self.rest.sending {
            Some(sending) if sending != kind => Err(SendError::MessageUnfinished),
            _ => Ok(()),
        }
    }

    pub(super) fn message_sent(&mut self, kind: Kind, last: bool) {
        self.rest.sending = (!last).then_some(kind);
    }

    fn send_control(
        &mut self,
        control: Control,
        payload: &[u8],
        out: &mut impl Sink,
    ) -> Result<(), SendError> {
        if self.rest.phase != Phase::Open {
            return Err(SendError::Closing);
        }
        if payload.len() > 125 {
            return Err(SendError::TooLong);
        }
        Ok(self.write_control(control, payload, out)?)
    }

    /// Sends the pong that is owed, if one is.
    pub(super) fn transmit_pong(&mut self, out: &mut impl Sink) -> Result<(), Full> {
        if let Some(payload) = self.controls.pong() {
            let header = control_header(Control::Pong, payload, self.role.key());
            write(&header, payload, out)?;
            self.controls.pong_sent();
        }
        Ok(())
    }

    pub(super) fn write_control(
        &mut self,
        control: Control,
        payload: &[u8],
        out: &mut impl Sink,
    ) -> Result<(), Full> {
        write(&control_header(control, payload, self.role.key()), payload, out)
    }
}

fn control_header(control: Control, payload: &[u8], key: Option<[u8; 4]>) -> Header {
    Header::new(Opcode::Control(control), true, payload.len() as u64, key)
}

pub(super) fn write(header: &Header, payload: &[u8], out: &mut impl Sink) -> Result<(), Full> {
    let payload = out.put(header.as_bytes(), payload)?;
    if let Some(key) = header.masking_key() {
        mask::apply(payload, key);
    }
    Ok(())
}
