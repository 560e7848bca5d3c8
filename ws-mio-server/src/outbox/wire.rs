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
    /// So many bytes of its payload are yet to be, or of what goes before all frames.
    Payload(u64),
}

impl Wire {
    pub(super) const fn is_boundary(self) -> bool {
        matches!(self, Self::Boundary)
    }

    /// So many bytes before a boundary.
    pub(super) fn within(left: usize) -> Self {
        Self::of(u64::try_from(left).unwrap_or(u64::MAX))
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

    /// Behind one more byte of a header.
    fn after(self, byte: u8) -> Self {
        match self {
            Self::Boundary => Self::Header { bytes: [byte; 10], len: 1 },
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
        // What goes before all frames, of which nothing is told but how much it is.
        let mut bytes = b"HTTP/1.1 101 X\r\n\r\n".to_vec();
        let mut ends = vec![bytes.len()];
        let head = Wire::within(bytes.len());
        assert!(Wire::within(0).is_boundary());
        for len in lengths {
            let header = ws_proto::Header::broadcast(ws_proto::Kind::Binary, len).unwrap();
            bytes.extend(header.as_bytes());
            bytes.resize(bytes.len() + usize::try_from(len).unwrap(), 0x81);
            ends.push(bytes.len());
        }
        for pace in [1, 2, 3, 7, 1000, 100_000] {
            let (mut wire, mut at, mut found) = (head, 0, Vec::new());
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
            let mut wire = head;
            let ended = bytes.chunks(pace).map(|chunk| wire.follow_all(chunk)).sum::<u32>();
            assert_eq!(ended, 9);
        }
    }
}
