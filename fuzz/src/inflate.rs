//! Compressed messages beside miniz_oxide, a second inflater that was written apart from ours (zlib-rs).

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use ws_proto::deflate::{Agreement, Context, Inflater};
use ws_proto::handshake::Agreed;
use ws_proto::{Client, Config, Connection, Error, Event, Input, Scratch};

/// What ends a message's data, and does not go over the wire (RFC 7692 §7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// How much the other inflater may write at once.
const ROOM: usize = 1024;

/// `messages`: the data of compressed messages, one after the other, which share their window if the lowest bit of `flags`
/// is set; the highest four: how often `limit` is halved, for what is inflated to little is done with soon.
///
/// What we inflate is what they inflate; data that they find broken we do, too; over the limit is what is over it.
/// We alone find fault with data that stops within a block (§7.2.1), for they can't tell.
pub fn inflate(flags: u8, limit: u16, messages: &[&[u8]]) {
    let takeover = flags & 1 == 1;
    let limit = u64::from(limit >> (flags >> 4)).max(1);
    let context = Context { takeover, ..Context::default() };
    let agreement = Agreement { sent: context, received: context };
    let config = Config { max_message: limit, ..Config::default() };
    let agreed = Agreed::elsewhere().with_deflate(agreement);
    let mut conn = Connection::new(Client(|| [0; 4]), config, agreed);
    let mut inflater = Inflater::new(context);
    let mut other = Other { state: DecompressorOxide::new(), window: Vec::new() };
    for data in messages {
        let (ours, fault) = ours(&mut conn, &mut inflater, data);
        assert!(ours.len() as u64 <= limit, "more than the limit was handed out");
        let (theirs, broken) = other.inflate(data, limit);
        match fault {
            None => assert_eq!((&theirs, broken), (&ours, false), "{data:x?}"),
            Some(Error::MessageTooBig) => {
                assert!(theirs.len() as u64 > limit, "it is not over the limit");
                assert_eq!(ours, theirs[..ours.len()]);
            }
            // Of broken data they keep back what was good.
            Some(Error::BrokenDeflate) => assert!(broken || theirs.starts_with(&ours)),
            Some(error) => panic!("{error}: the frames are good"),
        }
        assert!(!broken || fault.is_some(), "they find it broken");
        if fault.is_some() {
            return;
        }
        if !takeover {
            other.reset();
        }
    }
}

/// A binary message in one frame.
fn ours<R: ws_proto::Role>(
    conn: &mut Connection<R>,
    inflater: &mut Inflater,
    data: &[u8],
) -> (Vec<u8>, Option<Error>) {
    let mut frame = vec![0xc2];
    match u16::try_from(data.len()) {
        Ok(len @ 0..126) => frame.push(len.to_be_bytes()[1]),
        Ok(len) => {
            frame.push(126);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend((data.len() as u64).to_be_bytes());
        }
    }
    frame.extend(data);
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut frame, &mut scratch);
    let mut inflated = Vec::new();
    // Each step hands something out or is the last.
    loop {
        match conn.next_event_inflated(&mut input, inflater) {
            Ok(Some(Event::Binary(part))) => {
                assert!(!part.data.is_empty() || part.last, "a step without a result");
                inflated.extend(part.data);
                if part.last {
                    return (inflated, None);
                }
            }
            Ok(Some(event)) => panic!("{event:?}"),
            Ok(None) => panic!("all of it has come"),
            Err(error) => return (inflated, Some(error)),
        }
    }
}

/// The other inflater, over all that it has inflated, which is its window.
struct Other {
    state: DecompressorOxide,
    window: Vec<u8>,
}

impl Other {
    fn reset(&mut self) {
        self.state = DecompressorOxide::new();
        self.window.clear();
    }

    /// What it inflates, up to a byte behind the limit, and whether it finds it broken.
    fn inflate(&mut self, data: &[u8], limit: u64) -> (Vec<u8>, bool) {
        const FLAGS: u32 = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let whole = [data, &TAIL].concat();
        let (mut rest, mut inflated) = (&whole[..], Vec::new());
        loop {
            let at = self.window.len();
            let left = usize::try_from(limit).unwrap_or(usize::MAX) + 1 - inflated.len();
            // By and by, as most of it is never used.
            let room = left.min(ROOM);
            self.window.resize(at + room, 0);
            let (status, read, written) =
                decompress(&mut self.state, rest, &mut self.window, at, FLAGS);
            rest = &rest[read..];
            self.window.truncate(at + written);
            inflated.extend(&self.window[at..]);
            match status {
                // A final block ends one stream and begins another, or the message (§7.2.3.4).
                TINFLStatus::Done => {
                    self.reset();
                    if rest.len() <= TAIL.len() {
                        return (inflated, false);
                    }
                }
                TINFLStatus::HasMoreOutput if written < left => {}
                TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {
                    return (inflated, false);
                }
                _ => return (inflated, true),
            }
        }
    }
}
