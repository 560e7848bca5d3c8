//! RFC 6455 §7: the closing handshake from both ends, failures, and who closes TCP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]

mod harness;

use harness::{
    BINARY, End, FIN, Got, Log, TEXT, Wire, client_conn, close_frame, ends, frame, read, replay,
    server_conn,
};
use ws_proto::{
    CloseCode, Closed, Config, Connection, Error, Full, Kind, Role, SendError, State, Transport,
};

/// What can happen to a connection as far as its closing is concerned.
#[derive(Clone, Copy, Debug)]
enum Op {
    Close,
    /// Into a sink that is full.
    CloseInVain,
    Transmit,
    TransmitInVain,
    PeerTalks,
    PeerCloses,
    PeerErrs,
    PeerEnds,
}

const OPS: [Op; 8] = [
    Op::Close,
    Op::CloseInVain,
    Op::Transmit,
    Op::TransmitInVain,
    Op::PeerTalks,
    Op::PeerCloses,
    Op::PeerErrs,
    Op::PeerEnds,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    Answer,
    Failure,
}

/// §7 in its own terms, written without a look at the crate's.
#[derive(Clone, Copy, Debug)]
struct Model {
    end: End,
    said_close: bool,
    heard_close: bool,
    failed: bool,
    ended: Option<Closed>,
    owed: Option<Owed>,
}

impl Model {
    const fn new(end: End) -> Self {
        let (said_close, heard_close, failed) = (false, false, false);
        Self { end, said_close, heard_close, failed, ended: None, owed: None }
    }

    const fn listens(&self) -> bool {
        !self.heard_close && !self.failed && self.ended.is_none()
    }

    fn state(&self) -> State {
        match (self.said_close, self.heard_close) {
            _ if self.failed || self.ended.is_some() => State::Closed,
            (false, false) => State::Open,
            (true, false) => State::CloseSent,
            (false, true) => State::CloseReceived,
            (true, true) => State::Closed,
        }
    }

    fn transport(&self) -> Transport {
        if self.owed.is_some() {
            // The Close frame goes out first.
            Transport::Keep
        } else if self.failed || self.ended.is_some() {
            Transport::Close
        } else if self.state() == State::Closed {
            // §7.1.1: the server closes TCP first.
            if self.end == End::Server { Transport::Close } else { Transport::AwaitEof }
        } else {
            Transport::Keep
        }
    }

    /// Does `op`; what the connection must do with it.
    fn step(&mut self, op: Op) -> Outcome {
        let peer = self.end.peer();
        let mut outcome = Outcome::default();
        match op {
            Op::Close | Op::CloseInVain if self.state() != State::Open => {
                outcome.refused = Some(SendError::Closing);
            }
            Op::CloseInVain => outcome.refused = Some(SendError::Full),
            Op::Close => {
                self.said_close = true;
                outcome.sent = close_frame(peer, 4000, "done");
            }
            Op::TransmitInVain => outcome.refused = self.owed.map(|_| SendError::Full),
            Op::Transmit => {
                if let Some(owed) = self.owed.take() {
                    self.said_close = true;
                    outcome.sent = match owed {
                        Owed::Answer => close_frame(peer, 3000, ""),
                        Owed::Failure => close_frame(peer, 1002, Error::ReservedBits(4).reason()),
                    };
                }
            }
            Op::PeerTalks | Op::PeerCloses | Op::PeerErrs if !self.listens() => {}
            Op::PeerTalks => outcome.got = vec![Got::text("hi")],
            Op::PeerCloses => {
                self.heard_close = true;
                self.owed = (!self.said_close).then_some(Owed::Answer);
                outcome.got = vec![Got::close(3000, "bye")];
            }
            Op::PeerErrs => {
                self.failed = true;
                self.owed = (!self.said_close).then_some(Owed::Failure);
                outcome.error = Some(Error::ReservedBits(4));
            }
            Op::PeerEnds => {
                let clean = self.heard_close && !self.failed;
                let now = if clean { Closed::Clean } else { Closed::Abnormal };
                outcome.ended = Some(*self.ended.get_or_insert(now));
            }
        }
        outcome
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    sent: Vec<u8>,
    refused: Option<SendError>,
    got: Vec<Got>,
    error: Option<Error>,
    ended: Option<Closed>,
}

fn apply<R: Role>(conn: &mut Connection<R>, to: End, op: Op) -> Outcome {
    let code = CloseCode::new(4000).unwrap();
    let mut outcome = Outcome::default();
    let mut wire = Wire::default();
    let mut full = Wire::with_capacity(3);
    match op {
        Op::Close => outcome.refused = conn.close(code, "done", &mut wire).err(),
        Op::CloseInVain => outcome.refused = conn.close(code, "done", &mut full).err(),
        Op::Transmit => outcome.refused = conn.poll_transmit(&mut wire).err().map(Into::into),
        Op::TransmitInVain => outcome.refused = conn.poll_transmit(&mut full).err().map(Into::into),
        Op::PeerTalks => listen(conn, &frame(to, FIN | TEXT, b"hi"), &mut outcome),
        Op::PeerCloses => listen(conn, &close_frame(to, 3000, "bye"), &mut outcome),
        Op::PeerErrs => listen(conn, &frame(to, FIN | 0x40 | TEXT, b"hi"), &mut outcome),
        Op::PeerEnds => outcome.ended = Some(conn.peer_eof()),
    }
    assert_eq!(full.bytes, b"");
    outcome.sent.extend(wire.bytes);
    outcome
}

/// Reads without sending.
fn listen<R: Role>(conn: &mut Connection<R>, bytes: &[u8], outcome: &mut Outcome) {
    let mut log = Log { sent: Wire::with_capacity(0), ..Log::default() };
    read(conn, bytes, &mut log);
    (outcome.got, outcome.error) = (log.got, log.error);
}

/// Every sequence of five operations, in both roles, against the model.
#[test]
fn the_state_machine_is_that_of_the_specification() {
    for n in 0..OPS.len().pow(5) {
        let ops: Vec<Op> = (0..5).map(|i| OPS[n / OPS.len().pow(i) % OPS.len()]).collect();
        follows_the_model(End::Server, server_conn(Config::default()), &ops);
        follows_the_model(End::Client, client_conn(Config::default()), &ops);
    }
}

fn follows_the_model<R: Role>(end: End, mut conn: Connection<R>, ops: &[Op]) {
    let mut model = Model::new(end);
    for (i, op) in ops.iter().enumerate() {
        let expected = model.step(*op);
        assert_eq!(apply(&mut conn, end, *op), expected, "{end:?}, {:?}", &ops[..=i]);
        assert_eq!(conn.state(), model.state(), "{end:?}, {:?}", &ops[..=i]);
        assert_eq!(conn.transport(), model.transport(), "{end:?}, {:?}", &ops[..=i]);
    }
    let mut wire = Wire::default();
    let sent = conn.send("x", true, &mut wire);
    let expected = if model.state() == State::Open { Ok(()) } else { Err(SendError::Closing) };
    assert_eq!(sent, expected, "{end:?}, {ops:?}");
    assert_eq!(conn.send_header(Kind::Text, 0, true).map(drop), expected);
    assert_eq!(conn.ping(b"", &mut wire), expected);
    assert_eq!(wire.bytes.is_empty(), expected.is_err());
}

/// §7.4.2 and the IANA registry.
fn may_be_on_the_wire(code: u16) -> bool {
    (code > 999 && code < 1015 && ![1004, 1005, 1006].contains(&code))
        || code / 1000 == 3
        || code / 1000 == 4
}

#[test]
fn every_status_code_is_answered_in_kind_or_refused() {
    for (code, (end, _)) in (0..=u16::MAX).flat_map(|code| ends().map(move |end| (code, end))) {
        let bytes = close_frame(end, code, "x");
        let (log, ..) = replay(end, Config::default(), [&bytes[..]]);
        if may_be_on_the_wire(code) {
            assert_eq!((log.got, log.error), (vec![Got::close(code, "x")], None));
            assert_eq!(log.sent.bytes, close_frame(end.peer(), code, ""));
        } else {
            let error = Error::CloseCodeForbidden(code);
            assert_eq!((log.got, log.error), (vec![], Some(error)));
            assert_eq!(log.sent.bytes, close_frame(end.peer(), 1002, error.reason()));
        }
    }
}

#[test]
fn every_status_code_that_exists_can_be_sent() {
    for code in 0..=u16::MAX {
        assert_eq!(CloseCode::new(code).is_some(), may_be_on_the_wire(code), "{code}");
        let Some(code) = CloseCode::new(code) else { continue };
        let mut wire = Wire::default();
        server_conn(Config::default()).close(code, "x", &mut wire).unwrap();
        assert_eq!(wire.bytes, close_frame(End::Client, code.get(), "x"));
    }
}

#[test]
fn a_reason_has_at_most_123_bytes() {
    let reason = "\u{e9}".repeat(61) + "xx";
    let mut conn = client_conn(Config::default());
    let mut wire = Wire::default();
    assert_eq!(conn.close(CloseCode::NORMAL, &reason, &mut wire), Err(SendError::TooLong));
    assert_eq!((conn.state(), &wire.bytes[..]), (State::Open, &b""[..]));
    conn.close(CloseCode::NORMAL, &reason[..123], &mut wire).unwrap();
    assert_eq!(wire.bytes, close_frame(End::Server, 1000, &reason[..123]));
}

/// §7.1.5: both say Close at once, and each takes the other's for the answer.
#[test]
fn both_ends_close_at_once() {
    let mut server = server_conn(Config::default());
    let mut client = client_conn(Config::default());
    let (mut at_server, mut at_client) = (Log::default(), Log::default());
    server.close(CloseCode::GOING_AWAY, "s", &mut at_server.sent).unwrap();
    client.close(CloseCode::NORMAL, "c", &mut at_client.sent).unwrap();
    let (to_client, to_server) = (at_server.sent.take(), at_client.sent.take());
    read(&mut server, &to_server, &mut at_server);
    read(&mut client, &to_client, &mut at_client);
    assert_eq!((&at_server.got[..], at_server.sent.bytes), (&[Got::close(1000, "c")][..], vec![]));
    assert_eq!((&at_client.got[..], at_client.sent.bytes), (&[Got::close(1001, "s")][..], vec![]));
    assert_eq!((server.state(), server.transport()), (State::Closed, Transport::Close));
    assert_eq!((client.state(), client.transport()), (State::Closed, Transport::AwaitEof));
    assert_eq!((server.peer_eof(), client.peer_eof()), (Closed::Clean, Closed::Clean));
    assert_eq!((server.transport(), client.transport()), (Transport::Close, Transport::Close));
}

/// §5.5.1: the rest of a message may still come after this end has said Close.
#[test]
fn messages_come_until_the_peer_closes_too() {
    for (end, to) in ends() {
        let bytes = [
            to(TEXT, b"still "),
            to(FIN, b"here"),
            to(FIN | BINARY, b"!"),
            close_frame(end, 1000, ""),
            to(FIN | TEXT, b"too late"),
        ]
        .concat();
        for size in 1..=bytes.len() {
            let mut log = Log::default();
            let mut run = |conn: &mut dyn FnMut(&[u8], &mut Log)| {
                for chunk in bytes.chunks(size) {
                    conn(chunk, &mut log);
                }
            };
            let (mut server, mut client) =
                (server_conn(Config::default()), client_conn(Config::default()));
            let mut out = Wire::default();
            if end == End::Server {
                server.close(CloseCode::NORMAL, "", &mut out).unwrap();
                run(&mut |chunk, log| read(&mut server, chunk, log));
            } else {
                client.close(CloseCode::NORMAL, "", &mut out).unwrap();
                run(&mut |chunk, log| read(&mut client, chunk, log));
            }
            let expected = [Got::text("still here"), Got::binary(b"!"), Got::close(1000, "")];
            assert_eq!(log.got, expected, "{end:?}, chunks of {size}");
            assert_eq!((log.error, &log.sent.bytes[..]), (None, &b""[..]), "nothing is sent");
        }
    }
}

/// The limit and UTF-8 hold after this end has said Close, and there is no second Close frame.
#[test]
fn a_failure_after_a_close_was_sent_is_reported_and_not_told() {
    let bad = [
        (frame(End::Server, TEXT, b"\xff"), Error::InvalidUtf8 { offset: 0 }),
        (frame(End::Server, BINARY, b"too big"), Error::MessageTooBig),
        (frame(End::Server, FIN, b""), Error::NothingToContinue),
        (frame(End::Server, harness::CLOSE, b"?"), Error::CloseBodyTooShort),
    ];
    for (bytes, error) in bad {
        let mut conn = server_conn(harness::limit(5));
        let mut log = Log::default();
        conn.close(CloseCode::NORMAL, "", &mut log.sent).unwrap();
        log.sent.take();
        read(&mut conn, &bytes, &mut log);
        assert_eq!((log.error, &log.sent.bytes[..]), (Some(error), &b""[..]));
        assert_eq!((conn.state(), conn.transport()), (State::Closed, Transport::Close));
        assert_eq!(conn.peer_eof(), Closed::Abnormal);
    }
}

/// §7.1.7: whatever comes after a failure, or after a Close, is read and thrown away.
#[test]
fn everything_behind_the_end_is_discarded() {
    let endings = [frame(End::Client, FIN | 3, b""), close_frame(End::Client, 1000, "")];
    for ending in endings {
        let mut conn = client_conn(Config::default());
        let mut log = Log::default();
        read(&mut conn, &ending, &mut log);
        let told = log.clone();
        for junk in [vec![0xff; 10_000], frame(End::Client, FIN | TEXT, b"x"), ending.clone()] {
            read(&mut conn, &junk, &mut log);
            assert_eq!(log, told);
        }
    }
}

/// The peer has shut down its sending side only: it can still read the answer.
#[test]
fn a_half_closed_peer_gets_what_is_owed() {
    let mut conn = server_conn(Config::default());
    let mut wire = Wire::with_capacity(0);
    let mut log = Log { sent: wire.clone(), ..Log::default() };
    read(&mut conn, &frame(End::Server, harness::PING, b"p"), &mut log);
    read(&mut conn, &close_frame(End::Server, 1000, ""), &mut log);
    assert_eq!(conn.peer_eof(), Closed::Clean);
    assert_eq!((conn.state(), conn.transport()), (State::Closed, Transport::Keep));
    wire.capacity = 5;
    assert_eq!(conn.poll_transmit(&mut wire), Err(Full), "room for the pong");
    assert_eq!(wire.take(), frame(End::Client, harness::PONG, b"p"));
    assert_eq!(conn.transport(), Transport::Keep);
    conn.poll_transmit(&mut wire).unwrap();
    assert_eq!(wire.take(), close_frame(End::Client, 1000, ""));
    assert_eq!((conn.state(), conn.transport()), (State::Closed, Transport::Close));
    assert_eq!(conn.peer_eof(), Closed::Clean, "as it was said before");
}

/// What a Close frame tells of a failure is for people, and fits into it.
#[test]
fn every_error_has_a_code_and_a_reason() {
    let protocol = [
        Error::ReservedBits(7),
        Error::ReservedOpcode(15),
        Error::NotMasked,
        Error::Masked,
        Error::LengthNotMinimal,
        Error::LengthTopBit,
        Error::ControlTooLong,
        Error::ControlFragmented,
        Error::NothingToContinue,
        Error::MessageUnfinished,
        Error::CloseBodyTooShort,
        Error::CloseCodeForbidden(u16::MAX),
    ];
    let payload = [Error::InvalidUtf8 { offset: u32::MAX }, Error::CloseReasonNotUtf8];
    let all = protocol.map(|error| (error, 1002)).into_iter();
    for (error, code) in
        all.chain(payload.map(|error| (error, 1007))).chain([(Error::MessageTooBig, 1009)])
    {
        assert_eq!(error.close_code().get(), code, "{error:?}");
        let reason = error.reason();
        assert!(reason.is_ascii() && (1..=123).contains(&reason.len()), "{error:?}");
        assert!(error.to_string().starts_with(reason), "{error:?}");
    }
    assert!(Error::ReservedBits(4).to_string().ends_with("(RSV1-3 = 100)"));
    assert!(Error::ReservedOpcode(11).to_string().ends_with(" 0xb"));
    assert!(Error::CloseCodeForbidden(1005).to_string().ends_with("(1005)"));
    assert!(Error::InvalidUtf8 { offset: 12 }.to_string().ends_with("at byte 12 of the message"));
}
