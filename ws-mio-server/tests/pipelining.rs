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

use common::{BINARY, Client, PING, PONG, Running, TEXT, echo, frame, request, serve};
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

/// Does with a message what its first byte says.
#[derive(Clone)]
struct Various;

impl Handler for Various {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        let bytes = message.as_bytes();
        match bytes.first() {
            Some(b'0') => {}
            Some(b'2') => {
                peer.send(message);
                peer.send(message);
            }
            // The same bytes, as a message of the other kind.
            Some(b'3') => peer.send(bytes),
            Some(b'4') => peer.send(&bytes[1..]),
            Some(b'5') => {
                peer.send("before");
                peer.send(message);
                peer.send("behind");
            }
            _ => peer.send(message),
        }
    }
}

#[test]
fn replies_of_any_kind_keep_their_order() {
    let server = serve(Server::builder().workers(1).route("/", Various));
    let mut client = server.open("/");
    let text = |i: u32| {
        let len = [0, 1, 7, 8, 15, 16, 31, 33, 125, 126, 300, 9000][i as usize % 12];
        let what = i.wrapping_mul(2_654_435_761) >> 16;
        // In runs, so that many go back one behind the other.
        let what = if what.is_multiple_of(4) { what / 4 % 6 } else { 1 };
        format!("{what}{i}{}", "x".repeat(len))
    };
    let messages = (0..2000).map(text).collect::<Vec<_>>();
    let all = messages.iter().flat_map(|text| frame(TEXT, text.as_bytes())).collect::<Vec<_>>();
    let mut writer = Client::of(client.stream.try_clone().unwrap());
    let sending = std::thread::spawn(move || writer.write(&all));
    for text in messages {
        let bytes = text.as_bytes();
        match bytes[0] {
            b'0' => {}
            b'2' => {
                client.expect(TEXT, bytes);
                client.expect(TEXT, bytes);
            }
            b'3' => client.expect(BINARY, bytes),
            b'4' => client.expect(BINARY, &bytes[1..]),
            b'5' => {
                client.expect(TEXT, b"before");
                client.expect(TEXT, bytes);
                client.expect(TEXT, b"behind");
            }
            _ => client.expect(TEXT, bytes),
        }
    }
    sending.join().unwrap();
    assert_eq!(server.handle.stats().messages, 2000);
}
