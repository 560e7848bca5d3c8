//! RFC 6455 §5 to §8 for bytes that are all there: slow, simple, and written for itself.

use alloc::vec::Vec;
use core::str;

use super::Seen;
use crate::Kind;

/// What an end must make of its input.
pub(super) struct Expected {
    pub(super) seen: Vec<Seen>,
    /// The status code of the Close frame that tells of a violation.
    pub(super) failure: Option<u16>,
    /// How many bytes stand behind a Close frame or a violation, or are of a frame that is not complete.
    pub(super) rest: usize,
}

/// Why no more is read.
enum Stop {
    /// The bytes end, or a Close frame came.
    Quiet,
    Failure(u16),
}

pub(super) fn read(bytes: &[u8], masked: bool, limit: u64) -> Expected {
    let mut reader =
        Reader { bytes, masked, limit, seen: Vec::new(), message: None, handed_out: 0 };
    let mut rest = bytes.len();
    let failure = loop {
        match reader.frame() {
            Ok(()) => rest = reader.bytes.len(),
            Err(Stop::Quiet) => break None,
            Err(Stop::Failure(code)) => break Some(code),
        }
    };
    if matches!(reader.seen.last(), Some(Seen::Close(..))) {
        rest = reader.bytes.len();
    }
    Expected { seen: reader.seen, failure, rest }
}

struct Reader<'b> {
    bytes: &'b [u8],
    masked: bool,
    limit: u64,
    seen: Vec<Seen>,
    /// The message that has not ended: its kind and all of its bytes.
    message: Option<(Kind, Vec<u8>)>,
    /// How many of those bytes have been handed out.
    handed_out: usize,
}

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let (bytes, rest) = self.bytes.split_first_chunk().ok_or(Stop::Quiet)?;
        self.bytes = rest;
        Ok(*bytes)
    }

    fn frame(&mut self) -> Result<(), Stop> {
        let [first, second] = self.take()?;
        let (fin, opcode, control) = (first & 0x80 != 0, first & 0x0f, first & 0x08 != 0);
        let short = second & 0x7f;
        let bad = first & 0x70 != 0
            || matches!(opcode, 3..=7 | 11..=15)
            || (second & 0x80 != 0) != self.masked
            || control && (!fin || short > 125);
        if bad {
            return Err(Stop::Failure(1002));
        }
        let len = match short {
            126 => u64::from(u16::from_be_bytes(self.take()?)),
            127 => u64::from_be_bytes(self.take()?),
            short => u64::from(short),
        };
        let shortest = match len {
            0..126 => len == u64::from(short),
            126..0x1_0000 => short == 126,
            _ => short == 127,
        };
        if !shortest || len > u64::MAX / 2 {
            return Err(Stop::Failure(1002));
        }
        if !control {
            if (opcode == 0) != self.message.is_some() {
                return Err(Stop::Failure(1002));
            }
            let before = self.message.as_ref().map_or(0, |(_, bytes)| bytes.len());
            if u128::from(len) + before as u128 > u128::from(self.limit) {
                return Err(Stop::Failure(1009));
            }
        }
        let key = if self.masked { self.take()? } else { [0; 4] };
        let here = usize::try_from(len).unwrap_or(usize::MAX).min(self.bytes.len());
        let (payload, rest) = self.bytes.split_at(here);
        self.bytes = rest;
        let payload: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        let complete = here as u64 == len;
        if control {
            self.control(opcode, payload, complete)
        } else {
            self.data(opcode, &payload, fin && complete)
        }
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>, complete: bool) -> Result<(), Stop> {
        if !complete {
            return Err(Stop::Quiet);
        }
        match opcode {
            9 => self.seen.push(Seen::Ping(payload)),
            10 => self.seen.push(Seen::Pong(payload)),
            _ => {
                let (code, reason) = match &payload[..] {
                    [] => (None, &[][..]),
                    [_] => return Err(Stop::Failure(1002)),
                    [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
                };
                if let Some(code) = code
                    && !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
                {
                    return Err(Stop::Failure(1002));
                }
                let reason = str::from_utf8(reason).map_err(|_| Stop::Failure(1007))?;
                self.seen.push(Seen::Close(code, reason.into()));
                return Err(Stop::Quiet);
            }
        }
        Ok(())
    }

    fn data(&mut self, opcode: u8, payload: &[u8], last: bool) -> Result<(), Stop> {
        let kind = if opcode == 1 { Kind::Text } else { Kind::Binary };
        let (kind, mut bytes) = self.message.take().unwrap_or((kind, Vec::new()));
        bytes.extend(payload);
        let (whole, bad) = match (kind, str::from_utf8(&bytes)) {
            (Kind::Text, Err(error)) => (error.valid_up_to(), last || error.error_len().is_some()),
            _ => (bytes.len(), false),
        };
        let last = last && !bad;
        if whole > self.handed_out || last {
            let first = !self.seen_start();
            let bytes = bytes[self.handed_out..whole].to_vec();
            Seen::Data { kind, bytes, first, last }.push_to(&mut self.seen);
        }
        self.handed_out = whole;
        if bad {
            return Err(Stop::Failure(1007));
        }
        if last {
            self.handed_out = 0;
        } else {
            self.message = Some((kind, bytes));
        }
        Ok(())
    }

    /// Whether a part of the message has been handed out: parts are empty only at its end.
    fn seen_start(&self) -> bool {
        self.handed_out > 0
    }
}
