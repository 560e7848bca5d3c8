//! How connections and servers begin and end, and that handlers are told of it once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use common::{
    BINARY, CLOSE, Client, Echo, LIMIT, PING, PONG, Running, TEXT, close, echo, frame, serve, until,
};
use ws_mio_server::EndedBy::{self, Network, Peer as ByPeer, Server as ByServer};
use ws_mio_server::{
    Builder, CloseCode, Ending, Handler, Message, Peer, PeerId, Server, StartError,
};

/// What a handler was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Opened(PeerId),
    Closed(PeerId, u16, String, EndedBy),
}

/// Echoes, and tells the test who comes and goes. `bye` is answered by a Close.
#[derive(Clone)]
struct Recorder(Sender<Told>);

impl Handler for Recorder {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("all");
        assert!(peer.is_open());
        self.0.send(Told::Opened(peer.id())).unwrap();
        if peer.param("mode") == Some("closing") {
            peer.close(CloseCode::POLICY_VIOLATION, "not you");
        }
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        match message {
            Message::Text("bye") => peer.close(CloseCode::new(4001).unwrap(), "bye"),
            message => peer.send(message),
        }
        // It may be too late, which must not matter.
        peer.send("");
    }

    fn on_close(&mut self, peer: &mut Peer<'_>, ending: Ending<'_>) {
        assert!(!peer.is_open());
        peer.send("nobody gets this");
        peer.close(CloseCode::NORMAL, "nor this");
        let Ending { code, reason, by } = ending;
        let _ = self.0.send(Told::Closed(peer.id(), code, reason.to_owned(), by));
    }
}

/// A server with short deadlines whose handler reports.
struct Reporting {
    server: Running,
    told: Receiver<Told>,
}

const SHORT: Duration = Duration::from_millis(200);

fn reporting(builder: Builder) -> Reporting {
    let (send, told) = channel();
    let builder = builder.route("/{mode}", Recorder(send)).max_message(100_000);
    Reporting { server: serve(builder), told }
}

impl Reporting {
    fn told(&self) -> Told {
        self.told.recv_timeout(LIMIT).expect("the handler was told nothing")
    }

    fn open(&self) -> (PeerId, Client) {
        let client = self.server.open("/echo");
        match self.told() {
            Told::Opened(id) => (id, client),
            other => panic!("{other:?}"),
        }
    }

    /// The connection's end is told, once, and its place is free.
    fn expect(&self, id: PeerId, code: u16, reason: &str, by: EndedBy) {
        assert_eq!(self.told(), Told::Closed(id, code, reason.to_owned(), by));
        self.server.until_empty();
        assert!(self.told.try_recv().is_err(), "told twice");
    }
}

#[test]
fn a_peer_ends_the_connection() {
    let test = reporting(Server::builder().workers(1));
    for (body, code, reason) in
        [(&b""[..], 1005, ""), (b"\x03\xe8", 1000, ""), (b"\x0f\xa0bye", 4000, "bye")]
    {
        let (id, mut client) = test.open();
        client.send(CLOSE, body);
        client.closed(code);
        drop(client);
        test.expect(id, code, reason, ByPeer);
    }
}

#[test]
fn the_network_ends_the_connection() {
    let test = reporting(Server::builder().workers(1));
    for part in [&b""[..], &frame(BINARY, &[0; 1000])[..500], &[0x81], &frame(PING, b"ping")[..8]] {
        let (id, mut client) = test.open();
        client.write(part);
        client.finish_sending();
        client.ended();
        test.expect(id, 1006, "", Network);
        let (id, mut client) = test.open();
        client.write(part);
        client.reset();
        test.expect(id, 1006, "", Network);
    }
}

#[test]
fn the_server_ends_the_connection() {
    let test = reporting(Server::builder().workers(1).close_timeout(SHORT));
    // A violation.
    for (violation, code) in [
        (frame(0x83, b""), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(BINARY, &[0; 100_001]), 1009),
    ] {
        let (id, mut client) = test.open();
        client.write(&violation);
        let last = client.frame();
        assert_eq!(last.code(), code);
        let reason = String::from_utf8(last.payload[2..].to_vec()).unwrap();
        client.ended();
        drop(client);
        test.expect(id, code, &reason, ByServer);
    }
    // A handler, or someone with a handle; and the peer answers, or something else.
    for answer in [close(4001, ""), close(4444, "me too"), frame(CLOSE, b"")] {
        for by_handle in [true, false] {
            let (id, mut client) = test.open();
            if by_handle {
                test.server.handle.close(id, CloseCode::new(4001).unwrap(), "bye");
            } else {
                client.send(TEXT, b"bye");
            }
            client.expect(CLOSE, b"\x0f\xa1bye");
            // What comes behind the server's Close is for nobody.
            client.send(TEXT, b"too late");
            client.write(&answer);
            client.ended();
            drop(client);
            let (code, reason) = match answer.len() {
                6 => (1005, ""),
                8 => (4001, ""),
                _ => (4444, "me too"),
            };
            test.expect(id, code, reason, ByServer);
        }
    }
    // The peer does not answer: it hangs up, or does nothing.
    let (id, mut client) = test.open();
    client.send(TEXT, b"bye");
    client.expect(CLOSE, b"\x0f\xa1bye");
    client.finish_sending();
    test.expect(id, 1006, "", ByServer);
    let (id, mut client) = test.open();
    client.send(TEXT, b"bye");
    let begun = Instant::now();
    client.expect(CLOSE, b"\x0f\xa1bye");
    test.expect(id, 1006, "", ByServer);
    assert!(begun.elapsed() >= SHORT);
    // It answers, but does not hang up: the connection has ended, and its place is freed.
    let (id, mut client) = test.open();
    client.write(&close(1000, ""));
    client.closed(1000);
    test.expect(id, 1000, "", ByPeer);
}

#[test]
fn on_open_may_close_at_once() {
    let test = reporting(Server::builder().workers(1));
    let mut client = test.server.connect();
    client.write(&[common::request("/closing").into_bytes(), frame(TEXT, b"hello")].concat());
    client.accepted();
    client.expect(CLOSE, b"\x03\xf0not you");
    let Told::Opened(id) = test.told() else { panic!("not opened") };
    client.write(&close(1008, ""));
    client.ended();
    drop(client);
    test.expect(id, 1008, "", ByServer);
    assert_eq!(test.server.handle.stats().messages, 0);
}

#[test]
fn who_was_never_let_in_does_not_go_either() {
    let test = reporting(Server::builder().workers(1).handshake_timeout(SHORT));
    let mut refused = test.server.connect();
    refused.write(b"POST /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(refused.rest().starts_with(b"HTTP/1.1 405 "));
    let mut half = test.server.connect();
    half.write(b"GET /echo HT");
    drop(half);
    test.server.connect().reset();
    let mut silent = test.server.connect();
    assert!(silent.rest().starts_with(b"HTTP/1.1 408 "));
    drop((refused, silent));
    test.server.until_empty();
    assert!(test.told.try_recv().is_err());
}

#[test]
fn a_silent_peer_is_pinged_and_dropped_and_one_that_answers_lives() {
    let test =
        reporting(Server::builder().workers(1).ping_interval(Some(SHORT)).pong_timeout(SHORT));
    let begun = Instant::now();
    let (id, mut silent) = test.open();
    silent.expect(PING, b"");
    assert!(begun.elapsed() >= SHORT, "pinged too early");
    // One that answers is pinged again and again.
    let (alive, mut client) = test.open();
    for _ in 0..4 {
        client.expect(PING, b"");
        client.send(PONG, b"");
    }
    assert!(begun.elapsed() >= 5 * SHORT);
    assert_eq!(test.told(), Told::Closed(id, 1006, String::new(), Network));
    assert!(begun.elapsed() >= 2 * SHORT, "dropped too early");
    assert!(silent.is_gone());
    // Any byte proves life, not only a pong.
    for _ in 0..4 {
        client.expect(PING, b"");
        client.send(TEXT, b"x");
        client.expect(TEXT, b"x");
        client.expect(TEXT, b"");
    }
    client.expect(PING, b"");
    test.expect(alive, 1006, "", Network);
}

#[test]
fn a_ping_comes_before_deadlines_that_have_become_moot() {
    let late = 10 * LIMIT;
    let builder = echo().handshake_timeout(late).ping_interval(Some(SHORT)).pong_timeout(late);
    let server = serve(builder.workers(1));
    let mut client = server.open("/echo");
    for _ in 0..3 {
        client.expect(PING, b"");
        client.send(PONG, b"");
    }
}

#[test]
fn a_silent_peer_is_dropped_even_if_it_is_sent_much() {
    let builder = Server::builder().workers(1).ping_interval(Some(SHORT)).pong_timeout(SHORT);
    let test = reporting(builder);
    let (id, silent) = test.open();
    // Its kernel takes all of it, so nothing waits; but nobody has heard of the peer itself.
    let begun = Instant::now();
    let told = loop {
        test.server.handle.publish("all", "news").unwrap();
        match test.told.recv_timeout(Duration::from_millis(10)) {
            Ok(told) => break told,
            Err(_) => assert!(begun.elapsed() < LIMIT, "it is taken for alive"),
        }
    };
    assert_eq!(told, Told::Closed(id, 1006, String::new(), Network));
    drop(silent);
}

#[test]
fn without_an_interval_nobody_is_pinged() {
    let test = reporting(Server::builder().workers(1).ping_interval(None).pong_timeout(SHORT / 4));
    let (_, mut client) = test.open();
    client.stream.set_read_timeout(Some(2 * SHORT)).unwrap();
    assert!(client.stream.peek(&mut [0]).is_err(), "something came");
    client.stream.set_read_timeout(Some(LIMIT)).unwrap();
    client.send(TEXT, b"x");
    client.expect(TEXT, b"x");
}

#[test]
fn a_shutdown_closes_everyone_with_1001_and_refuses_who_has_not_come_in() {
    // Nobody is slow, so nobody waits for a deadline.
    let mut test = reporting(Server::builder().workers(3).close_timeout(6 * LIMIT));
    let mut clients: Vec<_> = (0..20).map(|_| test.open()).collect();
    let mut half = test.server.connect();
    half.write(b"GET /echo HTTP/1.1\r\n");
    let mut silent = test.server.connect();
    until("both have come", || test.server.handle.stats().connections == 22);
    // The request is read before the command, for it came before.
    clients[0].1.send(TEXT, b"last");
    test.server.handle.shutdown();
    clients[0].1.expect(TEXT, b"last");
    clients[0].1.expect(TEXT, b"");
    for (_, client) in &mut clients {
        let last = client.frame();
        assert_eq!(last.code(), 1001);
        assert!(last.payload.len() > 2, "the reason is told");
        client.send(TEXT, b"too late");
        client.write(&close(1001, ""));
        client.ended();
    }
    for client in [&mut half, &mut silent] {
        let response = String::from_utf8(client.rest()).unwrap();
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert!(response.contains("\r\nRetry-After: "), "{response}");
    }
    let mut ids: Vec<_> = clients.iter().map(|(id, _)| *id).collect();
    drop((clients, half, silent));
    test.server.join();
    for _ in 0..20 {
        let Told::Closed(id, 1001, reason, ByServer) = test.told() else { panic!("another end") };
        assert_eq!(reason, "");
        ids.retain(|other| *other != id);
    }
    assert!(ids.is_empty() && test.told.try_recv().is_err());
    assert!(TcpStream::connect(test.server.address).is_err(), "it still listens");
    assert_eq!(test.server.handle.stats().connections, 0);
}

#[test]
fn a_shutdown_does_not_wait_for_who_never_answers() {
    let mut test = reporting(Server::builder().workers(2).close_timeout(SHORT));
    let clients: Vec<_> = (0..10).map(|_| test.open()).collect();
    // One takes nothing of what is sent to it.
    let (_, mut stuffed) = test.open();
    stuffed.stream.set_nonblocking(true).unwrap();
    let flood = frame(BINARY, &[0; 60_000]).repeat(1000);
    let mut rest = flood.as_slice();
    while let Ok(written) = stuffed.stream.write(rest) {
        rest = &rest[written..];
    }
    let begun = Instant::now();
    test.server.handle.shutdown();
    test.server.handle.shutdown();
    test.server.join();
    assert!(begun.elapsed() >= SHORT, "they had no time to answer");
    for _ in 0..11 {
        let Told::Closed(_, 1006, _, ByServer) = test.told() else { panic!("another end") };
    }
    drop(clients);
}

#[test]
fn a_handle_outlives_its_server() {
    let mut server = serve(echo().workers(2));
    server.handle.shutdown();
    server.join();
    // Nobody is left to be told. Whoever tries again as long as the server is busy must get on.
    for _ in 0..100 {
        server.handle.publish("news", &[0; 1024 * 1024]).expect("there is no server to be busy");
    }
    server.handle.shutdown();
}

#[test]
fn several_servers_run_in_one_process() {
    let tests = [(); 3].map(|()| reporting(Server::builder().workers(2)));
    let mut clients: Vec<_> = tests.iter().map(Reporting::open).collect();
    for (i, test) in tests.iter().enumerate() {
        test.server.handle.publish("all", i.to_string().as_str()).unwrap();
    }
    for (i, (_, client)) in clients.iter_mut().enumerate() {
        client.expect(TEXT, i.to_string().as_bytes());
    }
    tests[0].server.handle.shutdown();
    assert_eq!(clients[0].1.frame().code(), 1001);
    for (_, client) in &mut clients[1..] {
        client.send(TEXT, b"x");
        client.expect(TEXT, b"x");
    }
}

#[test]
fn a_port_that_is_taken_is_refused_at_once() {
    for (holders, workers) in [(1, 1), (1, 3), (3, 1), (3, 3)] {
        let server = serve(echo().workers(holders));
        let error = echo().workers(workers).bind(server.address).unwrap_err();
        let StartError::Bind(address, _) = &error else { panic!("{error}") };
        assert_eq!(*address, server.address);
        assert!(error.to_string().contains(&server.address.to_string()), "{error}");
        server.open("/echo").echo("undisturbed");
    }
    // Right after a server has stopped, its port is free, whatever lingers.
    let mut server = serve(echo());
    let mut client = server.open("/echo");
    client.write(&close(1000, ""));
    client.closed(1000);
    drop(client);
    server.handle.shutdown();
    server.join();
    echo().workers(2).bind(server.address).unwrap();
}

#[test]
fn what_cannot_be_served_is_refused() {
    let refused = |builder: Builder| builder.bind("127.0.0.1:0").unwrap_err().to_string();
    assert!(refused(Server::builder().route("no slash{", Echo)).contains("no slash{"));
    assert!(refused(echo().route("/echo", Echo)).contains("/echo"));
    assert!(refused(echo().workers(0)).contains("1 to 1024"));
    assert!(echo().bind("nowhere").unwrap_err().to_string().contains("nowhere"));
}
