//! What clients put on the wire, and what they read from it: heads of answers, and frames.

/// The request that opens a connection.
pub(super) fn request(address: &str, target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// The status of an answer, and the bytes behind its head; `None` while it is not whole.
pub(super) fn head(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, behind) = bytes.split_at(end + 4);
    let status = std::str::from_utf8(head).ok().and_then(|head| head.get(9..12)?.parse().ok());
    Some((status.unwrap_or(0), behind))
}

/// A masked frame of up to 64 KiB. A mask of nothing but zeros leaves the payload as it is.
pub(super) fn frame(start: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(start);
    if payload.len() < 126 {
        out.push(0x80 | payload.len() as u8);
    } else {
        out.push(0x80 | 126);
        out.extend((payload.len() as u16).to_be_bytes());
    }
    out.extend([0; 4]);
    out.extend(payload);
}

/// The first byte of a frame, and its payload.
type Frame<'b> = (u8, &'b [u8]);

/// What comes first, if it is a whole frame of a server, and the rest.
pub(super) fn next(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let [start, short, behind @ ..] = bytes else { return None };
    let (len, behind) = match short {
        126 => {
            let (len, behind) = behind.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*len)), behind)
        }
        127 => {
            let (len, behind) = behind.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*len)).ok()?, behind)
        }
        len => (usize::from(*len), behind),
    };
    let (payload, behind) = behind.split_at_checked(len)?;
    Some(((*start, payload), behind))
}
