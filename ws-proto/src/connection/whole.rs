//! The shortcut for what nearly every message is: one frame, all of it in one read.

use core::str;

use super::{Connection, Section};
use crate::input::Bytes;
use crate::{Error, Event, Kind, Part, Role, mask};

impl<R: Role> Connection<R> {
    /// Whether a message may begin, and nothing of it has come.
    #[inline]
    pub(super) fn is_between_messages(&self) -> bool {
        self.rest.section == Section::Message
    }

    /// The kind and the payload of the next message, if it is in one frame, uncompressed and all there.
    /// `None`: it is not, and nothing has changed; what is less common is read byte by byte.
    #[inline]
    pub(super) fn whole_message<'b>(
        &mut self,
        input: &mut Bytes<'b>,
    ) -> Option<(Kind, &'b mut [u8])> {
        if !self.is_between_messages() {
            return None;
        }
        let bytes = input.as_slice();
        let frame = if R::READS_MASKED { Frame::masked(bytes) } else { Frame::unmasked(bytes) }?;
        if u64::from(frame.len) > self.rest.max_message {
            return None;
        }
        let data = input.take_behind(frame.header, usize::from(frame.len))?;
        if R::READS_MASKED {
            mask::apply(data, frame.key);
        }
        Some((frame.kind, data))
    }

    /// The event for such a message.
    #[inline]
    pub(super) fn whole_event<'b>(
        &mut self,
        kind: Kind,
        data: &'b [u8],
    ) -> Result<Option<Event<'b>>, Error> {
        let (first, last) = (true, true);
        match kind {
            Kind::Binary => Ok(Some(Event::Binary(Part { data, first, last }))),
            Kind::Text => match str::from_utf8(data) {
                Ok(data) => Ok(Some(Event::Text(Part { data, first, last }))),
                Err(error) => self.invalid_event(data, error),
            },
        }
    }

    #[cold]
    fn invalid_event<'b>(
        &mut self,
        data: &'b [u8],
        error: str::Utf8Error,
    ) -> Result<Option<Event<'b>>, Error> {
        self.rest.compressed = false;
        self.rest.frame_left = 0;
        self.rest.message_len = data.len() as u64;
        let valid = self.hold_back(data, error, true).map_err(|error| self.fail(error))?;
        let valid = data.get(..valid).and_then(|valid| str::from_utf8(valid).ok());
        let part = Part { data: valid.unwrap_or_default(), first: true, last: false };
        Ok(Some(Event::Text(part)))
    }
}

/// What the header of a message in one frame says, if its length has one of the shorter forms.
struct Frame {
    kind: Kind,
    header: usize,
    len: u16,
    key: [u8; 4],
}

impl Frame {
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
