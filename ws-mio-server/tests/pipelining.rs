//! Many small messages in one segment: replies in order, and in a few writes.
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

use common::{Client, PING, PONG, Running, TEXT, echo, frame, request, serve};
use ws_mio_server::{Handler, Message, Peer, Server};

const MESSAGES: u32 = 1000;

fn messages() -> Vec<u8> {
    (0..MESSAGES).flat_map(|i| frame(TEXT, i.to_string().as_bytes())).collect()
}

fn expect_all(client: &mut Client) {
    for i in 0..MESSAGES {
        client.expect(TEXT, i.to_string().as_bytes());
    }
}

/// Reads and writes of the server since `before`. All that it has done for a client was counted
/// before the client saw it.
fn since(server: &Running, before: ws_mio_server::Stats) -> (u64, u64) {
    let now = server.handle.stats();
    (now.reads - before.reads, now.writes - before.writes)
}

#[test]
fn a_thousand_messages_are_answered_in_a_few_writes() {
    let server = serve(echo());
    let mut client = server.open("/echo");
    let before = server.handle.stats();
    client.write(&messages());
    expect_all(&mut client);
    let (reads, writes) = since(&server, before);
    assert!((1..=10).contains(&writes) && reads <= 20, "{reads} reads, {writes} writes");
    assert_eq!(server.handle.stats().messages, u64::from(MESSAGES));
}

#[test]
fn behind_the_handshake_they_leave_with_the_101() {
    let server = serve(echo());
    let before = server.handle.stats();
    let mut client = server.connect();
    client.write(&[request("/echo").into_bytes(), messages()].concat());
    client.accepted();
    expect_all(&mut client);
    let (reads, writes) = since(&server, before);
    assert!((1..=10).contains(&writes) && reads <= 20, "{reads} reads, {writes} writes");
}

#[test]
fn one_message_costs_one_read_and_one_write() {
    let server = serve(echo());
    let mut client = server.open("/echo");
    let before = server.handle.stats();
    for _ in 0..100 {
        client.echo("one at a time");
    }
    assert_eq!(since(&server, before), (100, 100));
}

#[test]
fn every_ping_among_messages_is_answered_in_its_place() {
    let server = serve(echo());
    let mut client = server.open("/echo");
    let before = server.handle.stats();
    let pair = |i: u32| [frame(PING, &i.to_be_bytes()), frame(TEXT, b"x")].concat();
    client.write(&(0..MESSAGES).flat_map(pair).collect::<Vec<_>>());
    for i in 0..MESSAGES {
        client.expect(PONG, &i.to_be_bytes());
        client.expect(TEXT, b"x");
    }
    let (_, writes) = since(&server, before);
    assert!(writes <= 10, "{writes} writes");
}

/// Publishes each message to all who are here, its sender left out.
#[derive(Clone)]
struct Room;

impl Handler for Room {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("room");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.publish("room", message);
    }
}

#[test]
fn what_is_published_in_one_turn_leaves_in_few_writes_to_each() {
    let server = serve(Server::builder().workers(1).route("/room", Room));
    let mut others = [server.open("/room"), server.open("/room")];
    let mut client = server.open("/room");
    let before = server.handle.stats();
    client.write(&messages());
    for other in &mut others {
        expect_all(other);
    }
    let (_, writes) = since(&server, before);
    assert!(writes <= 100, "{writes} writes of {MESSAGES} messages to two peers");
}
