//! Bytes from a peer: every split of them against one read, and one read against the reference.

use alloc::vec::Vec;

use super::{Seen, cut_mut, reference};
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

/// What one read is compared with, beside the reference: one thing for each input, as all of them take four times as long,
/// and the fuzzer comes back with the same bytes for the others.
#[derive(Clone, Copy)]
enum Beside {
    /// Reads of these sizes.
    Split,
    /// The same, by a host that sends what is owed later.
    Lazily,
    /// The other end, which says again what was read.
    Again,
    /// Reads of these sizes, of messages with their frames.
    Framed,
}

/// The lowest bits of `flags`: a client, the automatic pongs off, no limit to messages. The others
/// tell after which reads a lazy host sends.
pub fn frames(flags: u8, limit: u16, sizes: [u8; 4], bytes: &[u8]) {
    // Of all the numbers, so that each goes with everything.
    let [high, low] = limit.to_be_bytes();
    let beside = match sizes.iter().fold(high ^ low ^ flags >> 3, |all, size| all ^ size) & 3 {
        0 => Beside::Split,
        1 => Beside::Lazily,
        2 => Beside::Again,
        _ => Beside::Framed,
    };
    let config = Config {
        max_message: if flags & 4 == 0 { limit.into() } else { u64::MAX },
        pongs: if flags & 2 == 0 { Pongs::Automatic } else { Pongs::Manual },
    };
    if flags & 1 == 0 {
        let server = || Connection::new(Server, config, Agreed::elsewhere());
        let whole = check(server, config, bytes);
        match beside {
            Beside::Split => split(server(), &whole, sizes, bytes),
            Beside::Lazily => lazily(server(), &whole, flags >> 3, sizes, bytes),
            Beside::Again => {
                let peer = Connection::new(Client(|| [1, 2, 3, 4]), config, Agreed::elsewhere());
                again(whole.seen, peer);
            }
            Beside::Framed => check_framed(server, whole, sizes, bytes),
        }
    } else {
        let keys = || [0x37, 0xfa, 0x21, 0x3d];
        let client = || Connection::new(Client(keys), config, Agreed::elsewhere());
        let whole = check(client, config, bytes);
        match beside {
            Beside::Split | Beside::Framed => split(client(), &whole, sizes, bytes),
            Beside::Lazily => lazily(client(), &whole, flags >> 3, sizes, bytes),
            Beside::Again => {
                let peer = Connection::new(Server, config, Agreed::elsewhere());
                again(whole.seen, peer);
            }
        }
    }
}

/// One read, as the reference reads it.
fn check<R: Role>(connection: impl Fn() -> Connection<R>, config: Config, bytes: &[u8]) -> Run {
    let whole = run(connection(), bytes, &[], Sends::Eagerly);
    let expected = reference::read(bytes, R::READS_MASKED, config.max_message);
    assert_eq!(whole.seen, expected.seen);
    let code = whole.error.map(|error| error.close_code().get());
    assert_eq!(code, expected.failure, "{:?}", whole.error);
    let ended = expected.failure.is_some() || matches!(whole.seen.last(), Some(Seen::Close(..)));
    assert_eq!(whole.state, if ended { State::Closed } else { State::Open });
    assert_eq!(whole.transport == Transport::Keep, !ended);
    whole
}

fn split<R: Role>(conn: Connection<R>, whole: &Run, sizes: [u8; 4], bytes: &[u8]) {
    let split = run(conn, bytes, &sizes, Sends::Eagerly);
    assert_eq!(*whole, split, "a split shows");
}

fn lazily<R: Role>(conn: Connection<R>, whole: &Run, bits: u8, sizes: [u8; 4], bytes: &[u8]) {
    let lazy = run(conn, bytes, &sizes, Sends::After(bits));
    assert_eq!((&whole.seen, whole.error), (&lazy.seen, lazy.error), "what is sent shows");
}

/// What an end has read is the same when the other end says it again.
fn again<P: Role>(mut seen: Vec<Seen>, mut peer: Connection<P>) {
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
    let heard = reference::read(&wire, !P::READS_MASKED, u64::MAX);
    assert_eq!((heard.seen, heard.failure, heard.rest), (seen, None, 0), "it is not what came");
}

/// Messages with a frame around them against those without.
fn check_framed(
    server: impl Fn() -> Connection<Server>,
    mut plain: Run,
    sizes: [u8; 4],
    bytes: &[u8],
) {
    let mut framed = run_framed(server(), bytes, &sizes);
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

fn run_framed(mut conn: Connection<Server>, bytes: &[u8], sizes: &[u8]) -> Run {
    let (mut seen, mut error, mut sent) = (Vec::new(), None, Vec::new());
    // How it is asked for one event after the other.
    let mut turn = 0_u8;
    let (mut expected, mut bytes) = (Vec::new(), bytes.to_vec());
    for read in cut_mut(&mut bytes, sizes) {
        let mut scratch = Scratch::new();
        let (mut lone, rest) = match turn % 3 {
            0 => (None, &mut *read),
            _ => match conn.lone_framed(&mut *read) {
                Ok(framed) => (Some(framed), &mut [][..]),
                Err(rest) => (None, rest),
            },
        };
        let mut input = Input::new(rest, &mut scratch);
        let mut behind = None;
        loop {
            turn = turn.wrapping_add(1);
            let framed = match turn % 5 {
                _ if lone.is_some() => lone.take(),
                0 => None,
                1 | 2 => conn.next_alike(&mut input),
                _ => conn.next_framed(&mut input),
            };
            if let Some(Framed { message, frame }) = framed {
                expected.clear();
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
                Seen::note(event, &mut seen);
                continue;
            }
            behind = None;
            match conn.next_event(&mut input) {
                Ok(Some(event)) => Seen::note(event, &mut seen),
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
fn run<R: Role>(mut conn: Connection<R>, bytes: &[u8], sizes: &[u8], sends: Sends) -> Run {
    let (mut seen, mut error, mut sent) = (Vec::new(), None, Vec::new());
    let mut bytes = bytes.to_vec();
    for (n, read) in cut_mut(&mut bytes, sizes).enumerate() {
        // A frame takes two bytes at least, and a violation may stand behind the last event.
        let mut left = read.len() + 1;
        let mut scratch = Scratch::new();
        let mut input = Input::new(read, &mut scratch);
        loop {
            match conn.next_event(&mut input) {
                Ok(Some(event)) => {
                    left = left.checked_sub(1).expect("more events than bytes");
                    Seen::note(event, &mut seen);
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
