//! The blocking kind.

use super::pipe::{Idle, NONCE, Pipe, ask, client_frames, echo_server, events_of, key};
use ws_proto::handshake::{Choice, Field, HandshakeError, Reject, RequestError, Response};
use ws_proto::io::{Buffers, Error, Received, Socket};
use ws_proto::keepalive::{Due, Instant, Keepalive, Timing};
use ws_proto::{Client, CloseCode, Closed, Config, Event, Message, SendError};

type ClientSocket<'b> = Socket<'b, Pipe, Client<fn() -> [u8; 4]>>;

fn connect<'b>(pipe: &Pipe, buffers: Buffers<'b>) -> Result<ClientSocket<'b>, Error<Idle>> {
    let random: fn() -> [u8; 4] = key;
    Socket::connect(pipe.clone(), ask(), NONCE, random, Config::default(), buffers)
}

/// Runs a test with a client of an echo server, at every size of reads and writes.
fn with_client(test: impl Fn(&mut ClientSocket<'_>, &Pipe)) {
    for size in (1..20).chain([64, 1000]) {
        let pipe = Pipe::to(size, echo_server());
        let (mut read, mut write) = ([0; 256], [0; 256]);
        let buffers = Buffers { read: &mut read, write: &mut write };
        let mut socket = connect(&pipe, buffers).unwrap();
        assert_eq!(socket.subprotocol(), Some("b"));
        test(&mut socket, &pipe);
    }
}

/// The next event, as text.
fn next(socket: &mut ClientSocket<'_>) -> String {
    loop {
        match socket.receive().unwrap() {
            Received::Event(event, _) => return format!("{event:?}"),
            Received::Nothing => {}
            Received::Closed(closed) => return format!("{closed:?}"),
        }
    }
}

#[test]
fn whole_messages_come_in_a_buffer() {
    with_client(|socket, _| {
        let mut buffer = [0; 300];
        for text in ["", "hello", "\u{20ac}\u{1f600}", &"x".repeat(200)] {
            socket.send(text, true).unwrap();
            assert_eq!(socket.read_message(&mut buffer), Ok(Some(Message::Text(text))));
        }
        // In fragments, larger than the read buffer.
        socket.send(&[1; 150], false).unwrap();
        socket.send(&[2; 150], true).unwrap();
        let whole = [[1; 150], [2; 150]].concat();
        assert_eq!(socket.read_message(&mut buffer), Ok(Some(Message::Binary(&whole))));
        socket.close(CloseCode::NORMAL, "bye").unwrap();
        assert_eq!(socket.read_message(&mut buffer), Ok(None));
        assert_eq!(socket.read_message(&mut buffer), Ok(None));
    });
}

#[test]
fn a_message_larger_than_every_buffer_streams_through() {
    with_client(|socket, _| {
        for i in 0..50u8 {
            socket.send(&[i; 100], i == 49).unwrap();
        }
        let (mut come, mut done) = (Vec::<u8>::new(), false);
        while !done {
            if let Received::Event(Event::Binary(part), _) = socket.receive().unwrap() {
                assert_eq!(part.first, come.is_empty());
                come.extend(part.data);
                done = part.last;
            }
        }
        let sent: Vec<u8> = (0..50u8).flat_map(|i| [i; 100]).collect();
        assert_eq!(come, sent);
    });
}

#[test]
fn pings_are_answered_and_events_can_be() {
    with_client(|socket, pipe| {
        // The server's ping came with its answer; the pong leaves before the next read.
        assert_eq!(next(socket), format!("{:?}", Event::Ping(b"first")));
        socket.sender().ping(b"mine").unwrap();
        assert_eq!(next(socket), format!("{:?}", Event::Pong(b"mine")));
        socket.send("again", true).unwrap();
        match socket.read_message(&mut [0; 9]) {
            Ok(Some(Message::Text("again"))) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(pipe.written(), [], "all was written before the read");
        socket.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(next(socket), format!("{:?}", Event::Close(Some(CloseCode::NORMAL), "")));
        assert_eq!(next(socket), "Clean");
        assert_eq!(socket.send("late", true), Err(Error::Send(SendError::Closing)));
    });
}

#[test]
fn an_event_is_answered_while_it_is_held() {
    let pipe = Pipe::to(7, echo_server());
    let (mut read, mut write) = ([0; 256], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket = connect(&pipe, buffers).unwrap();
    assert_eq!(next(&mut socket), format!("{:?}", Event::Ping(b"first")));
    socket.send("ball", true).unwrap();
    for _ in 0..5 {
        let mut bounced = false;
        while !bounced {
            if let Received::Event(Event::Text(part), mut sender) = socket.receive().unwrap() {
                sender.send(part.data, part.last).unwrap();
                bounced = part.last;
            }
        }
    }
}

#[test]
fn a_message_that_does_not_fit_is_an_error_to_its_end() {
    with_client(|socket, _| {
        socket.send("1234567890", true).unwrap();
        socket.send("abc", true).unwrap();
        let mut buffer = [0; 4];
        let mut results = Vec::new();
        let text = loop {
            match socket.read_message(&mut buffer) {
                Ok(message) => break message.map(|message| message.as_bytes().to_vec()),
                Err(error) => results.push(error),
            }
        };
        assert_eq!(text, Some(b"abc".to_vec()), "not a piece of the first");
        assert!(!results.is_empty() && results.iter().all(|error| *error == Error::Full));
    });
}

#[test]
fn a_stream_that_fails_for_a_while_loses_nothing() {
    let pipe = Pipe::new(1000);
    pipe.push(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    let (mut read, mut write) = ([0; 256], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let mut socket = connect(&pipe, buffers).unwrap();
    assert_eq!(socket.subprotocol(), None);
    let mut buffer = [0; 16];
    assert_eq!(socket.read_message(&mut buffer), Err(Error::Stream(Idle)));
    for byte in b"\x01\x02he\x89\x01!\x80\x03llo" {
        pipe.push(&[*byte]);
        match socket.read_message(&mut buffer) {
            Ok(Some(message)) => assert_eq!(message, Message::Text("hello")),
            other => assert_eq!(other, Err(Error::Stream(Idle))),
        }
    }
    let written = pipe.written();
    assert_eq!(&written[written.len() - 7..][..2], [0x8a, 0x81], "a pong in between");
    // The peer goes away in the middle of it.
    pipe.state(|state| state.ended = true);
    assert_eq!(socket.read_message(&mut buffer), Ok(None));
    assert!(matches!(socket.receive(), Ok(Received::Closed(Closed::Abnormal))));
}

#[test]
fn a_violation_is_told() {
    with_client(|socket, pipe| {
        assert_eq!(next(socket), format!("{:?}", Event::Ping(b"first")));
        pipe.push(b"\x81\x01\xff");
        let error = loop {
            match socket.receive() {
                Ok(Received::Nothing) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error, Error::Protocol(ws_proto::Error::InvalidUtf8 { offset: 0 }));
        let told = events_of(pipe.written());
        assert_eq!(told.last().unwrap(), "Close(Some(CloseCode(1007)), \"text is not UTF-8\")");
        assert!(matches!(socket.receive(), Ok(Received::Closed(Closed::Abnormal))));
    });
}

/// The text before it comes first, and nothing more need be read.
#[test]
fn a_violation_behind_good_text_is_told_at_once() {
    with_client(|socket, pipe| {
        assert_eq!(next(socket), format!("{:?}", Event::Ping(b"first")));
        pipe.push(b"\x81\x03ok\xff");
        let error = socket.read_message(&mut [0; 8]).unwrap_err();
        assert_eq!(error, Error::Protocol(ws_proto::Error::InvalidUtf8 { offset: 2 }));
        let told = events_of(pipe.written());
        assert_eq!(told.last().unwrap(), "Close(Some(CloseCode(1007)), \"text is not UTF-8\")");
    });
}

#[test]
fn refusals_by_the_server() {
    let refused = |answer: &[u8]| {
        let pipe = Pipe::new(11);
        pipe.push(answer);
        pipe.state(|state| state.ended = true);
        let (mut read, mut write) = ([0; 64], [0; 256]);
        connect(&pipe, Buffers { read: &mut read, write: &mut write }).map(drop)
    };
    let status = Error::Handshake(HandshakeError::Status(503));
    assert_eq!(refused(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n"), Err(status));
    let head = ws_proto::handshake::head::HeadError::Control;
    assert_eq!(refused(b"\x16\x03\x01"), Err(Error::Handshake(HandshakeError::Head(head))));
    assert_eq!(refused(b"HTTP/1.1 101"), Err(Error::Ended));
    assert_eq!(refused(&[b'x'; 80]), Err(Error::Full));
}

#[test]
fn small_buffers_are_errors() {
    let pipe = Pipe::new(9);
    let (mut read, mut write) = ([0; 64], [0; 100]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    assert_eq!(connect(&pipe, buffers).map(drop), Err(Error::Request(RequestError::Full)));
    with_client(|socket, _| {
        let large = Err(Error::Send(SendError::Full));
        assert_eq!(socket.send(&[0; 249], true), large);
        assert_eq!(socket.send(&[0; 248], true), Ok(()));
    });
}

#[test]
fn a_server_by_the_same_pieces() {
    for size in (1..20).chain([1000]) {
        let pipe = Pipe::new(size);
        pipe.push(
            b"GET /led HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Protocol: x, led\r\n\r\n",
        );
        let (mut read, mut write) = ([0; 300], [0; 256]);
        let buffers = Buffers { read: &mut read, write: &mut write };
        let mut socket =
            Socket::accept(pipe.clone(), Config::default(), buffers, |target, upgrade| {
                assert_eq!(target, "/led");
                Ok(Choice { subprotocol: upgrade.choose(&["led"]), ..Choice::default() })
            })
            .unwrap();
        assert_eq!(socket.subprotocol(), Some("led"));
        let answer = String::from_utf8(pipe.written()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains("\r\nSec-WebSocket-Protocol: led\r\n"), "{answer}");

        pipe.push(&client_frames(|client, out| {
            client.send("on", true, out).unwrap();
            client.close(CloseCode::NORMAL, "", out).unwrap();
        }));
        let mut buffer = [0; 8];
        assert_eq!(socket.read_message(&mut buffer), Ok(Some(Message::Text("on"))));
        socket.send("lit", true).unwrap();
        assert_eq!(socket.read_message(&mut buffer), Ok(None));
        assert_eq!(pipe.written(), b"\x81\x03lit\x88\x02\x03\xe8");
    }
}

#[test]
fn a_server_refuses_with_an_answer() {
    let answer = |request: &[u8]| {
        let pipe = Pipe::new(1000);
        pipe.push(request);
        let (mut read, mut write) = ([0; 300], [0; 400]);
        let buffers = Buffers { read: &mut read, write: &mut write };
        let result = Socket::accept(pipe.clone(), Config::default(), buffers, |_, _| {
            Err(Response { status: 404, fields: &[], body: b"no\n" })
        });
        (result.map(drop).unwrap_err(), String::from_utf8(pipe.written()).unwrap())
    };
    let (error, text) = answer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(error, Error::Rejected(Some(Reject::NotAnUpgrade)));
    assert!(text.starts_with("HTTP/1.1 426 "), "{text}");
    let (error, text) = answer(b"GET / HTTP/2.0\r\n\r\n");
    assert!(matches!(error, Error::Head(_)) && text.starts_with("HTTP/1.1 505 "), "{text}");
    let (error, text) = answer(b"GET / HTTP/1.0\r\n\r\n");
    assert!(matches!(error, Error::Head(_)) && text.starts_with("HTTP/1.1 505 "), "{text}");
    let (error, text) = answer(
        b"GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    assert_eq!(error, Error::Rejected(None));
    assert!(text.starts_with("HTTP/1.1 404 ") && text.ends_with("\r\n\r\nno\n"), "{text}");
    let field = Field::new("X", "y");
    assert_eq!(field.name, "X");
}

#[test]
fn the_callers_clock_finds_a_dead_peer() {
    with_client(|socket, pipe| {
        let (at, timing) = (Instant::from_millis, Timing::default());
        let mut keepalive = Keepalive::new(at(0));
        assert_eq!(next(socket), format!("{:?}", Event::Ping(b"first")));
        let due = |socket: &mut ClientSocket<'_>, keepalive: &mut _, now| {
            socket.tick(keepalive, &timing, at(now)).unwrap()
        };
        assert_eq!(due(socket, &mut keepalive, 1_000), Due::Nothing(Some(at(31_000))));
        assert_eq!(due(socket, &mut keepalive, 31_000), Due::Ping);
        assert_eq!(next(socket), format!("{:?}", Event::Pong(b"")), "the ping was sent");
        assert_eq!(due(socket, &mut keepalive, 40_000), Due::Nothing(Some(at(70_000))));
        assert_eq!(due(socket, &mut keepalive, 70_000), Due::Ping);
        pipe.written();
        assert_eq!(due(socket, &mut keepalive, 80_000), Due::Dead);
        let mut keepalive = Keepalive::new(at(0));
        socket.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(due(socket, &mut keepalive, 0), Due::Nothing(Some(at(5_000))));
        assert_eq!(due(socket, &mut keepalive, 5_000), Due::CloseExpired);
    });
}
