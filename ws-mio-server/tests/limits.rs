//! How many may be here, and how much they may send.
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

use std::time::{Duration, Instant};

use common::{Client, PING, PONG, Running, TEXT, close, echo, frame, request, serve, until};
use ws_mio_server::{Denied, Handler, Identity, Message, OnRate, Peer, Request};

/// Asks for a connection, with more fields; the answer's status and the client.
fn ask(server: &Running, fields: &str) -> (u16, Client) {
    let mut client = server.connect();
    let request = request("/echo");
    client.write(format!("{}{fields}\r\n\r\n", request.trim_end_matches("\r\n\r\n")).as_bytes());
    let head = client.head();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(head.contains("\r\nRetry-After: 1\r\n"), status != 101, "{head}");
    (status, client)
}

/// Waits until a connection is accepted.
fn accepted(server: &Running, fields: &str) -> Client {
    let mut accepted = None;
    until("there is room", || {
        let (status, client) = ask(server, fields);
        accepted = (status == 101).then_some(client);
        accepted.is_some()
    });
    accepted.unwrap()
}

#[test]
fn so_many_connections_may_be_open_in_all() {
    let server = serve(echo().workers(2).max_connections(Some(3)).health("/healthz"));
    let mut clients: Vec<_> = (0..3).map(|_| server.open("/echo")).collect();
    for _ in 0..4 {
        assert_eq!(ask(&server, "").0, 503);
    }
    let mut health = server.connect();
    health.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(health.head().starts_with("HTTP/1.1 200 "), "pages are not limited");
    // One goes well, one badly.
    let mut first = clients.remove(0);
    first.write(&close(1000, ""));
    first.closed(1000);
    clients.remove(0).reset();
    let others = [accepted(&server, ""), accepted(&server, "")];
    assert_eq!(ask(&server, "").0, 503);
    clients[0].echo("still here");
    drop(others);
}

#[test]
fn so_many_connections_may_be_of_one_address() {
    let server = echo().workers(2).max_connections_per_address(Some(2));
    let server = serve(server.trust_proxy("127.0.0.1".parse().unwrap()));
    let from = |last: u8| format!("\r\nX-Forwarded-For: 192.0.2.{last}");
    let first = [ask(&server, &from(1)), ask(&server, &from(1))];
    assert!(first.iter().all(|(status, _)| *status == 101));
    assert_eq!(ask(&server, &from(1)).0, 429);
    let other = ask(&server, &from(2));
    assert_eq!(other.0, 101);
    drop(first);
    let _again = accepted(&server, &from(1));
}

#[test]
fn so_many_connections_may_be_of_one_user() {
    let server = echo().workers(2).max_connections_per_user(Some(1));
    let server = serve(server.authenticate(|request: &Request<'_>| {
        request.header("X-User").map(Identity::new).ok_or_else(Denied::missing)
    }));
    let alice = ask(&server, "\r\nX-User: alice");
    assert_eq!(alice.0, 101);
    assert_eq!(ask(&server, "\r\nX-User: alice").0, 429);
    let bob = ask(&server, "\r\nX-User: bob");
    assert_eq!(bob.0, 101);
    drop(alice);
    let _again = accepted(&server, "\r\nX-User: alice");
}

#[test]
fn so_many_connections_may_be_opened_in_a_second() {
    let server = serve(echo().workers(2).max_handshakes_per_second(Some(10)));
    let begun = Instant::now();
    let statuses: Vec<_> = (0..100).map(|_| ask(&server, "").0).collect();
    let accepted_in_time = statuses.iter().filter(|status| **status == 101).count();
    let due = 10.0 + 10.0 * begun.elapsed().as_secs_f64();
    assert!(accepted_in_time >= 10 && accepted_in_time as f64 <= due, "{accepted_in_time}");
    assert_eq!(statuses[..10], [101; 10]);
    accepted(&server, "").echo("a moment later");
}

#[test]
fn who_sends_too_much_is_read_from_later_and_lives() {
    let short = Duration::from_millis(100);
    for rate in [
        echo().max_messages_per_second(Some(50)),
        // A frame has six bytes more.
        echo().max_bytes_per_second(Some(50 * 10)),
    ] {
        let server = serve(rate.ping_interval(Some(short)).pong_timeout(short));
        let mut client = server.open("/echo");
        let mut other = server.open("/echo");
        let begun = Instant::now();
        // All of these come in one read, and are served; those of another half second are a debt.
        client.write(&frame(TEXT, b"1234").repeat(75));
        for _ in 0..75 {
            client.expect(TEXT, b"1234");
        }
        client.send(TEXT, b"5678");
        other.echo("nobody else waits");
        loop {
            match client.frame() {
                frame if frame.payload == b"5678" => break,
                frame => assert_eq!(frame.start, PING),
            }
        }
        let took = begun.elapsed();
        assert!(took > 4 * short, "{took:?} is too early");
        assert!(took < 20 * short, "{took:?} is too late");
        // Whoever sends no more than it may is never delayed, nor pinged for nothing.
        client.send(PONG, b"");
    }
}

#[test]
fn who_sends_too_much_is_closed_if_so_wished() {
    let server = serve(echo().max_messages_per_second(Some(10)).on_rate(OnRate::Close));
    let mut client = server.open("/echo");
    for _ in 0..10 {
        client.echo("as much as it may");
    }
    client.write(&frame(TEXT, b"x").repeat(30));
    let last = loop {
        let frame = client.frame();
        if frame.start == common::CLOSE {
            break frame;
        }
    };
    assert_eq!(last.code(), 1008);
    assert_eq!(last.payload[2..], *b"too many messages a second");
    client.write(&close(1008, ""));
    client.ended();
}

/// Subscribes to what it is told, and says whether it could.
#[derive(Clone)]
struct Subscriber;

impl Handler for Subscriber {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        let topic = String::from_utf8(message.as_bytes().to_vec()).unwrap();
        match topic.strip_prefix('-') {
            Some(topic) => peer.unsubscribe(topic),
            None if peer.subscribe(&topic) => peer.send("yes"),
            None => peer.send("no"),
        }
    }
}

#[test]
fn a_peer_may_be_subscribed_to_so_many_topics() {
    let server = serve(echo().route("/topics", Subscriber).max_topics(2));
    let mut client = server.open("/topics");
    for (topic, due) in [("a", "yes"), ("b", "yes"), ("c", "no"), ("b", "yes"), ("d", "no")] {
        client.send(TEXT, topic.as_bytes());
        client.expect(TEXT, due.as_bytes());
    }
    client.send(TEXT, b"-a");
    client.send(TEXT, b"c");
    client.expect(TEXT, b"yes");
}
