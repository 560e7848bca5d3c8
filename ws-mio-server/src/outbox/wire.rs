//! Where in a stream of frames the bytes are that a peer has been sent.

/// How far the frame is that was sent last.
///
/// It is followed only where something waits: who takes all that it is sent has taken whole frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wire {
    /// It is sent, or nothing was.
    #[default]
    Boundary,
    /// So many bytes of its header are, and these they were.
    Header { bytes: [u8; 10], len: u8 },
    /// So many bytes of its payload are yet to be.
    Payload(u64),
    /// What is being sent is the head of a response, of whose last four bytes so many match its end.
    Head(u8),
}

/// The end of a head.
const END: [u8; 4] = *b"\r\n\r\n";

impl Wire {
    pub(super) const fn is_boundary(self) -> bool {
        matches!(self, Self::Boundary)
    }

    /// Goes on by these bytes, to their end or to that of the first frame in them: how many those were.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut count: usize = 0;
        loop {
            let rest = bytes.get(count..).unwrap_or_default();
            let Some(first) = rest.first() else { return count };
            if let Self::Payload(left) = *self {
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                *self = match left.saturating_sub(u64::try_from(n).unwrap_or(u64::MAX)) {
                    0 => Self::Boundary,
                    left => Self::Payload(left),
                };
                count = count.saturating_add(n);
            } else {
                *self = self.after(*first);
                count = count.saturating_add(1);
            }
            if self.is_boundary() {
                return count;
            }
        }
    }

    /// Goes on by all of these bytes: how many frames end in them.
    pub(super) fn follow_all(&mut self, mut bytes: &[u8]) -> u32 {
        let mut ends: u32 = 0;
        while !bytes.is_empty() {
            let n = self.follow(bytes);
            bytes = bytes.get(n..).unwrap_or_default();
            ends = ends.saturating_add(self.is_boundary().into());
        }
        ends
    }

    /// Behind one more byte of a header or a head.
    fn after(self, byte: u8) -> Self {
        match self {
            // The first byte of no frame from a server.
            Self::Boundary if byte == b'H' => Self::Head(0),
            Self::Boundary => Self::Header { bytes: [byte; 10], len: 1 },
            Self::Head(matched) => match (END.get(usize::from(matched)), byte) {
                (Some(due), byte) if *due == byte && matched == 3 => Self::Boundary,
                (Some(due), byte) if *due == byte => Self::Head(matched.saturating_add(1)),
                (_, b'\r') => Self::Head(1),
                _ => Self::Head(0),
            },
            Self::Header { mut bytes, len } => {
                if let Some(to) = bytes.get_mut(usize::from(len)) {
                    *to = byte;
                }
                let len = len.saturating_add(1);
                match (len, bytes) {
                    (2, [_, short @ 0..=125, ..]) => Self::of(short.into()),
                    (4, [_, 126, a, b, ..]) => Self::of(u16::from_be_bytes([a, b]).into()),
                    (10, [_, _, long @ ..]) => Self::of(u64::from_be_bytes(long)),
                    _ => Self::Header { bytes, len },
                }
            }
            Self::Payload(left) => Self::of(left.saturating_sub(1)),
        }
    }

    const fn of(payload: u64) -> Self {
        if payload == 0 { Self::Boundary } else { Self::Payload(payload) }
    }
}

#[cfg(test)]
mod tests {
    use super::Wire;

    #[test]
    fn ends_of_frames_are_found_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];
        let mut bytes = b"HTTP/1.1 101 X\r\nA: \r\r\n\r\n".to_vec();
        let mut ends = vec![bytes.len()];
        for len in lengths {
            let header = ws_proto::Header::broadcast(ws_proto::Kind::Binary, len).unwrap();
            bytes.extend(header.as_bytes());
            bytes.resize(bytes.len() + usize::try_from(len).unwrap(), 0x81);
            ends.push(bytes.len());
        }
        for pace in [1, 2, 3, 7, 1000, 100_000] {
            let (mut wire, mut at, mut found) = (Wire::default(), 0, Vec::new());
            for mut chunk in bytes.chunks(pace) {
                while !chunk.is_empty() {
                    let n = wire.follow(chunk);
                    chunk = &chunk[n..];
                    at += n;
                    if wire.is_boundary() {
                        found.push(at);
                    }
                }
            }
            assert_eq!(found, ends, "{pace} bytes at a time");
            let mut wire = Wire::default();
            let ended = bytes.chunks(pace).map(|chunk| wire.follow_all(chunk)).sum::<u32>();
            assert_eq!(ended, 9);
        }
    }
}
