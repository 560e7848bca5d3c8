//! Peers that do not read what is sent to them, and peers that send without end.
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

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{BINARY, Client, LIMIT, PING, PONG, Running, TEXT, close, echo, frame, serve, until};
use ws_mio_server::{Builder, Ending, Handler, Message, Peer, Server};

const MIB: usize = 1024 * 1024;

/// Writes until the kernel takes no more for good, while `other` sees that the server goes on.
/// Returns how many bytes it took.
fn write_until_refused(client: &mut Client, other: &mut Client, bytes: &[u8]) -> usize {
    client.stream.set_nonblocking(true).unwrap();
    let (mut written, mut refused) = (0, 0);
    while refused < 100 && written < bytes.len() {
        match client.stream.write(&bytes[written..]) {
            Ok(n) => {
                written += n;
                refused = 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                other.echo("the server has had a turn, and I am undisturbed");
                refused += 1;
            }
            // The server has had enough of it.
            Err(_) => break,
        }
    }
    client.stream.set_nonblocking(false).unwrap();
    written
}

#[test]
fn a_peer_that_does_not_take_its_replies_is_not_read_from() {
    let server = serve(echo().max_message(16 * 1024 * 1024));
    let mut other = server.open("/echo");
    for (size, count) in [(1000, 30_000_u32), (16 * MIB, 2)] {
        let mut client = server.open("/echo");
        let message = |i: u32| [&i.to_be_bytes()[..], &vec![b'x'; size]].concat()[..size].to_vec();
        let all: Vec<u8> = (0..count).flat_map(|i| frame(BINARY, &message(i))).collect();
        let written = write_until_refused(&mut client, &mut other, &all);
        // What the kernel holds on both ways, and at most one message in the server.
        assert!(written < 16 * MIB + size, "{written} bytes of {} were taken", all.len());
        // When it reads, all that it sent comes back, and the rest as it sends on.
        let mut writer = Client::of(client.stream.try_clone().unwrap());
        let sending = thread::spawn(move || writer.write(&all[written..]));
        for i in 0..count {
            client.expect(BINARY, &message(i));
        }
        sending.join().unwrap();
        client.write(&close(1000, ""));
        client.closed(1000);
    }
}

#[test]
fn a_peer_that_takes_nothing_for_too_long_is_dropped() {
    let short = Duration::from_millis(200);
    let server = serve(echo().stall_timeout(short).close_timeout(short));
    let mut other = server.open("/echo");
    let mut client = server.open("/echo");
    let begun = Instant::now();
    let written =
        write_until_refused(&mut client, &mut other, &frame(BINARY, &[0; 60_000]).repeat(1000));
    assert!(written > MIB);
    until("the stalled peer is dropped", || server.handle.stats().connections == 1);
    assert!(begun.elapsed() >= short);
    other.echo("still here");
}

#[test]
fn a_peer_that_was_called_slow_gets_what_came_before_and_is_told() {
    let short = Duration::from_millis(200);
    let server = serve(echo().stall_timeout(short));
    let mut other = server.open("/echo");
    let mut client = server.open("/echo");
    let all = frame(BINARY, &[7; 60_000]).repeat(1000);
    let written = write_until_refused(&mut client, &mut other, &all);
    // Four ticks of the timer behind the deadline the Close frame is queued, if it will ever be.
    let begun = Instant::now();
    until("the peer has stalled", || begun.elapsed() > short + Duration::from_millis(256));
    let mut replies = 0;
    let last = loop {
        match client.frame() {
            reply if reply.start == BINARY => assert_eq!(reply.payload, [7; 60_000]),
            last => break last,
        }
        replies += 1;
    };
    assert_eq!(last.code(), 1013);
    assert!(replies > 0 && replies <= written / 60_000, "{replies}");
    client.finish_sending();
    client.ended();
}

/// Everything goes to everyone else.
#[derive(Clone)]
struct Room;

impl Handler for Room {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        peer.subscribe("room");
        peer.send("here");
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.publish("room", message);
    }
}

#[test]
fn a_subscriber_that_never_reads_is_closed_and_the_others_get_everything() {
    for workers in [1, 2] {
        let room = Server::builder().workers(workers).route("/room", Room).max_queued(256 * 1024);
        // How long this takes is not the point.
        let server = serve(room.close_timeout(6 * LIMIT));
        let mut slow = server.open("/room");
        let mut others = [server.open("/room"), server.open("/room")];
        let mut publisher = server.open("/room");
        slow.expect(TEXT, b"here");
        for other in &mut others {
            other.expect(TEXT, b"here");
        }
        let message = |i| vec![i; 64 * 1024];
        for i in 0..=255 {
            publisher.send(BINARY, &message(i));
            for other in &mut others {
                other.expect(BINARY, &message(i));
            }
        }
        // It gets the first messages without a gap, then a Close frame and no message behind it.
        let mut got = 0u8;
        let last = loop {
            match slow.frame() {
                frame if frame.start == BINARY => assert_eq!(frame.payload, message(got)),
                last => break last,
            }
            got += 1;
        };
        assert_eq!(last.code(), 1013);
        assert!(got < 250, "16 MiB do not fit into the kernel and 256 KiB: {got}");
        slow.write(&close(1013, ""));
        slow.ended();
        drop(slow);
        until("it is gone", || server.handle.stats().connections == 3);
    }
}

#[test]
fn a_reply_beyond_the_limit_closes_the_connection() {
    let server = serve(flood(None).max_queued(100_000).max_message(1000));
    let mut client = narrow(&server, "/flood");
    ask(&server, &mut client, "16");
    client.finish_sending();
    let replies = std::iter::from_fn(|| client.next()).collect::<Vec<_>>();
    let (last, replies) = replies.split_last().unwrap();
    assert_eq!(last.code(), 1013);
    assert!(replies.iter().all(|reply| reply.payload.len() == MIB));
}

/// Sends as many MiB as it is asked for, and says when they are taken.
#[derive(Clone)]
struct Flood(Option<Sender<usize>>);

impl Handler for Flood {
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        let Message::Text(number) = message else { panic!("{message:?}") };
        for _ in 0..number.parse().unwrap() {
            peer.send(&[b'x'; MIB]);
        }
    }

    fn on_drain(&mut self, peer: &mut Peer<'_>) {
        peer.send("drained");
        if let Some(drained) = &self.0 {
            drained.send(peer.queued()).unwrap();
        }
    }

    fn on_close(&mut self, _: &mut Peer<'_>, ending: Ending<'_>) {
        assert_ne!(ending.code, 1000, "no test closes");
    }
}

fn flood(drained: Option<Sender<usize>>) -> Builder {
    echo().route("/flood", Flood(drained))
}

/// A client for which the kernel takes the same, however much it has read.
fn narrow(server: &Running, path: &str) -> Client {
    let client = server.open(path);
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(256 * 1024).unwrap();
    client
}

/// Asks for so many MiB. When it returns, the server has done its turn, and nothing was read yet.
fn ask(server: &Running, client: &mut Client, number: &str) {
    let before = server.handle.stats().messages;
    client.send(TEXT, number.as_bytes());
    until("the server has the question", || server.handle.stats().messages > before);
    server.open("/echo").echo("the turn is over");
}

#[test]
fn the_handler_is_told_when_all_is_taken() {
    let (send, drained) = channel();
    let server = serve(flood(Some(send)).max_queued(64 * MIB));
    let mut client = narrow(&server, "/flood");
    for _ in 0..2 {
        ask(&server, &mut client, "16");
        // It is not read now, and nothing further will come to tell that it waits.
        client.send(PING, b"behind");
        for i in 0..16 {
            assert!(i > 8 || drained.try_recv().is_err(), "not all is taken");
            client.expect(BINARY, &[b'x'; MIB]);
        }
        client.expect(TEXT, b"drained");
        client.expect(PONG, b"behind");
        let queued = drained.recv_timeout(LIMIT).unwrap();
        assert_eq!(queued, 2 + b"drained".len(), "nothing but what was sent in the call");
        assert!(drained.try_recv().is_err(), "once");
    }
    // What the kernel takes at once does not count as waiting.
    ask(&server, &mut client, "0");
    client.send(PING, b"");
    client.expect(PONG, b"");
    assert!(drained.try_recv().is_err());
}

#[test]
fn a_peer_that_takes_its_replies_slowly_is_alive() {
    let (interval, timeout) = (Duration::from_millis(200), Duration::from_millis(600));
    let builder = flood(None).max_queued(64 * MIB);
    let server = serve(builder.ping_interval(Some(interval)).pong_timeout(timeout));
    let mut client = narrow(&server, "/flood");
    ask(&server, &mut client, "16");
    // It is not read from meanwhile, and has no way to answer a ping that it has not seen yet.
    let begun = Instant::now();
    let mut taken = vec![0; 63 * 256 * 1024];
    for (step, taken) in (1..).zip(taken.chunks_mut(256 * 1024)) {
        client.stream.read_exact(taken).expect("it was taken for dead");
        until("the next step", || begun.elapsed() > step * Duration::from_millis(25));
    }
    assert!(begun.elapsed() > interval + timeout + timeout);
    // Pings came between the replies.
    while let Some(more) = (16 * (MIB + 10) + 2 * pings(&taken)).checked_sub(taken.len() + 1) {
        let start = taken.len();
        taken.resize(start + more + 1, 0);
        client.stream.read_exact(&mut taken[start..]).unwrap();
    }
    client.send(PING, b"here I am");
    let mut later = std::iter::from_fn(|| client.next()).filter(|frame| frame.start != PING);
    assert_eq!(later.next().unwrap().payload, b"drained");
    assert_eq!(later.next().unwrap().payload, b"here I am");
}

/// How many pings stand between messages of 1 MiB.
fn pings(mut taken: &[u8]) -> usize {
    let mut pings = 0;
    while let Some(first) = taken.first() {
        let n = if *first == PING { 2 } else { MIB + 10 };
        pings += usize::from(*first == PING);
        taken = taken.get(n..).unwrap_or_default();
    }
    pings
}

/// Takes its time for each message.
#[derive(Clone)]
struct Busy(Arc<AtomicU64>);

impl Handler for Busy {
    fn on_message(&mut self, _: &mut Peer<'_>, message: Message<'_>) {
        let len = message.as_bytes().len() as u64;
        self.0.fetch_add(len, Ordering::Relaxed);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(len / 100) {
            std::hint::spin_loop();
        }
    }
}

#[test]
fn a_peer_that_sends_without_end_leaves_others_their_turn() {
    let taken = Arc::new(AtomicU64::new(0));
    let server = serve(echo().route("/busy", Busy(Arc::clone(&taken))));
    let mut other = server.open("/echo");
    let mut flooding = server.open("/busy");
    let mut writer = Client::of(flooding.stream.try_clone().unwrap());
    let messages = frame(BINARY, &[0; 8000]).repeat(64);
    let writing = thread::spawn(move || while writer.stream.write_all(&messages).is_ok() {});
    // 100 MB/s is less than a client can send: the server never finds it without more.
    let taken = || taken.load(Ordering::Relaxed);
    until("the flood is on", || taken() > 20 * MIB as u64);
    // The fewest bytes of the flood that were served while one small message made its round trip.
    let least = (0..20).map(|_| {
        let before = taken();
        other.echo("me too");
        taken() - before
    });
    let least = least.min().unwrap();
    assert!(least <= MIB as u64, "{least} bytes went before");
    flooding.finish_sending();
    flooding.ended();
    writing.join().unwrap();
}
