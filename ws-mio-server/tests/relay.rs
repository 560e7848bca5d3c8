//! Topics across connections and workers: everyone gets everything, in one order.
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

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, RwLock};
use std::thread;

use common::{BINARY, Client, LIMIT, Running, TEXT, close, frame, serve, until};
use ws_mio_server::{CloseCode, Handler, Message, Peer, PeerId, Server};

/// Every message goes, as it is, to everyone else in the room. Who comes is told which worker it has.
#[derive(Clone)]
struct Relay;

fn room(peer: &Peer<'_>) -> String {
    peer.param("room").unwrap().to_owned()
}

impl Handler for Relay {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe(&room(peer));
        peer.send(thread::current().name().unwrap());
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.publish(&room(peer), message);
    }
}

/// Publishes what it is sent in the room, but does not listen.
#[derive(Clone)]
struct Publish;

impl Handler for Publish {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.publish(&room(peer), message);
    }
}

/// Publishes as many messages as it is asked for, to all rooms in turn, when the gate is open.
#[derive(Clone, Default)]
struct Storm(Arc<Gate>);

#[derive(Default)]
struct Gate {
    reached: AtomicBool,
    lock: RwLock<()>,
}

const ROOMS: usize = 16;

impl Handler for Storm {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        self.0.reached.store(true, Ordering::Relaxed);
        drop(self.0.lock.read());
        let Message::Text(number) = message else { panic!("{message:?}") };
        for i in 0..number.parse().unwrap() {
            peer.publish(&(i % ROOMS).to_string(), &[b'x'; 1000]);
        }
    }
}

fn relay(workers: u16, storm: Storm) -> Running {
    let server = Server::builder().workers(workers).max_queued(usize::MAX / 2);
    let server = server.route("/relay/{room}", Relay).route("/publish/{room}", Publish);
    serve(server.route("/storm", storm))
}

/// Opens connections until each worker has at least `n` of them, for the kernel chooses the worker.
fn members(server: &Running, path: &str, workers: usize, n: usize) -> Vec<Client> {
    let mut members = Vec::new();
    let mut found = HashMap::new();
    while found.len() < workers || found.values().any(|members| *members < n) {
        let mut client = server.open(path);
        *found.entry(client.frame().payload).or_insert(0) += 1;
        members.push(client);
        assert!(members.len() < 500, "{found:?}");
    }
    members
}

/// Nothing further comes: the answer to a Close is next.
fn expect_nothing(clients: Vec<Client>) {
    for mut client in clients {
        client.write(&close(1000, ""));
        client.closed(1000);
    }
}

#[test]
fn messages_go_verbatim_to_everyone_else_in_the_room() {
    for workers in [1, 4] {
        let server = relay(workers, Storm::default());
        let mut a = members(&server, "/relay/a", workers.into(), 2);
        let mut b = members(&server, "/relay/b%2Fa", workers.into(), 1);
        let big = (0..100_000_u32).map(|i| i as u8).collect::<Vec<_>>();
        for sender in 0..a.len() {
            let text = format!("Grüße von {sender} 😀");
            a[sender].send(TEXT, text.as_bytes());
            a[sender].send(BINARY, &big);
            a[sender].write(&[frame(0x01, b"two"), frame(0x80, b" parts")].concat());
            for (_, other) in a.iter_mut().enumerate().filter(|(i, _)| *i != sender) {
                other.expect(TEXT, text.as_bytes());
                other.expect(BINARY, &big);
                other.expect(TEXT, b"two parts");
            }
        }
        b[0].send(TEXT, b"");
        for other in &mut b[1..] {
            other.expect(TEXT, b"");
        }
        // The members of b heard nothing of a, and no sender of itself.
        expect_nothing(b);
        expect_nothing(a);
    }
}

#[test]
fn all_subscribers_of_a_topic_see_one_order() {
    const EACH: u32 = 300;
    let server = relay(4, Storm::default());
    let subscribers = members(&server, "/relay/a", 4, 2);
    let publishers: Vec<_> = (0..8).map(|_| server.open("/publish/a")).collect();
    let label = |publisher: usize, i: u32| format!("{publisher} {i}");
    let mut threads = Vec::new();
    for (number, mut publisher) in publishers.into_iter().enumerate() {
        threads.push(thread::spawn(move || {
            for i in 0..EACH {
                publisher.send(TEXT, label(number, i).as_bytes());
            }
            publisher.write(&close(1000, ""));
            publisher.closed(1000);
        }));
    }
    // From outside of the server, too.
    let handle = server.handle.clone();
    threads.push(thread::spawn(move || {
        for i in 0..EACH {
            handle.publish("a", label(8, i).as_str()).unwrap();
        }
    }));
    let readers = subscribers.into_iter().map(|mut subscriber| {
        thread::spawn(move || {
            let heard: Vec<String> = (0..9 * EACH)
                .map(|_| String::from_utf8(subscriber.frame().payload).unwrap())
                .collect();
            expect_nothing(vec![subscriber]);
            heard
        })
    });
    let heard: Vec<_> =
        readers.collect::<Vec<_>>().into_iter().map(|r| r.join().unwrap()).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    for publisher in 0..9 {
        let prefix = format!("{publisher} ");
        let own = heard[0].iter().filter(|message| message.starts_with(&prefix));
        assert!(own.eq(&(0..EACH).map(|i| label(publisher, i)).collect::<Vec<_>>()));
    }
    for other in &heard {
        assert!(*other == heard[0], "two subscribers heard a different order");
    }
}

/// Every worker has more to publish by way of every other than any mailbox holds.
#[test]
fn storms_across_workers_lose_nothing_and_come_to_an_end() {
    const EACH: usize = 4096;
    for workers in [2, 4] {
        let gate = Arc::new(Gate::default());
        let server = relay(workers, Storm(Arc::clone(&gate)));
        let mut rooms: Vec<_> = (0..ROOMS)
            .map(|room| {
                let mut subscriber = server.open(&format!("/relay/{room}"));
                assert!(subscriber.frame().payload.starts_with(b"ws-worker-"));
                (subscriber, server.open("/storm"))
            })
            .collect();
        // While the gate is closed, orders gather in the kernel; then each worker finds all of its.
        let closed = gate.lock.write().unwrap();
        for (_, publisher) in &mut rooms {
            for _ in 0..4 {
                publisher.send(TEXT, (EACH / 4).to_string().as_bytes());
            }
        }
        drop(closed);
        // Each of as many storms has published as many messages to each of as many rooms.
        for (subscriber, _) in &mut rooms {
            for _ in 0..EACH {
                subscriber.expect(BINARY, &[b'x'; 1000]);
            }
        }
        for (subscriber, publisher) in rooms {
            expect_nothing(vec![subscriber, publisher]);
        }
    }
}

/// Tells the test who is there. Does what it is told: `+topic`, `-topic`, `topic:message`.
#[derive(Clone)]
struct Told(Sender<PeerId>);

impl Handler for Told {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        self.0.send(peer.id()).unwrap();
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { panic!("{message:?}") };
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(topic), _) => _ = peer.subscribe(topic),
            (_, Some(topic)) => peer.unsubscribe(topic),
            _ => {
                let (topic, message) = text.split_once(':').unwrap();
                return peer.publish(topic, message);
            }
        }
        peer.send("done");
    }
}

impl Client {
    fn tell(&mut self, command: &str) {
        self.send(TEXT, command.as_bytes());
        if !command.contains(':') {
            self.expect(TEXT, b"done");
        }
    }
}

#[test]
fn subscriptions_begin_and_end() {
    let (send, _ids) = channel();
    let server = serve(Server::builder().workers(4).route("/told", Told(send)));
    let [mut a, mut b, mut c] = [(); 3].map(|()| server.open("/told"));
    for command in ["+x", "+x", "+y", "-never"] {
        a.tell(command);
    }
    b.tell("+x");
    b.tell("x:one");
    a.expect(TEXT, b"one");
    a.tell("-x");
    b.tell("x:two");
    b.tell("y:three");
    a.expect(TEXT, b"three");
    b.tell("+z");
    for command in ["+z", "-z", "+z"] {
        c.tell(command);
    }
    c.tell("z:four");
    b.expect(TEXT, b"four");
    b.tell("z:five");
    c.expect(TEXT, b"five");
    expect_nothing(vec![a]);
    // Whoever has gone leaves nothing behind.
    drop(c);
    until("both are gone", || server.handle.stats().connections == 1);
    let mut a = server.open("/told");
    a.tell("z:six");
    b.expect(TEXT, b"six");
    b.tell("z:seven");
    expect_nothing(vec![a, b]);
}

#[test]
fn a_worker_with_too_much_to_do_says_so_and_forgets_nothing_that_it_took() {
    let gate = Arc::new(Gate::default());
    let server = relay(1, Storm(Arc::clone(&gate)));
    let mut subscriber = server.open("/relay/news");
    subscriber.frame();
    let mut blocking = server.open("/storm");
    let closed = gate.lock.write().unwrap();
    blocking.send(TEXT, b"0");
    until("the worker is blocked", || gate.reached.load(Ordering::Relaxed));
    let publish = |i: u32| server.handle.publish("news", i.to_string().repeat(100_000).as_str());
    let taken = (0..1000).find(|i| publish(*i).is_err()).expect("it takes everything");
    assert!(publish(taken).is_err(), "one after the other");
    drop(closed);
    for i in 0..taken {
        subscriber.expect(TEXT, i.to_string().repeat(100_000).as_bytes());
    }
    until("it has time again", || publish(taken).is_ok());
    subscriber.expect(TEXT, taken.to_string().repeat(100_000).as_bytes());
}

#[test]
fn a_handle_reaches_peers_from_other_threads() {
    let (send, ids) = channel();
    let server = serve(Server::builder().workers(4).route("/told", Told(send)));
    let mut clients: Vec<_> = (0..8)
        .map(|_| {
            let mut client = server.open("/told");
            client.tell("+news");
            (ids.recv_timeout(LIMIT).unwrap(), client)
        })
        .collect();
    let publishing = server.handle.clone();
    let publisher = thread::spawn(move || publishing.publish("news", &[1, 2, 3]).unwrap());
    publisher.join().unwrap();
    for (id, client) in &mut clients {
        client.expect(BINARY, &[1, 2, 3]);
        server.handle.send(*id, format!("{id:?}").as_str()).unwrap();
        server.handle.send(*id, "").unwrap();
        server.handle.close(*id, CloseCode::new(4000).unwrap(), &"é".repeat(100));
        // Behind a Close nothing is sent.
        server.handle.send(*id, "too late").unwrap();
        client.expect(TEXT, format!("{id:?}").as_bytes());
        client.expect(TEXT, b"");
        let last = client.frame();
        assert_eq!(last.code(), 4000);
        assert_eq!(last.payload[2..], *"é".repeat(61).as_bytes(), "cut between two code points");
        client.write(&close(4000, ""));
        client.ended();
    }
    let (gone, client) = clients.swap_remove(0);
    drop(client);
    drop(clients);
    server.until_empty();
    // A later connection in the same place has another name.
    let mut later: Vec<_> = (0..8).map(|_| server.open("/told")).collect();
    assert!((0..8).all(|_| ids.recv_timeout(LIMIT).unwrap() != gone));
    server.handle.send(gone, "to nobody").unwrap();
    server.handle.close(gone, CloseCode::NORMAL, "");
    server.handle.publish("news", "to nobody").unwrap();
    for client in &mut later {
        client.tell("+other");
    }
    expect_nothing(later);
}
