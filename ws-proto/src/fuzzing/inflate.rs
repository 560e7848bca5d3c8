//! Compressed data from a peer: every split of it against one read, and the limit.

use alloc::vec::Vec;

use super::{Seen, cut, cut_mut};
use crate::deflate::{Agreement, Context, Inflater};
use crate::frame::{Header, Opcode, RSV1};
use crate::handshake::Agreed;
use crate::{Client, Config, Connection, Error, Event, Input, Kind, Scratch};

/// More than an inflater hands out at a time, with what a code point lacks.
const MOST: usize = 16 * 1024 + 3;

/// The lowest bits of `flags`: text, context taken over, a second message of the same data; the highest four: how
/// often `limit` is halved, for what is inflated to little is done with soon. `data` is a message's payload, in fragments of `sizes[0]` and `sizes[1]`; the reads are of `sizes[2]` and `sizes[3]`.
pub fn inflate(flags: u8, limit: u16, sizes: [u8; 4], data: &[u8]) {
    let kind = if flags & 1 == 0 { Kind::Binary } else { Kind::Text };
    let context = Context { takeover: flags & 2 != 0, ..Context::default() };
    let mut bytes = message(kind, &sizes[..2], data);
    if flags & 4 != 0 {
        bytes.extend(message(kind, &sizes[..2], data));
    }
    bytes.extend(b"\x82\x02ok");
    let limit = u64::from(limit >> (flags >> 4)).max(2);
    let whole = run(context, limit, &bytes, &[]);
    let split = run(context, limit, &bytes, &sizes[2..]);
    assert_eq!(whole, split, "a split shows");
    let (seen, error) = whole;
    for seen in &seen {
        if let Seen::Data { bytes, .. } = seen {
            assert!(bytes.len() as u64 <= limit, "more than the limit was handed out");
        }
    }
    match error {
        None => assert_eq!(Some(&Seen::plain(b"ok")), seen.last()),
        Some(Error::InvalidUtf8 { .. }) => assert_eq!(kind, Kind::Text),
        Some(Error::BrokenDeflate | Error::MessageTooBig) => {}
        Some(error) => panic!("{error}: the frames are good"),
    }
}

impl Seen {
    fn plain(bytes: &[u8]) -> Self {
        Self::Data { kind: Kind::Binary, bytes: bytes.to_vec(), first: true, last: true }
    }
}

/// The frames of a compressed message from a server.
fn message(kind: Kind, sizes: &[u8], data: &[u8]) -> Vec<u8> {
    let fragments = cut(data, sizes).collect::<Vec<_>>();
    let mut bytes = Vec::new();
    for (i, fragment) in fragments.iter().chain(fragments.is_empty().then_some(&data)).enumerate() {
        let (last, len) = (i + 1 >= fragments.len(), fragment.len() as u64);
        let first = match i {
            0 => Opcode::Message(kind).first(last) | RSV1,
            _ => Opcode::Continuation.first(last),
        };
        bytes.extend(Header::new(first, len, None).as_bytes());
        bytes.extend(*fragment);
    }
    bytes
}

fn run(
    context: Context,
    max_message: u64,
    bytes: &[u8],
    sizes: &[u8],
) -> (Vec<Seen>, Option<Error>) {
    let agreed = Agreed::elsewhere().with_deflate(Agreement { sent: context, received: context });
    let config = Config { max_message, ..Config::default() };
    let mut conn = Connection::new(Client(|| [0; 4]), config, agreed);
    let mut inflater = Inflater::new(context);
    let (mut seen, mut error) = (Vec::new(), None);
    let mut bytes = bytes.to_vec();
    for read in cut_mut(&mut bytes, sizes) {
        let mut scratch = Scratch::new();
        let mut input = Input::new(read, &mut scratch);
        loop {
            match conn.next_event_inflated(&mut input, &mut inflater) {
                Ok(Some(event)) => {
                    let len = match &event {
                        Event::Text(part) => part.data.len(),
                        Event::Binary(part) => part.data.len(),
                        _ => 0,
                    };
                    assert!(len <= MOST, "a part is larger than the inflater's memory");
                    Seen::note(event, &mut seen);
                }
                Ok(None) => break,
                Err(found) => assert_eq!(error.replace(found), None, "a second error"),
            }
        }
        assert!(input.is_empty(), "Ok(None) means that all is consumed");
    }
    (seen, error)
}
