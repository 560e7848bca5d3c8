//! Messages and control frames out (RFC 6455 §5, §6.1).

use super::Connection;
use super::closing::Phase;
use crate::frame::{Control, Opcode};
use crate::{CloseCode, Full, Header, Kind, Message, Role, SendError, Sink, mask};

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
        self.may_send(message.kind())?;
        let first = self.next_opcode(message.kind()).first(last);
        write(&mut self.role, first, None, message.as_bytes(), out)?;
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
        self.may_send(kind)?;
        if len >> 63 != 0 {
            return Err(SendError::TooLong);
        }
        let first = self.next_opcode(kind).first(last);
        self.message_sent(kind, last);
        Ok(Header::new(first, len, self.role.key()))
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

    /// What the next frame of a message of this kind is.
    pub(super) fn next_opcode(&self, kind: Kind) -> Opcode {
        self.rest.sending.map_or(Opcode::Message(kind), |_| Opcode::Continuation)
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
        let first = Opcode::Control(control).last();
        Ok(write(&mut self.role, first, None, payload, out)?)
    }

    /// Sends the pong that is owed, if one is.
    pub(super) fn transmit_pong(&mut self, out: &mut impl Sink) -> Result<(), Full> {
        if let Some(payload) = self.controls.pong() {
            write(&mut self.role, Opcode::Control(Control::Pong).last(), None, payload, out)?;
            self.controls.pong_sent();
        }
        Ok(())
    }
}

/// Writes a frame whose payload is the status code, if there is one, and `payload`.
pub(super) fn write(
    role: &mut impl Role,
    first: u8,
    code: Option<CloseCode>,
    payload: &[u8],
    out: &mut impl Sink,
) -> Result<(), Full> {
    let of_code = if code.is_some() { 2 } else { 0 };
    let len = payload.len().saturating_add(of_code) as u64;
    let mut header = Header::new(first, len, role.key());
    if let Some(code) = code {
        header.begin_payload(code.get().to_be_bytes());
    }
    let payload = out.put(header.as_bytes(), payload)?;
    if let Some(key) = header.masking_key() {
        mask::apply(payload, key);
    }
    Ok(())
}
