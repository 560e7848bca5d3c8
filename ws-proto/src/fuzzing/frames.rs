//! Bytes from a peer: every split of them against one read, and one read against the reference.

use alloc::vec::Vec;

use super::{Seen, cut, reference};
use crate::handshake::Agreed;
use crate::{
    Client, CloseCode, Config, Connection, Error, Event, Framed, Input, Kind, Message, Part, Pongs,
    Role, Scratch, Server, State, Transport,
};

/// What a connection made of its input.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    seen: Vec<Seen>,
    error: Option<Error>,
    sent: Vec<u8>,
    state: State,
    transport: Transport,
}

/// When what is owed is sent.
#[derive(Clone, Copy)]
enum Sends {
    /// After each event, as it should be.
    Eagerly,
    /// After some reads: a bit for each of five, again and again.
    After(u8),
}

/// The lowest bits of `flags`: a client, the automatic pongs off, no limit to messages. The others
/// tell after which reads a lazy host sends.
pub fn frames(flags: u8, limit: u16, sizes: [u8; 4], bytes: &[u8]) {
    let config = Config {
        max_message: if flags & 4 == 0 { limit.into() } else { u64::MAX },
        pongs: if flags & 2 == 0 { Pongs::Automatic } else { Pongs::Manual },
    };
    if flags & 1 == 0 {
        let server = || Connection::new(Server, config, Agreed::elsewhere());
        check(server, config, Sends::After(flags >> 3), sizes, bytes);
        let peer = Connection::new(Client(|| [1, 2, 3, 4]), config, Agreed::elsewhere());
        again(server(), peer, bytes);
        check_framed(server, sizes, bytes);
    } else {
        let keys = || [0x37, 0xfa, 0x21, 0x3d];
        let client = || Connection::new(Client(keys), config, Agreed::elsewhere());
        check(client, config, Sends::After(flags >> 3), sizes, bytes);
        again(client(), Connection::new(Server, config, Agreed::elsewhere()), bytes);
    }
}

fn check<R: Role>(
    connection: impl Fn() -> Connection<R>,
    config: Config,
    lazily: Sends,
    sizes: [u8; 4],
    bytes: &[u8],
) {
    let whole = run(connection(), [bytes].into_iter(), Sends::Eagerly);
    let split = run(connection(), cut(bytes, &sizes), Sends::Eagerly);
    assert_eq!(whole, split, "a split shows");
    let lazy = run(connection(), cut(bytes, &sizes), lazily);
    assert_eq!((&whole.seen, whole.error), (&lazy.seen, lazy.error), "what is sent shows");

    let expected = reference::read(bytes, R::READS_MASKED, config.max_message);
    assert_eq!(whole.seen, expected.seen);
    let code = whole.error.map(|error| error.close_code().get());
    assert_eq!(code, expected.failure, "{:?}", whole.error);
    let ended = expected.failure.is_some() || matches!(whole.seen.last(), Some(Seen::Close(..)));
    assert_eq!(whole.state, if ended { State::Closed } else { State::Open });
    assert_eq!(whole.transport == Transport::Keep, !ended);
}

/// What was read is the same when the other end says it again.
fn again<R: Role, P: Role>(conn: Connection<R>, mut peer: Connection<P>, bytes: &[u8]) {
    let config = Config { max_message: u64::MAX, ..Config::default() };
    let mut seen = run(conn, [bytes].into_iter(), Sends::Eagerly).seen;
    // A Close frame without a code can't be asked for.
    seen.pop_if(|seen| matches!(seen, Seen::Close(None, _)));
    let mut wire = Vec::new();
    for seen in &seen {
        let said = match seen {
            Seen::Data { kind: Kind::Text, bytes, last, .. } => {
                peer.send(str::from_utf8(bytes).expect("it came as text"), *last, &mut wire)
            }
            Seen::Data { kind: Kind::Binary, bytes, last, .. } => {
                peer.send(&bytes[..], *last, &mut wire)
            }
            Seen::Ping(bytes) => peer.ping(bytes, &mut wire),
            Seen::Pong(bytes) => peer.pong(bytes, &mut wire),
            Seen::Close(code, reason) => {
                let code = code.and_then(CloseCode::new).expect("it came on the wire");
                peer.close(code, reason, &mut wire)
            }
        };
        said.expect("what came can be said");
    }
    let heard = reference::read(&wire, R::READS_MASKED, config.max_message);
    assert_eq!((heard.seen, heard.failure, heard.rest), (seen, None, 0), "it is not what came");
}

/// Messages with a frame around them against those without.
fn check_framed(server: impl Fn() -> Connection<Server>, sizes: [u8; 4], bytes: &[u8]) {
    let mut plain = run(server(), cut(bytes, &sizes), Sends::Eagerly);
    let mut framed = run_framed(server(), cut(bytes, &sizes));
    // Of text that goes wrong no valid beginning is handed out where a whole message was looked for.
    for Run { seen, error, .. } in [&mut plain, &mut framed] {
        let is_text =
            |seen: &mut Seen| matches!(seen, Seen::Data { kind: Kind::Text, last: false, .. });
        if matches!(error, Some(Error::InvalidUtf8 { .. })) {
            seen.pop_if(is_text);
        }
    }
    assert_eq!(plain, framed, "a frame shows");
}

fn run_framed<'b>(mut conn: Connection<Server>, reads: impl Iterator<Item = &'b [u8]>) -> Run {
    let (mut seen, mut error, mut sent) = (Vec::new(), None, Vec::new());
    // How it is asked for one event after the other.
    let mut turn = 0_u8;
    for read in reads {
        let mut read = read.to_vec();
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut read, &mut scratch);
        let mut behind = None;
        loop {
            turn = turn.wrapping_add(1);
            let framed = match turn % 5 {
                0 => None,
                1 | 2 => conn.next_alike(&mut input),
                _ => conn.next_framed(&mut input),
            };
            if let Some(Framed { message, frame }) = framed {
                let mut expected = Vec::new();
                let mut server = Connection::new(Server, Config::default(), Agreed::elsewhere());
                server.send(message, true, &mut expected).expect("a Vec is never full");
                assert_eq!(frame, expected);
                assert!(behind.is_none_or(|behind| behind == frame.as_ptr()), "there is a hole");
                behind = Some(frame.as_ptr_range().end);
                let (first, last) = (true, true);
                let event = match message {
                    Message::Text(data) => Event::Text(Part { data, first, last }),
                    Message::Binary(data) => Event::Binary(Part { data, first, last }),
                };
                Seen::of(event).push_to(&mut seen);
                continue;
            }
            behind = None;
            match conn.next_event(&mut input) {
                Ok(Some(event)) => Seen::of(event).push_to(&mut seen),
                Ok(None) => break,
                Err(found) => assert_eq!(error.replace(found), None, "a second error"),
            }
            conn.poll_transmit(&mut sent).expect("a Vec is never full");
        }
        assert!(input.is_empty(), "`Ok(None)`, and there are bytes left");
        read.fill(0xa5);
    }
    conn.poll_transmit(&mut sent).expect("a Vec is never full");
    Run { seen, error, sent, state: conn.state(), transport: conn.transport() }
}

/// Reads everything, and sends what is owed as `sends` says, and at the end.
fn run<'b, R: Role>(
    mut conn: Connection<R>,
    reads: impl Iterator<Item = &'b [u8]>,
    sends: Sends,
) -> Run {
    let (mut seen, mut error, mut sent) = (Vec::new(), None, Vec::new());
    for (n, read) in reads.enumerate() {
        let mut read = read.to_vec();
        // A frame takes two bytes at least, and a violation may stand behind the last event.
        let mut left = read.len() + 1;
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut read, &mut scratch);
        loop {
            match conn.next_event(&mut input) {
                Ok(Some(event)) => {
                    left = left.checked_sub(1).expect("more events than bytes");
                    Seen::of(event).push_to(&mut seen);
                }
                Ok(None) => break,
                Err(found) => assert_eq!(error.replace(found), None, "a second error"),
            }
            if matches!(sends, Sends::Eagerly) {
                conn.poll_transmit(&mut sent).expect("a Vec is never full");
            }
        }
        assert!(input.is_empty(), "`Ok(None)`, and there are bytes left");
        if matches!(sends, Sends::After(bits) if bits >> (n % 5) & 1 == 1) {
            conn.poll_transmit(&mut sent).expect("a Vec is never full");
        }
        // The buffer is somebody else's from here on.
        read.fill(0xa5);
    }
    conn.poll_transmit(&mut sent).expect("a Vec is never full");
    Run { seen, error, sent, state: conn.state(), transport: conn.transport() }
}
