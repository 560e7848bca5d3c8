//! A handler behind a connection of the server, without a socket.

use slotmap::SlotMap;
use ws_proto::handshake::Agreed;
use ws_proto::handshake::head::HeadReader;
use ws_proto::keepalive::Instant;
use ws_proto::{Assembler, Client, Config, Connection, Event, Input, Role, Scratch};

use super::requests::context;
use crate::id::Key;
use crate::listener::Serves;
use crate::session::{Read, Session};
use crate::{Handler, Message, Peer, Server};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What `handler` has a peer sent that opens a connection and sends `bytes` behind its request: frames, without the
/// answer to the request. Reads of these sizes lead to the same as one read, or this panics; so a handler must
/// not depend on time, chance or other connections.
pub fn handler<H: Handler + Clone>(handler: &H, sizes: [u8; 2], bytes: &[u8]) -> Vec<u8> {
    let whole = run(handler, &[usize::MAX], bytes);
    let sizes = sizes.map(|size| usize::from(size).saturating_add(1));
    assert_eq!(whole, run(handler, &sizes, bytes), "a split shows");
    whole
}

#[derive(Clone)]
struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
    }
}

/// A handler that sends back what it gets: that is what the core finds in the bytes, and nothing else is sent but a
/// pong for each ping, and a Close.
pub fn echo(sizes: [u8; 2], bytes: &[u8]) {
    let sent = handler(&Echo, sizes, bytes);
    let agreed = Agreed::elsewhere;
    let asked = heard(Connection::new(ws_proto::Server, Config::default(), agreed()), bytes);
    let client = Connection::new(Client(|| [0; 4]), Config::default(), agreed());
    let said = heard(client, &sent);
    let of = |log: &[Heard], pongs: bool| -> Vec<Heard> {
        let kept = log.iter().filter(|heard| match heard {
            Heard::Text(_) | Heard::Binary(_) => true,
            Heard::Ping(_) | Heard::Pong(_) => pongs,
            Heard::Close | Heard::Failed => false,
        });
        kept.cloned().collect()
    };
    assert_eq!(of(&asked, false), of(&said, false));
    let pings = asked.iter().filter_map(|heard| match heard {
        Heard::Ping(bytes) => Some(Heard::Pong(bytes.clone())),
        _ => None,
    });
    let pongs = of(&said, true).into_iter().filter(|heard| matches!(heard, Heard::Pong(_)));
    assert!(pongs.eq(pings), "a ping is not answered, or something else is");
    let ended = |log: &[Heard]| matches!(log.last(), Some(Heard::Close | Heard::Failed));
    assert_eq!(ended(&asked), ended(&said), "{asked:?}, {said:?}");
    assert!(!said.contains(&Heard::Failed), "what was sent breaks the protocol: {said:?}");
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
    Failed,
}

fn heard<R: Role>(mut conn: Connection<R>, bytes: &[u8]) -> Vec<Heard> {
    let (mut bytes, mut heard) = (bytes.to_vec(), Vec::new());
    let mut messages = Assembler::new(Vec::new());
    let mut scratch = Scratch::new();
    let mut input = Input::new(&mut bytes, &mut scratch);
    loop {
        heard.push(match conn.next_event(&mut input) {
            Ok(Some(Event::Ping(data))) => Heard::Ping(data.to_vec()),
            Ok(Some(Event::Pong(data))) => Heard::Pong(data.to_vec()),
            Ok(Some(Event::Close(..))) => Heard::Close,
            Ok(Some(part)) => match messages.push(part) {
                Ok(Some(ws_proto::Message::Text(text))) => Heard::Text(text.to_owned()),
                Ok(Some(ws_proto::Message::Binary(data))) => Heard::Binary(data.to_vec()),
                _ => continue,
            },
            Err(_) => Heard::Failed,
            Ok(None) => return heard,
        });
    }
}

fn run<H: Handler + Clone>(handler: &H, sizes: &[usize], bytes: &[u8]) -> Vec<u8> {
    let builder = Server::builder().route("/", handler.clone());
    let mut handlers: Vec<_> = builder.handlers.iter().map(|new| new()).collect();
    let context = &mut context(builder);
    let mut session = Session::new(Instant::from_millis(0), Serves::Everyone);
    let (key, mut scratch) = (SlotMap::<Key, ()>::with_key().insert(()), Scratch::new());
    let mut sent = Vec::new();
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = bytes;
    let mut read = REQUEST;
    loop {
        let mut bytes = read.to_vec();
        session.receive(key, Read::Bytes(&mut bytes), &mut scratch, &mut handlers, context);
        sent.extend(context.cork.pieces(&[]).flatten());
        context.clear_cork();
        let size = sizes.next().unwrap_or(1).min(rest.len());
        (read, rest) = rest.split_at_checked(size).unwrap_or_default();
        if read.is_empty() {
            break;
        }
    }
    session.end_of_input(key, &mut handlers, context);
    let end = HeadReader::response().end(&sent);
    let Ok(Some(end)) = end else { panic!("there is no answer to the request: {end:?}") };
    sent.split_off(end)
}
