//! Streams of events beside WebSockets: the same messages, the same limits, over raw bytes.
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

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::{Client, LIMIT, Running, TEXT, request, serve, until};
use ws_mio_server::{
    Builder, Call, CallId, CloseCode, Handle, Handler, Message, Peer, Reply, Server, Service,
    Shared,
};

/// Whoever comes, in either way, listens to the topic of the path's last part.
#[derive(Clone)]
struct Listens {
    handle: Arc<OnceLock<Handle>>,
    told: Sender<Told>,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Called(CallId),
    Ended(CallId),
}

impl Service for Listens {
    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        let (handle, peer) = (self.handle.get().unwrap(), call.id().peer());
        handle.send_shared(peer, &Shared::new("welcome").with_event_id("e:0"));
        let missed = call.request().query("missed").map_or(0, |missed| missed.parse().unwrap());
        for number in 0..missed {
            handle.reply(peer, &Shared::new(long(number).as_str()));
        }
        handle.subscribe(peer, call.param("topic").unwrap());
        let _ = self.told.send(Told::Called(call.id()));
        let retry = call.request().query("retry").and_then(|retry| retry.parse().ok());
        Reply::Events { retry: retry.map(Duration::from_millis) }
    }

    fn on_end(&mut self, call: CallId) {
        let _ = self.told.send(Told::Ended(call));
    }
}

impl Handler for Listens {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let (handle, topic) = (self.handle.get().unwrap(), peer.param("topic").unwrap());
        handle.send_shared(peer.id(), &Shared::new("welcome"));
        handle.subscribe(peer.id(), topic);
    }

    fn on_message(&mut self, _: &mut Peer<'_>, _: Message<'_>) {}
}

fn server(builder: Builder) -> (Running, Receiver<Told>) {
    let (told, receiver) = channel();
    let listens = Listens { handle: Arc::default(), told };
    let builder = builder.service("/events/{topic}", listens.clone());
    let server = serve(builder.route("/ws/{topic}", listens.clone()).close_timeout(6 * LIMIT));
    listens.handle.set(server.handle.clone()).unwrap();
    (server, receiver)
}

fn long(number: u32) -> String {
    format!("{number} {}", "x".repeat(20_000))
}

fn one_worker() -> Builder {
    Server::builder().workers(1)
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nAccept: text/event-stream\r\n\r\n")
}

fn open(server: &Running, path: &str) -> Client {
    let mut client = server.connect();
    client.write(ask(path).as_bytes());
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), "{head}");
    assert!(
        head.contains("\r\nConnection: close\r\n") && !head.contains("Content-Length"),
        "{head}"
    );
    client
}

/// The lines up to the next empty one.
fn event(client: &mut Client) -> String {
    let mut lines = Vec::new();
    while !lines.ends_with(b"\n\n") {
        lines.extend(client.bytes(1));
    }
    String::from_utf8(lines).unwrap()
}

fn welcomed(server: &Running, path: &str) -> Client {
    let mut client = open(server, path);
    assert_eq!(event(&mut client), ":\n\n");
    assert_eq!(event(&mut client), "id: e:0\ndata: welcome\n\n");
    client
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(LIMIT).expect("the service was told nothing")
}

#[test]
fn streams_and_websockets_get_the_same_messages() {
    let (server, _told) = server(Server::builder().workers(2));
    let mut streams = [(); 4].map(|()| welcomed(&server, "/events/a"));
    let mut sockets = [(); 4].map(|()| server.open("/ws/a"));
    for socket in &mut sockets {
        socket.expect(TEXT, b"welcome");
    }
    let mut other = welcomed(&server, "/events/b");
    let deliver = |message: &Shared| server.handle.deliver("a", message, None);
    deliver(&Shared::new("one").with_event_id("e:1\r\ndata: \0x"));
    deliver(&Shared::new(&b"binary"[..]));
    deliver(&Shared::new("two\r\nlines").with_event_id("e:2"));
    server.handle.publish("a", "three").unwrap();
    server.handle.deliver("b", &Shared::new("b"), None);
    for stream in &mut streams {
        assert_eq!(event(stream), "id: e:1data: x\ndata: one\n\n");
        assert_eq!(event(stream), "id: e:2\ndata: two\ndata: lines\n\n");
        assert_eq!(event(stream), "data: three\n\n");
    }
    for socket in &mut sockets {
        socket.expect(TEXT, b"one");
        socket.expect(common::BINARY, b"binary");
        socket.expect(TEXT, b"two\r\nlines");
        socket.expect(TEXT, b"three");
    }
    assert_eq!(event(&mut other), "data: b\n\n");
    until("they are counted", || server.handle.metrics().contains("\nwsmio_event_streams 5\n"));
}

#[test]
fn what_a_client_says_behind_its_request_changes_nothing() {
    let (server, told) = server(one_worker());
    let mut client = server.connect();
    client.write((ask("/events/a?retry=1500") + &ask("/events/b")).as_bytes());
    client.head();
    assert_eq!(event(&mut client), "retry: 1500\n\n");
    assert_eq!(event(&mut client), "id: e:0\ndata: welcome\n\n");
    let Told::Called(id) = next(&told) else { panic!() };
    client.write(ask("/events/c").as_bytes());
    server.handle.unsubscribe(id.peer(), "a");
    server.handle.deliver("a", &Shared::new("nobody listens"), None);
    server.handle.send(id.peer(), "to you").unwrap();
    assert_eq!(event(&mut client), "data: to you\n\n");
    client.finish_sending();
    assert_eq!(next(&told), Told::Ended(id));
    assert!(client.rest().is_empty());
    server.until_empty();
    server.handle.deliver("a", &Shared::new("nobody is there"), None);
    assert!(server.handle.metrics().contains("\nwsmio_event_streams 0\n"));
}

#[test]
fn a_comment_comes_now_and_then() {
    let (server, _told) = server(one_worker().event_heartbeat(Duration::from_millis(50)));
    let mut client = welcomed(&server, "/events/a");
    for _ in 0..3 {
        assert_eq!(event(&mut client), ":\n\n");
    }
}

#[test]
fn whoever_ends_a_stream_says_why_and_the_service_is_told_once() {
    let (server, told) = server(one_worker());
    let ended = |client: &mut Client, event_due: &str| {
        let Told::Called(id) = next(&told) else { panic!() };
        assert_eq!(event(client), format!("event: close\ndata: {event_due}\n\n"));
        assert!(client.rest().is_empty(), "the stream goes on");
        assert_eq!(next(&told), Told::Ended(id));
    };
    let mut client = welcomed(&server, "/events/a");
    let Ok(Told::Called(id)) = told.recv_timeout(LIMIT) else { panic!() };
    server.handle.close(id.peer(), CloseCode::new(4403).unwrap(), "you \"know\" why");
    server.handle.send_shared(id.peer(), &Shared::new("nothing comes behind it"));
    let due = "event: close\ndata: {\"code\":4403,\"reason\":\"you \\\"know\\\" why\"}\n\n";
    assert_eq!(event(&mut client), due);
    assert!(client.rest().is_empty());
    assert_eq!(next(&told), Told::Ended(id));
    drop(client);
    server.until_empty();
    let mut client = welcomed(&server, "/events/a");
    server.handle.drain(Duration::ZERO);
    ended(&mut client, "{\"code\":1012,\"reason\":\"the server restarts; connect again\"}");
    assert!(told.try_recv().is_err(), "told twice");
}

#[test]
fn no_stream_begins_while_the_server_drains() {
    let (server, told) = server(one_worker());
    let mut socket = server.open("/ws/a");
    socket.expect(TEXT, b"welcome");
    server.handle.drain(6 * LIMIT);
    let mut client = server.connect();
    client.write(ask("/events/a").as_bytes());
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nRetry-After: 1\r\n"), "{head}");
    let Told::Called(id) = next(&told) else { panic!() };
    assert_eq!(next(&told), Told::Ended(id));
    server.handle.shutdown();
}

#[test]
fn a_stream_that_is_not_read_is_ended_and_harms_nobody() {
    let (server, told) = server(one_worker().max_queued(100_000).close_timeout(LIMIT));
    let slow = welcomed(&server, "/events/a");
    let Told::Called(id) = next(&told) else { panic!() };
    let mut good = server.open("/ws/a");
    good.expect(TEXT, b"welcome");
    let message = Shared::new("x".repeat(50_000).as_str());
    loop {
        server.handle.deliver("a", &message, None);
        good.expect(TEXT, "x".repeat(50_000).as_bytes());
        if let Ok(event) = told.try_recv() {
            assert_eq!(event, Told::Ended(id));
            break;
        }
    }
    let mut slow = slow;
    let rest = String::from_utf8(slow.rest()).unwrap();
    let end = "\n\nevent: close\ndata: {\"code\":1013,\"reason\":\"too slow: too much waits\"}\n\n";
    assert!(rest.ends_with(end), "{:?}", &rest[rest.len().saturating_sub(200)..]);
}

#[test]
fn what_a_stream_missed_does_not_count_as_what_it_does_not_read() {
    const MISSED: u32 = 500;
    let (server, _told) = server(one_worker().max_queued(50_000));
    let mut client = welcomed(&server, &format!("/events/a?missed={MISSED}"));
    // The kernel has taken what it takes.
    until("much waits", || server.handle.stats().queued_bytes > 1_000_000);
    server.handle.deliver("a", &Shared::new(long(MISSED).as_str()), None);
    server.handle.deliver("a", &Shared::new("behind"), None);
    for number in 0..=MISSED {
        assert_eq!(event(&mut client), format!("data: {}\n\n", long(number)));
    }
    assert_eq!(event(&mut client), "data: behind\n\n");
}

#[test]
fn a_stream_counts_as_a_connection() {
    let (server, told) = server(one_worker().max_connections(Some(1)));
    let client = welcomed(&server, "/events/a");
    let mut other = server.connect();
    other.write(request("/ws/a").as_bytes());
    assert!(other.head().starts_with("HTTP/1.1 503 "));
    drop(client);
    let Told::Called(id) = next(&told) else { panic!() };
    assert_eq!(next(&told), Told::Ended(id));
    server.open("/ws/a").expect(TEXT, b"welcome");
}
