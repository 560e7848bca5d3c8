//! The asynchronous kind: the same, and every call may be dropped whenever it waits.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use super::pipe::{Idle, NONCE, Pipe, ask, client_frames, echo_server, events_of, key};
use ws_proto::handshake::Choice;
use ws_proto::io::{AsyncReceived, AsyncSocket, Buffers, Error};
use ws_proto::keepalive::{Due, Instant, Keepalive, Timing};
use ws_proto::{Client, CloseCode, Closed, Config, Event, Message, SendError};

type ClientSocket<'b> = AsyncSocket<'b, Pipe, Client<fn() -> [u8; 4]>>;

/// Polls to the end.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

/// Polls once, and drops what is not ready.
fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Runs a test with a client of an echo server, at every size of reads and writes.
fn with_client(test: impl Fn(&mut ClientSocket<'_>, &Pipe)) {
    for size in (1..20).chain([64, 1000]) {
        let pipe = Pipe::to(size, echo_server());
        pipe.state(|state| state.hesitates = true);
        let (mut read, mut write) = ([0; 256], [0; 256]);
        let buffers = Buffers { read: &mut read, write: &mut write };
        let random: fn() -> [u8; 4] = key;
        let connecting =
            AsyncSocket::connect(pipe.clone(), ask(), NONCE, random, Config::default(), buffers);
        let mut socket = run(connecting).unwrap();
        assert_eq!(socket.subprotocol(), Some("b"));
        test(&mut socket, &pipe);
    }
}

#[test]
fn messages_come_whole_though_every_call_is_dropped() {
    with_client(|socket, _| {
        let (mut dropped, mut buffer) = (0, [0; 300]);
        for text in ["", "hello", "\u{20ac}\u{1f600}", &"x".repeat(200)] {
            while once(socket.send(text, true)).is_none() {
                dropped += 1;
            }
            loop {
                match once(socket.read_message(&mut buffer)) {
                    Some(come) => break assert_eq!(come, Ok(Some(Message::Text(text)))),
                    None => dropped += 1,
                }
            }
        }
        assert!(dropped > 4, "{dropped} calls were dropped");
    });
}

#[test]
fn a_send_that_is_dropped_has_sent_nothing() {
    let pipe = Pipe::to(3, echo_server());
    let (mut read, mut write) = ([0; 256], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let random: fn() -> [u8; 4] = key;
    let mut socket =
        run(AsyncSocket::connect(pipe.clone(), ask(), NONCE, random, Config::default(), buffers))
            .unwrap();
    pipe.state(|state| state.hesitates = true);
    // It fits, and need not wait. What comes behind it does not fit, and is dropped.
    assert_eq!(once(socket.send(&[1; 200], true)), Some(Ok(())));
    assert_eq!(once(socket.send(&[2; 200], true)), None);
    run(socket.sender().flush()).unwrap();
    let events = events_of(pipe.written());
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("[1, 1, ") && !events[0].contains('2'), "{events:?}");
    assert_eq!(run(socket.send(&[0; 249], true)), Err(Error::Send(SendError::Full)));
}

#[test]
fn pings_are_sent_when_they_are_due_and_when_they_are_asked_for() {
    with_client(|socket, pipe| {
        let (timing, at) = (Timing::default(), Instant::from_millis);
        let mut keepalive = Keepalive::new(at(0));
        pipe.written();
        assert_eq!(
            run(socket.tick(&mut keepalive, &timing, at(0))),
            Ok(Due::Nothing(Some(at(30_000))))
        );
        run(socket.sender().flush()).unwrap();
        assert!(pipe.written().is_empty());
        assert_eq!(run(socket.tick(&mut keepalive, &timing, at(30_000))), Ok(Due::Ping));
        run(socket.sender().ping(b"asked")).unwrap();
        run(socket.sender().flush()).unwrap();
        let sent = [Event::Ping(b""), Event::Ping(b"asked")].map(|event| format!("{event:?}"));
        assert_eq!(events_of(pipe.written()), sent);
    });
}

#[test]
fn events_stream_and_are_answered() {
    with_client(|socket, _| {
        for i in 0..20u8 {
            run(socket.send(&[i; 100], i == 19)).unwrap();
        }
        let (mut come, mut done) = (0, false);
        while !done {
            if let AsyncReceived::Event(Event::Binary(part), _) = run(socket.receive()).unwrap() {
                come += part.data.len();
                done = part.last;
            }
        }
        assert_eq!(come, 2000);
        run(socket.close(CloseCode::NORMAL, "bye")).unwrap();
        let closed = loop {
            match run(socket.receive()).unwrap() {
                AsyncReceived::Closed(closed) => break closed,
                AsyncReceived::Event(..) | AsyncReceived::Nothing => {}
            }
        };
        assert_eq!(closed, Closed::Clean);
    });
}

#[test]
fn a_violation_is_told_by_the_next_call() {
    with_client(|socket, pipe| {
        run(socket.send("x", true)).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(run(socket.read_message(&mut buffer)), Ok(Some(Message::Text("x"))));
        pipe.push(b"\x83\x00");
        let error = run(socket.read_message(&mut buffer)).unwrap_err();
        assert_eq!(error, Error::Protocol(ws_proto::Error::ReservedOpcode(3)));
        assert_eq!(run(socket.read_message(&mut buffer)), Ok(None));
        let told = events_of(pipe.written());
        assert_eq!(told.last().unwrap(), "Close(Some(CloseCode(1002)), \"reserved opcode\")");
    });
}

#[test]
fn a_violation_behind_good_text_is_found_at_once() {
    with_client(|socket, pipe| {
        run(socket.send("x", true)).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(run(socket.read_message(&mut buffer)), Ok(Some(Message::Text("x"))));
        pipe.push(b"\x81\x03ok\xff");
        let error = run(socket.read_message(&mut buffer)).unwrap_err();
        assert_eq!(error, Error::Protocol(ws_proto::Error::InvalidUtf8 { offset: 2 }));
    });
}

#[test]
fn a_server_by_the_same_pieces() {
    let pipe = Pipe::new(5);
    pipe.state(|state| state.hesitates = true);
    pipe.push(
        b"GET /led HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let (mut read, mut write) = ([0; 300], [0; 256]);
    let buffers = Buffers { read: &mut read, write: &mut write };
    let accepting = AsyncSocket::accept(pipe.clone(), Config::default(), buffers, |target, _| {
        assert_eq!(target, "/led");
        Ok(Choice::default())
    });
    let mut socket = run(accepting).unwrap();
    assert!(pipe.written().starts_with(b"HTTP/1.1 101 "));
    let mut buffer = [0; 8];
    assert_eq!(run(socket.read_message(&mut buffer)), Err(Error::Stream(Idle)));
    pipe.push(&client_frames(|client, out| client.send("on", true, out).unwrap()));
    assert_eq!(run(socket.read_message(&mut buffer)), Ok(Some(Message::Text("on"))));
}
