//! Compressed messages in and out (RFC 7692 §6, §7.2).

use super::Connection;
use super::send::write;
use crate::deflate::{Deflater, End, Inflater};
use crate::frame::RSV1;
use crate::input::Bytes;
use crate::utf8::{self, Held};
use crate::{Error, Event, Input, Kind, Message, Part, Role, SendError, Sink, mask};

/// How much compressed data is unmasked at a time. What a step leaves of it is masked again, so this must not
/// be as much as a caller cares to read at once.
const UNMASKED: usize = 16 * 1024;

/// What a step of inflating came to.
pub(super) enum Inflation {
    /// So many bytes of the inflater's output are a part.
    Part(Part<'static, ()>, usize),
    Again,
    Empty,
}

impl<R: Role> Connection<R> {
    /// [`next_event`](Self::next_event) for a connection that has agreed on permessage-deflate.
    ///
    /// Messages come as parts here, too, of at most 16 KiB if they were compressed.
    /// [`Config::max_message`](crate::Config::max_message) counts inflated bytes, and nothing beyond it
    /// is kept. Without context takeover, the inflater may serve another connection whenever
    /// [`is_inflating`](Self::is_inflating) is false.
    ///
    /// # Errors
    /// As there, and [`Error::BrokenDeflate`].
    pub fn next_event_inflated<'i>(
        &mut self,
        input: &'i mut Input<'_>,
        inflater: &'i mut Inflater,
    ) -> Result<Option<Event<'i>>, Error> {
        match self.next_unfragmented(input) {
            Some(event) => Ok(Some(event)),
            None if input.is_empty() && self.is_between_messages() => Ok(None),
            None => input.consume(|bytes, scratch| self.next(bytes, scratch, Some(inflater))),
        }
    }

    /// Whether part of a compressed message has come, whose inflater must not serve another connection.
    #[must_use]
    pub const fn is_inflating(&self) -> bool {
        self.rest.compressed && self.rest.receiving.is_some()
    }

    /// [`send`](Self::send), compressed if it was agreed on and is worth it: a whole message that is below
    /// the threshold or does not shrink goes out as it is. Where context is taken over, it is compressed
    /// even if that makes it up to 16 bytes longer, for later messages shrink by referring to it.
    ///
    /// # Errors
    /// As there.
    pub fn send_deflated<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        last: bool,
        deflater: &mut Deflater,
        out: &mut impl Sink,
    ) -> Result<(), SendError> {
        let message = message.into();
        let (kind, bytes) = (message.kind(), message.as_bytes());
        let first = self.rest.sending.is_none();
        let compressed = match (first, last) {
            (true, true) => self.rest.deflate && deflater.takes(bytes.len()),
            (true, false) => self.rest.deflate,
            (false, _) => self.rest.sending_compressed,
        };
        if !compressed {
            return self.send(message, last, out);
        }
        self.may_send(kind)?;
        let data = if first && last {
            match deflater.message(bytes) {
                Some(data) => data,
                None => return self.send(message, last, out),
            }
        } else {
            deflater.fragment(bytes, last)
        };
        let first = self.next_opcode(kind).first(last) | if first { RSV1 } else { 0 };
        let written = write(&mut self.role, first, None, data, out);
        deflater.give_back();
        if let Err(full) = written {
            // The peer does not see it, so nothing may refer to it.
            deflater.reset();
            return Err(full.into());
        }
        self.rest.sending_compressed = true;
        self.message_sent(kind, last);
        Ok(())
    }

    /// Inflates some of a compressed message's payload.
    pub(super) fn inflate(
        &mut self,
        input: &mut Bytes<'_>,
        inflater: Option<&mut Inflater>,
        kind: Kind,
        last: bool,
    ) -> Result<Inflation, Error> {
        // Whoever agrees to compression and reads without an inflater has not agreed to it.
        let inflater = inflater.ok_or(Error::ReservedBits(4))?;
        if input.as_slice().is_empty() && self.rest.frame_left != 0 && !inflater.has_more() {
            return Ok(Inflation::Empty);
        }
        let room = self.rest.max_message.saturating_sub(self.rest.message_len);
        let held = core::mem::replace(&mut self.rest.held, Held::NOTHING);
        let frame_left = usize::try_from(self.rest.frame_left).unwrap_or(usize::MAX);
        let payload = input.peek(frame_left.min(UNMASKED));
        let all = payload.len() as u64 == self.rest.frame_left;
        if R::READS_MASKED {
            mask::apply(payload, self.rest.key);
        }
        // With no room left, one more byte tells whether the message is over the limit.
        let inflated = inflater.step(payload, held.as_bytes(), room.max(1), last && all);
        if R::READS_MASKED {
            // What is left is still masked, as what follows it is.
            self.rest.key = mask::rotate(self.rest.key, inflated.consumed);
            let left = payload.get_mut(inflated.consumed..).unwrap_or_default();
            mask::apply(left, self.rest.key);
        }
        input.take(inflated.consumed);
        self.rest.frame_left = self.rest.frame_left.saturating_sub(inflated.consumed as u64);
        if inflated.produced as u64 > room {
            return Err(Error::MessageTooBig);
        }
        self.rest.message_len = self.rest.message_len.saturating_add(inflated.produced as u64);
        let done = inflated.end == End::Message;
        if done {
            self.rest.receiving = None;
        }
        if done || (self.rest.frame_left == 0 && !last && !inflater.has_more()) {
            self.frame_ended();
        }
        let (mut len, mut last) = (held.len().saturating_add(inflated.produced), done);
        if kind == Kind::Text
            && let Err(error) = utf8::validate(inflater.out(len))
        {
            len = self.hold_back(inflater.out(len), error, last)?;
            last = false;
        }
        if inflated.end == End::Broken {
            // What is good before it is handed out first, wherever a read has cut.
            let broken = self.found.take().unwrap_or(Error::BrokenDeflate);
            if len == 0 {
                return Err(broken);
            }
            self.found_behind(broken);
        }
        if len == 0 && !last {
            return Ok(Inflation::Again);
        }
        let first = !core::mem::replace(&mut self.rest.started, true);
        Ok(Inflation::Part(Part { data: &(), first, last }, len))
    }
}

/// The event for a part of a compressed message.
pub(super) fn part_of<'i>(kind: Kind, data: &'i [u8], part: Part<'static, ()>) -> Event<'i> {
    let Part { first, last, .. } = part;
    match kind {
        // It was found to be text when it was inflated.
        Kind::Text => {
            Event::Text(Part { data: utf8::validate(data).unwrap_or_default(), first, last })
        }
        Kind::Binary => Event::Binary(Part { data, first, last }),
    }
}
