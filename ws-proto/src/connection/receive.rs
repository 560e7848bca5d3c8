//! Bytes in, events out (RFC 6455 §5, §6.2).

use core::str;

use super::closing::Phase;
#[cfg(feature = "deflate")]
use super::inflate::{Inflation, part_of};
use super::{Connection, Section};
use crate::frame::{Control, Start};
use crate::input::Bytes;
use crate::utf8::{self, Held};
use crate::{CloseCode, Error, Event, Input, Kind, Part, Pongs, Role, Scratch, mask};

/// What inflates compressed messages, if anything does.
#[cfg(feature = "deflate")]
pub(super) type Lent<'i> = Option<&'i mut crate::deflate::Inflater>;
#[cfg(not(feature = "deflate"))]
pub(super) type Lent<'i> = Option<&'i mut core::convert::Infallible>;

impl<R: Role> Connection<R> {
    /// The next event of what the peer has sent.
    ///
    /// `Ok(None)`: every byte of `input` is consumed, and its buffer may serve another connection.
    /// Call it until then. After an [`Event::Ping`], call [`poll_transmit`](Self::poll_transmit)
    /// before the next call: a pong is owed to the newest ping only, and a control frame that comes
    /// in pieces may need its place. After [`Event::Close`], an error or
    /// [`peer_eof`](Self::peer_eof), whatever else comes is discarded.
    ///
    /// # Errors
    /// The peer broke the protocol. A Close frame that tells it so is queued: send what
    /// [`poll_transmit`](Self::poll_transmit) yields, then do what [`transport`](Self::transport)
    /// says.
    #[inline]
    pub fn next_event<'i>(&mut self, input: &'i mut Input<'_>) -> Result<Option<Event<'i>>, Error> {
        // The shortcut changes no event, and is code that firmware has no room for.
        if cfg!(not(target_os = "none")) {
            if let Some(event) = self.next_unfragmented(input) {
                return Ok(Some(event));
            }
            if input.is_empty() && self.is_between_messages() {
                return Ok(None);
            }
        }
        input.consume(|bytes, scratch| self.next(bytes, scratch, None))
    }

    /// How many bytes of the payload of an uncompressed data frame have not come, after some of that frame
    /// has; 0 otherwise, and while part of a code point is held back.
    ///
    /// A host that puts large messages together may read this much, and no more, to where the message is to
    /// be, and give it as the next input there: the events' data begins right there, and is all of it but
    /// a code point that is cut at the end.
    #[must_use]
    pub const fn payload_left(&self) -> u64 {
        self.rest.payload_left()
    }

    /// Whether a message may begin and nothing of it has come: of no bytes, [`next_event`](Self::next_event)
    /// makes no event.
    #[inline]
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.rest.section == Section::Message
    }

    #[cold]
    #[inline(never)]
    pub(super) fn next<'i, 'b: 'i>(
        &mut self,
        input: &mut Bytes<'b>,
        scratch: &'i mut Scratch,
        lent: Lent<'i>,
    ) -> Result<Option<Event<'i>>, Error> {
        self.advance(input, scratch, lent).map_err(|error| self.fail(error))
    }

    #[cfg_attr(not(feature = "deflate"), expect(unused, reason = "nothing to inflate with"))]
    fn advance<'i, 'b: 'i>(
        &mut self,
        input: &mut Bytes<'b>,
        scratch: &'i mut Scratch,
        mut lent: Lent<'i>,
    ) -> Result<Option<Event<'i>>, Error> {
        loop {
            match self.rest.section {
                #[cfg(feature = "deflate")]
                Section::Data { kind, last } if self.rest.compressed => {
                    match self.inflate(input, lent.as_deref_mut(), kind, last)? {
                        Inflation::Part(part, len) => {
                            let data = lent.map_or(&[][..], |inflater| inflater.out(len));
                            return Ok(Some(part_of(kind, data, part)));
                        }
                        Inflation::Again => {}
                        Inflation::Empty => return Ok(None),
                    }
                }
                Section::Data { kind, last } => {
                    if input.as_slice().is_empty() && self.rest.frame_left != 0 {
                        return Ok(None);
                    }
                    // Nothing is held back but of text.
                    let held = self.rest.held;
                    let most = if held.is_empty() { usize::MAX } else { held.missing() };
                    let (data, last) = self.data(input, most, last);
                    if kind == Kind::Binary {
                        if let Some(part) = self.part(data, last) {
                            return Ok(Some(Event::Binary(part)));
                        }
                    } else if !held.is_empty() {
                        self.rest.held = Held::NOTHING;
                        let (joined, len) = held.join(data);
                        let joined = joined.get(..len).unwrap_or_default();
                        if let Some(Part { data, first, last }) = self.text(joined, last)? {
                            let data = str::from_utf8(scratch.hold(data.as_bytes()));
                            let data = data.unwrap_or_default();
                            return Ok(Some(Event::Text(Part { data, first, last })));
                        }
                    } else if let Some(part) = self.text(data, last)? {
                        return Ok(Some(Event::Text(part)));
                    }
                }
                Section::Control(control) => {
                    let Some(payload) = self.control_payload(input, scratch) else {
                        return Ok(None);
                    };
                    return self.control(control, payload).map(Some);
                }
                Section::Discard => {
                    if let Some(error) = self.found.take() {
                        return Err(error);
                    }
                    input.discard();
                    return Ok(None);
                }
                _ => {
                    let [byte] = *input.take(1) else { return Ok(None) };
                    self.header(byte)?;
                }
            }
        }
    }

    /// Reads a byte of a header.
    fn header(&mut self, byte: u8) -> Result<(), Error> {
        let (start, n) = match self.rest.section {
            Section::SecondByte(first) => {
                self.rest.frame_left = 0;
                (Start::parse(first, byte, R::READS_MASKED, self.rest.may_inflate())?, 0)
            }
            Section::HeaderRest(start, n) => {
                match n.checked_sub(start.extended()) {
                    None => self.rest.frame_left = self.rest.frame_left << 8 | u64::from(byte),
                    Some(i) => {
                        if let Some(to) = self.rest.key.get_mut(usize::from(i)) {
                            *to = byte;
                        }
                    }
                }
                (start, n.saturating_add(1))
            }
            _ => {
                self.rest.section = Section::SecondByte(byte);
                return Ok(());
            }
        };
        self.header_rest(start, n)
    }

    /// Goes on in a header of which `n` bytes behind the first two have come.
    fn header_rest(&mut self, start: Start, n: u8) -> Result<(), Error> {
        if n == start.extended() {
            self.declare(start, self.rest.frame_left)?;
        }
        let key = if R::READS_MASKED { 4 } else { 0 };
        if n < start.extended().saturating_add(key) {
            self.rest.section = Section::HeaderRest(start, n);
        } else {
            self.begin_payload(start);
        }
        Ok(())
    }

    /// The length is known: checks it, and that the frame may stand here (§5.4).
    fn declare(&mut self, start: Start, extended: u64) -> Result<(), Error> {
        let len = start.length(extended)?;
        self.rest.frame_left = len;
        if start.control().is_some() {
            return Ok(());
        }
        match (start.message(), self.rest.receiving) {
            (None, None) => return Err(Error::NothingToContinue),
            (Some(_), Some(_)) => return Err(Error::MessageUnfinished),
            (None, Some(_)) => {}
            (Some(kind), None) => {
                self.rest.receiving = Some(kind);
                self.rest.started = false;
                self.rest.compressed = start.is_compressed();
                self.rest.message_len = 0;
            }
        }
        if self.rest.is_compressed() {
            // What counts is what it inflates to.
            return Ok(());
        }
        match self.rest.message_len.checked_add(len) {
            Some(message_len) if message_len <= self.rest.max_message => {
                self.rest.message_len = message_len;
                Ok(())
            }
            _ => Err(Error::MessageTooBig),
        }
    }

    fn begin_payload(&mut self, start: Start) {
        self.rest.section = match (start.control(), self.rest.receiving) {
            (Some(control), _) => Section::Control(control),
            (None, Some(kind)) => Section::Data { kind, last: start.is_last() },
            (None, None) => Section::Message,
        };
    }

    /// Consumes and unmasks payload of the frame, at most `most` bytes.
    fn payload<'b>(&mut self, input: &mut Bytes<'b>, most: usize) -> &'b mut [u8] {
        let most = usize::try_from(self.rest.frame_left).map_or(most, |left| left.min(most));
        let payload = input.take(most);
        if R::READS_MASKED {
            mask::apply(payload, self.rest.key);
            self.rest.key = mask::rotate(self.rest.key, payload.len());
        }
        self.rest.frame_left = self.rest.frame_left.saturating_sub(payload.len() as u64);
        payload
    }

    /// Payload of a data frame, at most `most` bytes, and whether it is the last of the message.
    fn data<'b>(&mut self, input: &mut Bytes<'b>, most: usize, last: bool) -> (&'b [u8], bool) {
        let data = self.payload(input, most);
        let last = last && self.rest.frame_left == 0;
        if last {
            self.rest.receiving = None;
        }
        if self.rest.frame_left == 0 {
            self.frame_ended();
        }
        (data, last)
    }

    /// A part of text, as much of `data` as is whole code points.
    fn text<'b>(&mut self, data: &'b [u8], last: bool) -> Result<Option<Part<'b, str>>, Error> {
        let (text, last) = match utf8::validate(data) {
            Ok(text) => (text, last),
            Err(error) => {
                let valid = self.hold_back(data, error, last)?;
                let text = data.get(..valid).and_then(|text| utf8::validate(text).ok());
                (text.unwrap_or_default(), false)
            }
        };
        Ok(self.part(text, last))
    }

    /// The length of the valid text that `data` begins with. What is behind it is held back, or reported:
    /// at once, or after that text.
    pub(super) fn hold_back(
        &mut self,
        data: &[u8],
        error: str::Utf8Error,
        last: bool,
    ) -> Result<usize, Error> {
        let valid = error.valid_up_to();
        let tail = data.get(valid..).unwrap_or_default();
        if error.error_len().is_none() && !last {
            self.rest.held.hold(tail);
            return Ok(valid);
        }
        let invalid = self.invalid_utf8(tail.len());
        if valid == 0 {
            return Err(invalid);
        }
        self.found_behind(invalid);
        Ok(valid)
    }

    /// Reports `error` after the event that is handed out now.
    pub(super) const fn found_behind(&mut self, error: Error) {
        self.found = Some(error);
        self.rest.section = Section::Discard;
    }

    pub(super) const fn frame_ended(&mut self) {
        self.rest.section =
            if self.rest.receiving.is_some() { Section::Fragment } else { Section::Message };
    }

    /// A part to hand out, unless it is empty and more follow.
    fn part<'b, T: ?Sized + AsRef<[u8]>>(
        &mut self,
        data: &'b T,
        last: bool,
    ) -> Option<Part<'b, T>> {
        if data.as_ref().is_empty() && !last {
            return None;
        }
        let first = !core::mem::replace(&mut self.rest.started, true);
        Some(Part { data, first, last })
    }

    /// The error for a bad sequence that starts `back` bytes before the end of what has come.
    #[cold]
    #[inline(never)]
    pub(super) fn invalid_utf8(&self, back: usize) -> Error {
        let to_come = if self.rest.is_compressed() { 0 } else { self.rest.frame_left };
        let come = self.rest.message_len.saturating_sub(to_come);
        let offset = come.saturating_sub(back as u64);
        Error::InvalidUtf8 { offset: u32::try_from(offset).unwrap_or(u32::MAX) }
    }

    /// The payload of a control frame, when all of it has come.
    fn control_payload<'i, 'b: 'i>(
        &mut self,
        input: &mut Bytes<'b>,
        scratch: &'i mut Scratch,
    ) -> Option<&'i [u8]> {
        let to_come = usize::try_from(self.rest.frame_left).unwrap_or(usize::MAX);
        let payload = self.payload(input, usize::MAX);
        if payload.len() == to_come && !self.controls.has_incoming() {
            self.frame_ended();
            return Some(payload);
        }
        self.controls.keep(payload, to_come);
        if self.rest.frame_left != 0 {
            return None;
        }
        self.frame_ended();
        let payload = scratch.hold(self.controls.incoming());
        self.controls.taken();
        Some(payload)
    }

    fn control<'i>(&mut self, control: Control, payload: &'i [u8]) -> Result<Event<'i>, Error> {
        match control {
            Control::Ping => {
                if self.rest.pongs == Pongs::Automatic && self.rest.phase == Phase::Open {
                    self.controls.owe_pong(payload);
                }
                Ok(Event::Ping(payload))
            }
            Control::Pong => Ok(Event::Pong(payload)),
            Control::Close => {
                let (code, reason) = close_body(payload)?;
                self.close_received(code);
                Ok(Event::Close(code, reason))
            }
        }
    }
}

/// Reads the body of a Close frame (§5.5.1, §7.4).
fn close_body(body: &[u8]) -> Result<(Option<CloseCode>, &str), Error> {
    let Some((code, reason)) = body.split_first_chunk() else {
        return if body.is_empty() { Ok((None, "")) } else { Err(Error::CloseBodyTooShort) };
    };
    let number = u16::from_be_bytes(*code);
    let code = CloseCode::new(number).ok_or(Error::CloseCodeForbidden(number))?;
    let reason = str::from_utf8(reason).map_err(|_| Error::CloseReasonNotUtf8)?;
    Ok((Some(code), reason))
}
