//! The frame header (RFC 6455 §5.2), written and read.

use crate::{Error, Kind};

/// What a frame carries (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Message(Kind),
    Control(Control),
}

/// The control frames (RFC 6455 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Opcode {
    #[inline]
    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Message(Kind::Text) => 0x1,
            Self::Message(Kind::Binary) => 0x2,
            Self::Control(Control::Close) => 0x8,
            Self::Control(Control::Ping) => 0x9,
            Self::Control(Control::Pong) => 0xa,
        }
    }

    /// The first byte of a frame.
    pub(crate) const fn first(self, last: bool) -> u8 {
        if last { self.last() } else { self.bits() }
    }

    /// The first byte of a message's last frame, or of a control frame.
    #[inline]
    pub(crate) const fn last(self) -> u8 {
        0x80 | self.bits()
    }
}

/// The bit of a first byte that tells that the message is compressed (RFC 7692 §6).
#[cfg(feature = "deflate")]
pub(crate) const RSV1: u8 = 0x40;

/// An encoded frame header: 2 to 14 bytes, to be sent right before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; 14],
    len: u8,
    key: Option<[u8; 4]>,
}

impl Header {
    /// The shortest header for `len` bytes of payload, at most 2^63 − 1, whose first byte is given.
    pub(crate) fn new(first: u8, len: u64, key: Option<[u8; 4]>) -> Self {
        let mask = if key.is_some() { 0x80 } else { 0 };
        let [a, b, c, d] = key.unwrap_or_default();
        // The key stands behind the length, whose extended form is of 0, 2 or 8 bytes.
        let (start, key_at) = match u16::try_from(len) {
            Ok(len @ 0..126) => ([first, mask | len.to_le_bytes()[0], a, b, c, d, 0, 0, 0, 0], 2),
            Ok(len) => {
                let [m, n] = len.to_be_bytes();
                ([first, mask | 126, m, n, a, b, c, d, 0, 0], 4)
            }
            Err(_) => {
                let [m, n, o, p, q, r, s, t] = len.to_be_bytes();
                ([first, mask | 127, m, n, o, p, q, r, s, t], 10u8)
            }
        };
        let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9] = start;
        let bytes = [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, a, b, c, d];
        let masking = if key.is_some() { 4 } else { 0 };
        Self { bytes, len: key_at.saturating_add(masking), key }
    }

    /// Appends the first two bytes of the payload, masked if it is, to the header of a control frame. The key is
    /// then that of what follows.
    pub(crate) fn begin_payload(&mut self, [first, second]: [u8; 2]) {
        let [a, b, c, d] = self.key.unwrap_or_default();
        let to = self.bytes.get_mut(usize::from(self.len)..).unwrap_or_default();
        if let Some(to) = to.first_chunk_mut() {
            *to = [first ^ a, second ^ b];
            self.len = self.len.saturating_add(2);
        }
        self.key = self.key.map(|_| [c, d, a, b]);
    }

    /// The header of a whole message from a server: the same for every peer that has agreed to no
    /// extension, so that one frame serves a broadcast. `None` if `len` is over 2^63 − 1.
    ///
    /// It must not stand between the fragments of another message (RFC 6455 §5.4), nor behind a Close
    /// frame: [`Connection::send_header`](crate::Connection::send_header) checks that, this can't.
    #[must_use]
    pub fn broadcast(kind: Kind, len: u64) -> Option<Self> {
        (len >> 63 == 0).then(|| Self::new(Opcode::Message(kind).last(), len, None))
    }

    /// The header's bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The key that the payload must be masked with ([`mask::apply`](crate::mask::apply)); `None` for
    /// a server.
    #[inline]
    #[must_use]
    pub const fn masking_key(&self) -> Option<[u8; 4]> {
        self.key
    }
}

/// The first two bytes of a header, which have passed all checks but those of the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    first: u8,
    second: u8,
}

impl Start {
    /// `deflate`: whether messages may be compressed.
    pub(crate) const fn parse(
        first: u8,
        second: u8,
        masked: bool,
        deflate: bool,
    ) -> Result<Self, Error> {
        let start = Self { first, second };
        if first & 0x70 != 0 && !(deflate && start.is_compressed()) {
            return Err(Error::ReservedBits(first >> 4 & 7));
        }
        if !matches!(first & 0x0f, 0x0..=0x2 | 0x8..=0xa) {
            return Err(Error::ReservedOpcode(first & 0x0f));
        }
        if (second & 0x80 != 0) != masked {
            return Err(if masked { Error::NotMasked } else { Error::Masked });
        }
        if start.control().is_some() {
            if start.len() > 125 {
                return Err(Error::ControlTooLong);
            }
            if !start.is_last() {
                return Err(Error::ControlFragmented);
            }
        }
        Ok(start)
    }

    /// The kind of the message that starts here; `None` for a continuation and a control frame.
    pub(crate) const fn message(self) -> Option<Kind> {
        match self.first & 0x0f {
            0x1 => Some(Kind::Text),
            0x2 => Some(Kind::Binary),
            _ => None,
        }
    }

    pub(crate) const fn control(self) -> Option<Control> {
        match self.first & 0x0f {
            0x8 => Some(Control::Close),
            0x9 => Some(Control::Ping),
            0xa => Some(Control::Pong),
            _ => None,
        }
    }

    pub(crate) const fn is_last(self) -> bool {
        self.first & 0x80 != 0
    }

    /// Whether RSV1 is set, where it may be: the message is compressed.
    pub(crate) const fn is_compressed(self) -> bool {
        self.first & 0x70 == 0x40 && self.message().is_some()
    }

    /// The 7-bit length: 126 and 127 stand for an extended one.
    const fn len(self) -> u8 {
        self.second & 0x7f
    }

    /// How many bytes of extended length follow.
    pub(crate) const fn extended(self) -> u8 {
        match self.len() {
            127 => 8,
            126 => 2,
            _ => 0,
        }
    }

    /// The payload's length, whose extended form, if there is one, reads `extended`.
    pub(crate) const fn length(self, extended: u64) -> Result<u64, Error> {
        match self.len() {
            126 if extended < 126 => Err(Error::LengthNotMinimal),
            127 if extended >> 63 != 0 => Err(Error::LengthTopBit),
            127 if extended <= 0xffff => Err(Error::LengthNotMinimal),
            126 | 127 => Ok(extended),
            // A widening cast, which `u64::from` can't do in a `const fn`.
            short => Ok(short as u64),
        }
    }
}
