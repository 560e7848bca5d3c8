//! The shortcut for what nearly every message is: one frame, all of it in one read.

use core::str;

use super::{Connection, Section};
use crate::frame::Opcode;
use crate::input::Like;
use crate::reframe::{self, KEY};
use crate::{Event, Framed, Input, Kind, Message, Part, Role, Server, mask, utf8};

impl<R: Role> Connection<R> {
    /// The next event, if it is that of an unfragmented message (RFC 6455 §5.4), uncompressed, all of
    /// which has come: what nearly every message is.
    ///
    /// `None` says nothing of what else has come: call [`next_event`](Self::next_event), which finds such
    /// messages, too. To ask here first changes no event, and saves a host with many small messages a
    /// few nanoseconds for each.
    ///
    /// Of text that is not UTF-8 comes the valid beginning, with `last: false`; `next_event` then reports
    /// the error.
    #[inline(always)]
    pub fn next_unfragmented<'b>(&mut self, input: &mut Input<'b>) -> Option<Event<'b>> {
        if self.rest.section != Section::Message {
            return None;
        }
        let (bytes, like) = input.whole();
        let frame = match Frame::alike(bytes.as_slice(), *like) {
            Some(frame) if R::READS_MASKED => frame,
            _ => self.other_frame(bytes.as_slice(), like)?,
        };
        let data = bytes.take_behind(frame.header, usize::from(frame.len))?;
        if R::READS_MASKED {
            mask::apply(data, frame.key);
        }
        let (first, last) = (true, true);
        match frame.kind {
            Kind::Binary => Some(Event::Binary(Part { data, first, last })),
            Kind::Text => match utf8::validate(data) {
                Ok(data) => Some(Event::Text(Part { data, first, last })),
                Err(error) => {
                    let data = self.invalid_text(data, error.valid_up_to())?;
                    Some(Event::Text(Part { data, first, last: false }))
                }
            },
        }
    }

    /// The header of a message in one frame, if these bytes begin with one, and it may be as long. `like` tells how
    /// the next may begin.
    #[inline]
    fn other_frame(&self, bytes: &[u8], like: &mut Like) -> Option<Frame> {
        let frame = if R::READS_MASKED { Frame::masked(bytes) } else { Frame::unmasked(bytes) }?;
        if u64::from(frame.len) > self.rest.max_message {
            return None;
        }
        if let ([first, second, ..], 6) = (bytes, frame.header) {
            *like = Like { start: u16::from_ne_bytes([*first, *second]), len: second ^ MASKED };
        }
        Some(frame)
    }

    /// The valid beginning of text, if there is any; what is behind it is reported next.
    // It hands out no event: one that a call writes to memory is kept there where nothing is wrong, too.
    #[cold]
    #[inline(never)]
    fn invalid_text<'b>(&mut self, data: &'b [u8], valid: usize) -> Option<&'b str> {
        self.rest.message_len = data.len() as u64;
        self.rest.frame_left = 0;
        self.rest.compressed = false;
        let (valid, behind) = data.split_at_checked(valid)?;
        let error = self.invalid_utf8(behind.len());
        self.found_behind(error);
        str::from_utf8(valid).ok().filter(|text| !text.is_empty())
    }
}

impl Connection<Server> {
    /// The next message, if it is unfragmented (RFC 6455 §5.4), uncompressed, and all of it has come:
    /// [`next_unfragmented`](Self::next_unfragmented) for servers that send on what they receive. The header of
    /// a server's frame is put in front of the payload, over the masking key, and later payloads are moved down,
    /// so that the frames of messages that come one after the other lie one behind the other.
    ///
    /// `None` says nothing of what else has come: call [`next_event`](Self::next_event). Text that is not UTF-8
    /// is no message; `next_event` then reports the error.
    ///
    /// ```
    /// use ws_proto::handshake::Agreed;
    /// use ws_proto::{Config, Connection, Input, Message, Scratch, Server};
    /// let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
    /// let mut read = *b"\x82\x81\0\0\0\x00a\x82\x81\x01\x01\x01\x01c";
    /// let mut scratch = Scratch::new();
    /// let mut input = Input::new(&mut read, &mut scratch);
    /// let first = conn.next_framed(&mut input).unwrap();
    /// assert_eq!((first.message, first.frame), (Message::Binary(b"a"), &b"\x82\x01a"[..]));
    /// let second = conn.next_framed(&mut input).unwrap();
    /// assert_eq!(second.message, Message::Binary(b"b"));
    /// assert_eq!(&read[4..10], b"\x82\x01a\x82\x01b");
    /// ```
    #[inline(always)]
    pub fn next_framed<'b>(&mut self, input: &mut Input<'b>) -> Option<Framed<'b>> {
        if let Some((frame, like)) = input.ready() {
            return self.framed_of(like.kind(), frame, 2, input);
        }
        let (kind, frame, header) = self.reframe(input)?;
        self.framed_of(kind, frame, header, input)
    }

    /// The message, if these bytes, which are all that was read, are one frame with all of it, uncompressed: what
    /// [`next_framed`](Self::next_framed) would hand out, for fewer instructions.
    ///
    /// ```
    /// # use ws_proto::handshake::Agreed;
    /// # use ws_proto::{Config, Connection, Message, Server};
    /// # let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
    /// let mut read = *b"\x82\x81\x01\x01\x01\x01c";
    /// let framed = conn.lone_framed(&mut read).unwrap();
    /// assert_eq!((framed.message, framed.frame), (Message::Binary(b"b"), &b"\x82\x01b"[..]));
    /// let mut two = *b"\x82\x80\0\0\0\0\x82\x80\0\0\0\0";
    /// assert_eq!(conn.lone_framed(&mut two).unwrap_err().len(), 12);
    /// ```
    ///
    /// # Errors
    /// They are anything else. Ask an [`Input`] of the bytes that are handed back: all of them as they were, or, of text
    /// that is not UTF-8, none, and [`next_event`](Self::next_event) reports the error.
    #[inline(always)]
    pub fn lone_framed<'b>(&mut self, bytes: &'b mut [u8]) -> Result<Framed<'b>, &'b mut [u8]> {
        let frame = if self.rest.section == Section::Message { Frame::masked(bytes) } else { None };
        let Some(Frame { kind, header, len, key }) = frame.filter(|frame| {
            let is_all = usize::from(frame.len).saturating_add(frame.header) == bytes.len();
            is_all && u64::from(frame.len) <= self.rest.max_message
        }) else {
            return Err(bytes);
        };
        let (first, [high, low]) = (Opcode::Message(kind).last(), len.to_be_bytes());
        let frame = if header == 6 {
            reframe::whole(bytes, [first, low], key)
        } else {
            reframe::whole(bytes, [first, 126, high, low], key)
        };
        // What is behind text that is not UTF-8 does not count: nothing.
        self.framed(kind, frame, header.wrapping_sub(KEY)).ok_or(&mut [])
    }

    /// The next message, if [`next_framed`](Self::next_framed) has found it behind the one that it handed out last,
    /// beginning alike: to ask here, in a loop within the one that asks there, takes fewer instructions. `None` says
    /// nothing of what else has come: call `next_framed`, which finds such messages, too.
    ///
    /// ```
    /// # use ws_proto::handshake::Agreed;
    /// # use ws_proto::{Config, Connection, Input, Message, Scratch, Server};
    /// # let mut conn = Connection::new(Server, Config::default(), Agreed::elsewhere());
    /// let mut read = *b"\x82\x81\0\0\0\x00a\x82\x81\x01\x01\x01\x01c\x82\x80\0\0\0\0";
    /// # let mut scratch = Scratch::new();
    /// let mut input = Input::new(&mut read, &mut scratch);
    /// assert!(conn.next_alike(&mut input).is_none());
    /// assert_eq!(conn.next_framed(&mut input).unwrap().message, Message::Binary(b"a"));
    /// assert_eq!(conn.next_alike(&mut input).unwrap().message, Message::Binary(b"b"));
    /// assert!(conn.next_alike(&mut input).is_none());
    /// assert_eq!(conn.next_framed(&mut input).unwrap().message, Message::Binary(b""));
    /// ```
    #[inline(always)]
    pub fn next_alike<'b>(&mut self, input: &mut Input<'b>) -> Option<Framed<'b>> {
        let (frame, like) = input.ready()?;
        self.framed_of(like.kind(), frame, 2, input)
    }

    /// The same as [`framed`](Self::framed). What is behind text that is not UTF-8 does not count.
    #[inline(always)]
    fn framed_of<'b>(
        &mut self,
        kind: Kind,
        frame: &'b [u8],
        header: usize,
        input: &mut Input<'b>,
    ) -> Option<Framed<'b>> {
        let framed = self.framed(kind, frame, header);
        if framed.is_none() {
            input.discard();
        }
        framed
    }

    /// The message in a frame; `None`: it is text that is not UTF-8.
    #[inline(always)]
    fn framed<'b>(&mut self, kind: Kind, frame: &'b [u8], header: usize) -> Option<Framed<'b>> {
        let data = frame.get(header..)?;
        let message = match kind {
            Kind::Binary => Message::Binary(data),
            Kind::Text => match utf8::validate(data) {
                Ok(text) => Message::Text(text),
                Err(error) => {
                    self.invalid_text(data, error.valid_up_to());
                    return None;
                }
            },
        };
        Some(Framed { message, frame })
    }

    /// The next frame with a message in it, and the length of its header; those behind it that begin alike are then
    /// ready.
    // In line, so that the input stays in registers.
    #[inline(always)]
    fn reframe<'b>(&self, input: &mut Input<'b>) -> Option<(Kind, &'b [u8], usize)> {
        if self.rest.section != Section::Message {
            return None;
        }
        let (unread, like) = input.peek()?;
        let Frame { kind, header, len, key } = self.other_frame(unread, like)?;
        let (first, [high, low]) = (Opcode::Message(kind).last(), len.to_be_bytes());
        if header == 6 {
            let frame = input.reframe([first, low], len, key)?;
            input.reframe_alike([first, low]);
            Some((kind, frame, 2))
        } else {
            Some((kind, input.reframe([first, 126, high, low], len, key)?, 4))
        }
    }
}

/// The bit of a second byte that tells that the payload is masked (RFC 6455 §5.2).
const MASKED: u8 = 0x80;

/// What the header of a message in one frame says, if its length has one of the shorter forms.
struct Frame {
    kind: Kind,
    header: usize,
    len: u16,
    key: [u8; 4],
}

impl Frame {
    /// The header of a masked message that begins like the one before it: it need not be looked at again, and
    /// nobody waits for a length that processors can guess.
    #[inline]
    fn alike(bytes: &[u8], like: Like) -> Option<Self> {
        let [first, second, key @ ..] = *bytes.first_chunk::<6>()?;
        let frame = Self { kind: like.kind(), header: 6, len: like.len.into(), key };
        (u16::from_ne_bytes([first, second]) == like.start).then_some(frame)
    }

    #[inline]
    fn masked(bytes: &[u8]) -> Option<Self> {
        let [first, second, key @ ..] = *bytes.first_chunk::<6>()?;
        match second ^ 0x80 {
            len @ 0..=125 => Self::new(first, 6, u16::from(len), key),
            126 => {
                let [_, _, a, b, key @ ..] = *bytes.first_chunk::<8>()?;
                Self::extended(first, 8, [a, b], key)
            }
            _ => None,
        }
    }

    #[inline]
    fn unmasked(bytes: &[u8]) -> Option<Self> {
        match *bytes.first_chunk()? {
            [first, len @ 0..=125] => Self::new(first, 2, u16::from(len), [0; 4]),
            [first, 126] => {
                let [_, _, len @ ..] = *bytes.first_chunk::<4>()?;
                Self::extended(first, 4, len, [0; 4])
            }
            _ => None,
        }
    }

    #[inline]
    fn extended(first: u8, header: usize, len: [u8; 2], key: [u8; 4]) -> Option<Self> {
        let len = u16::from_be_bytes(len);
        if len < 126 { None } else { Self::new(first, header, len, key) }
    }

    #[inline]
    const fn new(first: u8, header: usize, len: u16, key: [u8; 4]) -> Option<Self> {
        let kind = match first {
            0x81 => Kind::Text,
            0x82 => Kind::Binary,
            _ => return None,
        };
        Some(Self { kind, header, len, key })
    }
}
