//! Peers that do not take what is sent to them, by the policies of their routes.
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

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use common::{BINARY, CLOSE, Client, LIMIT, PING, PONG, Running, TEXT, close, frame, serve, until};
use ws_mio_server::{Builder, Handle, Handler, Message, OnSlow, Peer, Server, Shared, SlowPeers};

const KIB: usize = 1024;
const SIZE: usize = 16 * KIB;

/// Everyone is in one room. Binary messages go to all others, a text comes back as often as it says, and gaps
/// are told of by a text.
#[derive(Clone)]
struct Room {
    tells: bool,
}

impl Handler for Room {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("room");
        peer.send("here");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        match message {
            Message::Text(times) => {
                for number in 0..times.parse::<u32>().unwrap() {
                    peer.send(format!("reply {number}").as_str());
                }
            }
            Message::Binary(_) => peer.publish("room", message),
        }
    }

    fn on_gap(&mut self, peer: &mut Peer<'_>, messages: u32) {
        if self.tells {
            peer.send(format!("gap {messages}").as_str());
        } else {
            peer.close(ws_mio_server::CloseCode::TRY_AGAIN_LATER, "a gap");
        }
    }
}

/// A room whose slow members are closed, and one where the oldest messages are dropped for them.
fn rooms() -> Builder {
    let live = SlowPeers {
        max_queued: Some(256 * KIB),
        on_slow: Some(OnSlow::DropOldest),
        stall_timeout: None,
    };
    Server::builder()
        .workers(1)
        .max_queued(128 * KIB)
        .close_timeout(6 * LIMIT)
        .route("/kept", Room { tells: true })
        .route("/live", Room { tells: true })
        .route("/strict", Room { tells: false })
        .slow_peers("/live", live)
        .slow_peers("/strict", live)
}

fn join(server: &Running, path: &str) -> Client {
    let mut client = server.open(path);
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(64 * KIB).unwrap();
    client.expect(TEXT, b"here");
    client
}

/// A metric's value.
fn metric(server: &Running, name: &str) -> u64 {
    let text = server.handle.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

fn message(number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[b'x'; SIZE]].concat()
}

fn number(frame: &common::Frame) -> u32 {
    let number = u32::from_be_bytes(*frame.payload.first_chunk().unwrap());
    assert!(frame.payload == message(number), "a message is whole");
    number
}

/// Publishes until `enough`, while a member that reads gets everything: how many messages that took.
fn publish(
    publisher: &mut Client,
    reader: &mut Client,
    from: u32,
    mut enough: impl FnMut() -> bool,
) -> u32 {
    let mut number = from;
    while !enough() {
        publisher.send(BINARY, &message(number));
        reader.expect(BINARY, &message(number));
        number += 1;
        assert!(number < 5000, "it is never enough");
    }
    number
}

#[test]
fn for_a_slow_member_the_oldest_messages_are_dropped_and_the_gap_is_told() {
    let server = serve(rooms());
    let [mut slow, mut reader, mut publisher] = [0; 3].map(|_| join(&server, "/live"));
    let dropped = || metric(&server, "wsmio_dropped_messages_total{cause=\"bytes\"}");
    let count = publish(&mut publisher, &mut reader, 0, || dropped() > 100);
    let queued = || metric(&server, "wsmio_queued_bytes");
    until("no more waits than may", || queued() <= (256 * KIB + SIZE + 100) as u64);
    let episodes =
        metric(&server, "wsmio_slow_peers_total{limit=\"bytes\",policy=\"drop-oldest\"}");
    assert!((1..=dropped()).contains(&episodes), "{episodes}");
    // It is read from, and what it asks for alone is not dropped, whatever is later.
    let messages = server.handle.stats().messages;
    slow.send(PING, b"old");
    slow.send(PING, b"new");
    slow.send(TEXT, b"3");
    until("it was read from", || server.handle.stats().messages > messages);
    let before = dropped();
    let count = publish(&mut publisher, &mut reader, count, || dropped() > before + 100);

    // Now it reads: what the kernel had, the newest pong, the gap, replies, and the newest messages.
    let (mut next, mut missing, mut told, mut replies, mut pongs) = (0, 0, 0, 0, Vec::new());
    while next < count {
        let frame = slow.frame();
        match frame.start {
            BINARY => {
                missing += number(&frame) - next;
                next = number(&frame) + 1;
                assert!(missing <= told, "{missing} are missing, {told} were told of");
            }
            TEXT => match std::str::from_utf8(&frame.payload).unwrap().split_once(' ').unwrap() {
                ("gap", messages) => {
                    assert_eq!(missing, told, "nothing was sent behind the gap");
                    told += messages.parse::<u32>().unwrap();
                }
                (_, number) => {
                    assert_eq!(number, replies.to_string());
                    replies += 1;
                }
            },
            PONG => {
                assert!(next < count - 14, "it passes what waits");
                pongs.push(frame.payload);
            }
            _ => panic!("{frame:?}"),
        }
    }
    assert_eq!((missing, u64::from(told), replies), (told, dropped(), 3));
    assert_eq!(pongs, [b"new"]);
    // From here on it is a member like others.
    publisher.send(BINARY, &message(count));
    slow.expect(BINARY, &message(count));
    until("nothing waits", || queued() == 0);
    slow.write(&close(1000, ""));
    while slow.frame().start != CLOSE {}
    slow.ended();
}

#[test]
fn a_handler_may_close_whom_something_is_missing() {
    let server = serve(rooms());
    let [mut slow, mut reader, mut publisher] = [0; 3].map(|_| join(&server, "/strict"));
    let dropped = || metric(&server, "wsmio_dropped_messages_total{cause=\"bytes\"}");
    publish(&mut publisher, &mut reader, 0, || dropped() > 0);
    let mut next = 0;
    let last = loop {
        match slow.frame() {
            frame if frame.start == BINARY => assert_eq!(number(&frame), next),
            last => break last,
        }
        next += 1;
    };
    assert_eq!((last.code(), &last.payload[2..]), (1013, &b"a gap"[..]));
    slow.write(&close(1013, ""));
    slow.ended();
}

#[test]
fn who_was_called_slow_gets_nothing_more_but_the_close_which_passes_what_waits() {
    let server = serve(rooms());
    let [mut slow, mut reader, mut publisher] = [0; 3].map(|_| join(&server, "/kept"));
    let slow_ones = || metric(&server, "wsmio_slow_peers_total{limit=\"bytes\",policy=\"close\"}");
    let count = publish(&mut publisher, &mut reader, 0, || slow_ones() == 1);
    // What waited is gone, but for a frame that is being sent, and the Close.
    let queued = || metric(&server, "wsmio_queued_bytes");
    until("little waits", || queued() < (SIZE + 300) as u64);
    let dropped = metric(&server, "wsmio_dropped_messages_total{cause=\"closed\"}");
    assert!((4..=9).contains(&dropped), "{dropped}");
    let bytes = metric(&server, "wsmio_dropped_bytes_total{cause=\"closed\"}");
    assert_eq!(bytes, dropped * (SIZE + 8) as u64);
    // It takes everything at once, while others go on.
    let count = publish(&mut publisher, &mut reader, count, || false_after(20));
    let mut next = 0;
    let last = loop {
        match slow.frame() {
            frame if frame.start == BINARY => assert_eq!(number(&frame), next),
            last => break last,
        }
        next += 1;
    };
    assert_eq!(last.code(), 1013);
    // The one with which it was noticed is not among those that waited.
    assert_eq!(u64::from(count - next), dropped + 1 + 20);
    slow.write(&close(1013, ""));
    slow.ended();
}

/// True once it was asked so often, in this thread.
fn false_after(times: u32) -> bool {
    thread_local!(static ASKED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
    ASKED.set(ASKED.get() + 1);
    ASKED.get() > times
}

#[test]
fn what_has_waited_too_long_is_dropped_and_replies_are_not() {
    let short = Duration::from_millis(300);
    let stalls = SlowPeers {
        stall_timeout: Some(short),
        on_slow: Some(OnSlow::DropOldest),
        max_queued: Some(usize::MAX),
    };
    let server = serve(rooms().slow_peers("/live", stalls));
    let [mut slow, mut reader, mut publisher] = [0; 3].map(|_| join(&server, "/live"));
    let queued = || metric(&server, "wsmio_queued_bytes");
    let count = publish(&mut publisher, &mut reader, 0, || queued() > (512 * KIB) as u64);
    until("all that waits is dropped", || queued() < (SIZE + 300) as u64);
    let dropped = metric(&server, "wsmio_dropped_messages_total{cause=\"age\"}");
    assert!(dropped >= 30, "{dropped}");
    assert_eq!(metric(&server, "wsmio_slow_peers_total{limit=\"age\",policy=\"drop-oldest\"}"), 1);
    for next in 0..count - u32::try_from(dropped).unwrap() {
        slow.expect(BINARY, &message(next));
    }
    slow.expect(TEXT, format!("gap {dropped}").as_bytes());
    publisher.send(BINARY, &message(count));
    for member in [&mut slow, &mut reader] {
        member.expect(BINARY, &message(count));
    }
    let count = count + 1;
    // It does not take its replies either: that can't be helped.
    let asks = frame(TEXT, b"10000");
    publish(&mut publisher, &mut reader, count, || queued() > (512 * KIB) as u64);
    slow.write(&asks);
    until("it is closed", || {
        metric(&server, "wsmio_slow_peers_total{limit=\"age\",policy=\"close\"}") == 1
    });
}

#[test]
fn the_path_of_no_route_is_an_error() {
    let error =
        rooms().slow_peers("/nothing", SlowPeers::default()).bind("127.0.0.1:0").unwrap_err();
    assert!(error.to_string().contains("/nothing"), "{error}");
}

#[test]
fn pings_reach_a_peer_for_which_much_waits() {
    let interval = Duration::from_millis(300);
    let server = serve(rooms().ping_interval(Some(interval)).pong_timeout(6 * LIMIT));
    let [mut slow, mut reader, mut publisher] = [0; 3].map(|_| join(&server, "/live"));
    let dropped = || metric(&server, "wsmio_dropped_messages_total{cause=\"bytes\"}");
    let (begun, mut number) = (Instant::now(), 0);
    while dropped() < 100 || begun.elapsed() < 2 * interval {
        publisher.send(BINARY, &message(number));
        while reader.frame().start == PING {
            reader.write(&frame(PONG, b""));
        }
        number += 1;
    }
    while slow.frame().start != PING {}
    // What waited comes behind it.
    let mut behind = 0;
    while behind < 256 * KIB / SIZE - 2 {
        behind += usize::from(slow.frame().start == BINARY);
    }
}

/// A text asks for so many messages, which are numbered.
#[derive(Clone)]
struct Archive(Arc<OnceLock<Handle>>);

impl Handler for Archive {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("room");
        peer.send("here");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        let Message::Text(times) = message else { panic!() };
        let handle = self.0.get().unwrap();
        for number in 0..times.parse().unwrap() {
            handle.reply(peer.id(), &Shared::new(&*self::message(number)));
        }
    }

    fn on_gap(&mut self, peer: &mut Peer<'_>, messages: u32) {
        peer.send(format!("gap {messages}").as_str());
    }
}

#[test]
fn what_a_peer_has_asked_for_is_no_sign_that_it_is_slow_and_what_comes_behind_it_is() {
    const ASKED: u32 = 1000;
    let (kept, live) = (Archive(Arc::default()), Archive(Arc::default()));
    let handles = [kept.0.clone(), live.0.clone()];
    let builder = rooms().route("/archive/kept", kept).route("/archive/live", live);
    let drops = SlowPeers { on_slow: Some(OnSlow::DropOldest), ..SlowPeers::default() };
    let server = serve(builder.slow_peers("/archive/live", drops));
    handles.iter().for_each(|handle| handle.set(server.handle.clone()).unwrap());
    let queued = || server.handle.stats().queued_bytes;
    let ask = |path: &str| {
        let (mut client, before) = (join(&server, path), queued());
        client.send(TEXT, ASKED.to_string().as_bytes());
        // The kernel has taken what it takes, and far more than may wait is left.
        until("it is to get it", || queued() > before + 4 * 1024 * KIB);
        client
    };
    let publish = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            server.handle.deliver("room", &Shared::new(&*message(number)), None);
        }
    };
    let asked = |client: &mut Client| {
        for number in 0..ASKED {
            client.expect(BINARY, &message(number));
        }
    };
    let mut clients = [ask("/archive/kept"), ask("/archive/live")];
    publish(0..7);
    for client in &mut clients {
        asked(client);
        (0..7).for_each(|number| client.expect(BINARY, &message(number)));
    }
    until("nothing waits", || queued() == 0);

    // Of what nobody asked for, no more waits than for others.
    let [mut kept, mut live] = [ask("/archive/kept"), ask("/archive/live")];
    publish(ASKED..ASKED + 12);
    let last = loop {
        let frame = kept.frame();
        if frame.start != BINARY {
            break frame;
        }
    };
    assert_eq!((last.code(), &last.payload[2..]), (1013, &b"too slow: too much waits"[..]));
    let (mut next, mut missing, mut told) = (0, 0, 0);
    while next < ASKED + 12 {
        let frame = live.frame();
        if frame.start == BINARY {
            missing += number(&frame) - next;
            next = number(&frame) + 1;
            assert!(missing == 0 || next > ASKED, "what was asked for is not dropped");
        } else {
            let (_, messages) =
                std::str::from_utf8(&frame.payload).unwrap().split_once(' ').unwrap();
            told += messages.parse::<u32>().unwrap();
        }
    }
    assert!(missing > 0 && missing == told, "{missing} are missing, {told} were told of");
}

/// What comes goes back.
#[derive(Clone)]
struct Echo;

impl Handler for Echo {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.send("here");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
    }
}

#[test]
fn who_is_read_from_is_not_closed_for_the_reply_to_what_it_says_then() {
    const LEN: usize = 4 * KIB;
    // Up to 64 KiB in the queue a peer is read from, and that is far more than may wait of what others say.
    let builder = rooms().max_queued(KIB).max_message(LEN as u64);
    let server = serve(builder.route("/echo", Echo));
    let mut client = join(&server, "/echo");
    let mut sent = 0;
    while server.handle.stats().queued_bytes < 32 * KIB {
        client.send(BINARY, &[7; LEN]);
        sent += 1;
        let received = || metric(&server, "wsmio_messages_received_total");
        until("it is served", || received() >= sent);
    }
    (0..sent).for_each(|_| client.expect(BINARY, &[7; LEN]));
}
