//! Ordered commands: who is told a position and subscribed under the lock that numbers the messages misses
//! none behind it and gets none twice.
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

use std::sync::{Arc, Mutex};
use std::thread;

use common::{BINARY, Client, Running, TEXT, close, serve, until};
use ws_mio_server::{Busy, Handle, Handler, Message, Peer, PeerId, Server, Shared};

/// A room whose messages are numbered under a lock.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    handle: Option<Handle>,
    position: u64,
    /// Who came last.
    last: Option<PeerId>,
}

impl Room {
    fn publish(&self, n: u64) {
        for _ in 0..n {
            let mut state = self.0.lock().unwrap();
            state.position += 1;
            let message = Shared::new(state.position.to_string().as_str());
            state.handle.as_ref().unwrap().deliver("room", &message, None);
        }
    }
}

impl Handler for Room {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let mut state = self.0.lock().unwrap();
        state.last = Some(peer.id());
        let handle = state.handle.as_ref().unwrap();
        let position = state.position.to_string();
        handle.send_shared(peer.id(), &Shared::new(position.as_bytes()));
        handle.subscribe(peer.id(), "room");
    }

    /// Whatever a peer says, it leaves.
    fn on_message(&mut self, peer: &mut Peer<'_>, _: Message<'_>) {
        let state = self.0.lock().unwrap();
        let handle = state.handle.as_ref().unwrap();
        handle.unsubscribe(peer.id(), "room");
        let position = state.position.to_string();
        handle.send_shared(peer.id(), &Shared::new(position.as_bytes()));
    }
}

fn room(workers: u16) -> (Room, Running) {
    let room = Room::default();
    let server = serve(Server::builder().workers(workers).route("/room", room.clone()));
    room.0.lock().unwrap().handle = Some(server.handle.clone());
    (room, server)
}

fn position(client: &mut Client) -> u64 {
    let frame = client.frame();
    assert_eq!(frame.start, BINARY, "{frame:?}");
    String::from_utf8(frame.payload).unwrap().parse().unwrap()
}

#[test]
fn members_come_and_go_amid_messages_and_miss_none() {
    let (room, server) = room(4);
    let publishers = [(); 3].map(|()| {
        let room = room.clone();
        thread::spawn(move || room.publish(1000))
    });
    let mut members = Vec::new();
    for i in 0..40 {
        let mut client = server.open("/room");
        let joined = position(&mut client);
        if i % 2 == 0 {
            client.send(TEXT, b"I leave");
        }
        members.push((client, joined));
    }
    for publisher in publishers {
        publisher.join().unwrap();
    }
    for (i, (client, joined)) in members.iter_mut().enumerate() {
        let mut next = *joined + 1;
        let left = loop {
            if i % 2 == 1 && next > 3000 {
                break 3000;
            }
            let frame = client.frame();
            let number = String::from_utf8(frame.payload.clone()).unwrap().parse::<u64>().unwrap();
            if frame.start == BINARY {
                break number;
            }
            assert_eq!(number, next, "member {i} joined at {joined}");
            next += 1;
        };
        assert_eq!(left, next - 1, "member {i} joined at {joined}");
    }
    room.publish(1);
    for (i, (mut client, _)) in members.into_iter().enumerate() {
        if i % 2 == 1 {
            client.expect(TEXT, b"3001");
        }
        client.write(&close(1000, ""));
        client.closed(1000);
    }
    server.until_empty();
}

#[test]
fn one_may_be_left_out_and_who_is_gone_harms_nobody() {
    let (room, server) = room(1);
    let mut gone = server.open("/room");
    assert_eq!(position(&mut gone), 0);
    gone.reset();
    server.until_empty();
    room.publish(1);
    let mut client = server.open("/room");
    assert_eq!(position(&mut client), 1);
    let but = room.0.lock().unwrap().last;
    server.handle.deliver("room", &Shared::new("to the others"), but);
    room.publish(1);
    client.expect(TEXT, b"2");
}

/// Holds up its worker until the test lets go of the lock.
#[derive(Clone)]
struct Blocked(Arc<Mutex<()>>);

impl Handler for Blocked {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
        drop(self.0.lock());
    }

    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("topic");
    }
}

#[test]
fn a_full_mailbox_is_told_of_and_takes_steps_that_have_begun() {
    let lock = Arc::new(Mutex::new(()));
    let builder = Server::builder().workers(1).max_queued(usize::MAX / 2);
    let server = serve(builder.route("/", Blocked(Arc::clone(&lock))));
    let mut client = server.open("/");
    let held = lock.lock().unwrap();
    client.send(TEXT, b"wait");
    until("the handler is called", || server.handle.stats().reads >= 2);
    assert_eq!(server.handle.has_room(), Ok(()));
    let message = Shared::new(&[7; 1024 * 1024]);
    for _ in 0..5 {
        server.handle.deliver("topic", &message, None);
    }
    assert_eq!(server.handle.has_room(), Err(Busy));
    assert_eq!(server.handle.publish("topic", "another lane"), Ok(()));
    server.handle.deliver("topic", &Shared::new("the last"), None);
    drop(held);
    client.expect(TEXT, b"wait");
    for _ in 0..5 {
        client.expect(BINARY, &[7; 1024 * 1024]);
    }
    client.expect(TEXT, b"the last");
    client.expect(TEXT, b"another lane");
    until("there is room again", || server.handle.has_room().is_ok());
}
