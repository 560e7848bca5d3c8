//! The core beside tungstenite: the same bytes from a peer, and what each makes of them.
//!
//! Both must hear the same messages, pings, pongs and Close frames, in the same order, and find fault with the same
//! frame, but for what is deliberate:
//!
//! | RFC 6455 | we | tungstenite |
//! |---|---|---|
//! | §5.2, length not in its shortest form | refuse it | takes it |
//! | §5.2, §5.4, §5.5: a header that can't stand there | refuse it at the header | when all of the frame has come |
//! | §8.1, bad UTF-8 | refuse it at the first bad byte | when all of the frame has come |
//! | §10.4, a message over the limit | refuse it at the header | of fragments, when all of the frame has come |
//! | §7.4, a status code that must not be sent | fail the connection | hands out a Close 1002 |
//! | §7.4, status code 1014, which was registered later | take it | hands out a Close 1002 |

use std::io::{self, Cursor, Read, Write};
use std::ops::Range;

use tungstenite::protocol::{Role as Side, WebSocketConfig};
use tungstenite::{Error as Theirs, Message as Whole, WebSocket};
use ws_proto::handshake::Agreed;
use ws_proto::{
    Assembler, Client, Config, Connection, Error, Event, Input, Message, Role, Scratch, Server,
};

/// What an end has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// `client`: the bytes are a server's. `limit`: of a message, beyond what a control frame may have.
pub fn tungstenite(client: bool, limit: u8, bytes: &[u8]) {
    let limit = 125 + usize::from(limit);
    let frames = frames(bytes);
    let config = Config { max_message: limit as u64, ..Config::default() };
    let (ours, fault) = if client {
        hear(Connection::new(Client(|| [0; 4]), config, Agreed::elsewhere()), bytes, &frames)
    } else {
        hear(Connection::new(Server, config, Agreed::elsewhere()), bytes, &frames)
    };
    // Up to the frame that we find fault with, if there is one.
    let at = fault.map_or(frames.len(), |(at, _)| at + 1);
    let end = frames[..at].last().map_or(0, |frame| frame.end);
    let is_cut = frames[..at].last().is_some_and(|frame| frame.end > bytes.len());
    let (theirs, failed) = hear_theirs(client, limit, &bytes[..end.min(bytes.len())]);
    match fault.map(|(_, error)| error) {
        // A control frame has one form of length, too.
        Some(Error::LengthNotMinimal | Error::ControlTooLong) => assert!(theirs.starts_with(&ours)),
        Some(Error::CloseCodeForbidden(_)) => {
            let refused = Heard::Close(Some(1002), "Protocol violation".into());
            // Or, behind that code, a reason that is not UTF-8.
            let heard = if failed.is_none() { vec![refused] } else { vec![] };
            assert_eq!(theirs, [&ours[..], &heard].concat(), "{failed:?}");
        }
        Some(error) => {
            assert_eq!(theirs, ours, "{error:?}, {failed:?}");
            assert!(failed.is_some() || is_cut, "they find no fault with it: {error:?}");
        }
        None => {
            let mut theirs = theirs;
            if let (Some(Heard::Close(Some(1014), _)), Some(last)) =
                (ours.last(), theirs.last_mut())
                && *last == Heard::Close(Some(1002), "Protocol violation".into())
            {
                last.clone_from(&ours[ours.len() - 1]);
            }
            assert_eq!(theirs, ours, "{failed:?}");
            assert_eq!(failed, None, "we find no fault with it");
        }
    }
}

/// Where frames begin and end; the last may end behind the bytes.
fn frames(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut frames, mut start) = (Vec::new(), 0usize);
    while let Some(&second) = bytes.get(start.saturating_add(1)) {
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(more) = bytes.get(start + 2..start + 2 + extended) else { break };
        let len = match more {
            [] => u64::from(second & 0x7f),
            more => more.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
        };
        let head = 2 + extended + usize::from(second >> 7) * 4;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let end = (start + head).saturating_add(len);
        frames.push(start..end);
        start = end;
    }
    if start < bytes.len() {
        frames.push(start..bytes.len() + 1);
    }
    frames
}

/// What we hear, frame by frame, and at which frame we find fault with what.
fn hear<R: Role>(
    mut conn: Connection<R>,
    bytes: &[u8],
    frames: &[Range<usize>],
) -> (Vec<Heard>, Option<(usize, Error)>) {
    let (mut heard, mut messages) = (Vec::new(), Assembler::new(Vec::new()));
    for (at, frame) in frames.iter().enumerate() {
        let mut read = bytes[frame.start..frame.end.min(bytes.len())].to_vec();
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut read, &mut scratch);
        loop {
            let event = match conn.next_event(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => return (heard, Some((at, error))),
            };
            match event {
                Event::Ping(data) => heard.push(Heard::Ping(data.to_vec())),
                Event::Pong(data) => heard.push(Heard::Pong(data.to_vec())),
                Event::Close(code, reason) => {
                    heard.push(Heard::Close(code.map(Into::into), reason.into()));
                    return (heard, None);
                }
                part => match messages.push(part).expect("a Vec is never full") {
                    Some(Message::Text(text)) => heard.push(Heard::Text(text.into())),
                    Some(Message::Binary(data)) => heard.push(Heard::Binary(data.to_vec())),
                    None => {}
                },
            }
        }
    }
    (heard, None)
}

/// What they hear, and what they find fault with.
fn hear_theirs(client: bool, limit: usize, bytes: &[u8]) -> (Vec<Heard>, Option<String>) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit))
        .read_buffer_size(1024);
    let side = if client { Side::Client } else { Side::Server };
    let stream = Stream(Cursor::new(bytes));
    let mut socket = WebSocket::from_raw_socket(stream, side, Some(config));
    let mut heard = Vec::new();
    loop {
        match socket.read() {
            Ok(Whole::Text(text)) => heard.push(Heard::Text(text.as_str().into())),
            Ok(Whole::Binary(data)) => heard.push(Heard::Binary(data.to_vec())),
            Ok(Whole::Ping(data)) => heard.push(Heard::Ping(data.to_vec())),
            Ok(Whole::Pong(data)) => heard.push(Heard::Pong(data.to_vec())),
            Ok(Whole::Close(frame)) => {
                let (code, reason) = frame.map_or((None, String::new()), |frame| {
                    (Some(frame.code.into()), frame.reason.as_str().into())
                });
                heard.push(Heard::Close(code, reason));
                return (heard, None);
            }
            Ok(Whole::Frame(_)) => unreachable!("it is never read"),
            Err(Theirs::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (heard, None);
            }
            Err(error) => return (heard, Some(error.to_string())),
        }
    }
}

/// The peer's bytes; what goes to it is forgotten.
struct Stream<'b>(Cursor<&'b [u8]>);

impl Read for Stream<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.0.read(to)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
