//! What peers that behave badly cost those that do not, and the server.
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
#[path = "common/program.rs"]
mod program;

use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};

use common::{BINARY, Client, TEXT, frame, request, until};
use program::Program;
use socket2::{Domain, Socket, Type};

/// The slowest but one in a hundred of many exchanges, of all clients in turn.
fn p99(clients: &mut [Client], rounds: u32) -> Duration {
    let mut times = Vec::new();
    for _ in 0..rounds {
        for client in &mut *clients {
            let begun = Instant::now();
            client.echo("hello");
            times.push(begun.elapsed());
        }
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// How long exchanges of 100 others take while there are none and while there are 500 with half a request, which
/// are gone in time.
fn quiet_and_meanwhile(program: &Program, clients: &mut [Client]) -> (Duration, Duration) {
    p99(clients, 5);
    let quiet = p99(clients, 20);
    let begun = Instant::now();
    let half = &request("/echo").into_bytes()[..60];
    let halves: Vec<_> = (0..500)
        .map(|_| {
            let mut client = Client::connect(program.address());
            client.write(half);
            client
        })
        .collect();
    let mut meanwhile = Vec::new();
    while begun.elapsed() < Duration::from_millis(1200) {
        meanwhile.push(p99(clients, 5));
    }
    meanwhile.sort_unstable();
    // They are gone, although none of them has closed its end.
    let open = || (0..2).map(|i| metric(program, &format!("wsmio_connections{{worker=\"{i}\"}}")));
    until("the halves are gone", || open().sum::<usize>() <= clients.len() + 1);
    for mut half in halves {
        assert!(half.head().starts_with("HTTP/1.1 408 "));
        half.rest();
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    p99(clients, 1);
    (quiet, meanwhile[meanwhile.len() / 2])
}

#[test]
fn half_requests_are_gone_in_time_and_hold_up_nobody() {
    let program =
        Program::with(&["--handshake-timeout", "1s", "--log-level", "error", "--workers", "2"]);
    let mut clients: Vec<_> = (0..100).map(|_| program.open("/echo")).collect();
    // What else the machine does meanwhile is not the server's fault, but it is not so each time.
    let mut trials = (0..4).map(|_| quiet_and_meanwhile(&program, &mut clients));
    let good = trials.any(|(quiet, meanwhile)| {
        println!("{quiet:?}, and {meanwhile:?} meanwhile");
        meanwhile < 5 * quiet
    });
    assert!(good, "half requests hold up others");
}

const MIB: usize = 1024 * 1024;

/// A metric's value.
fn metric(program: &Program, name: &str) -> usize {
    let text = program.get("/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn members_of_a_room_that_never_read_take_no_more_than_their_limit_and_give_it_back() {
    let arguments = ["--workers", "1", "--log-level", "error", "--deflate", "off"];
    let program = Program::with(&[&arguments[..], &["--close-timeout", "500ms"]].concat());
    let mut loud = program.open("/relay/room");
    let mut good = program.open("/relay/room");
    let message = vec![b'x'; 64 * 1024];
    // What is got once from the system and kept does not count.
    for _ in 0..50 {
        loud.send(BINARY, &message);
        good.expect(BINARY, &message);
    }
    let before = program.resident();
    let deaf: Vec<_> = (0..10).map(|_| program.open("/relay/room")).collect();
    let closed = "wsmio_closed_total{by=\"server\",code=\"1013\"}";
    let (begun, mut most) = (Instant::now(), 0);
    while metric(&program, closed) < deaf.len() {
        for _ in 0..10 {
            loud.send(BINARY, &message);
            good.expect(BINARY, &message);
        }
        let queued = metric(&program, "wsmio_queued_bytes");
        assert!(queued <= deaf.len() * (MIB + 2 * message.len()), "{queued} bytes wait");
        most = most.max(queued);
        assert!(begun.elapsed() < common::LIMIT, "they are not closed");
    }
    assert!(most > MIB / 2, "{most}: it was never tried");
    until("nothing waits", || metric(&program, "wsmio_queued_bytes") == 0);
    drop(deaf);
    let after = program.resident();
    assert!(after < before + MIB, "{before} bytes before, {after} after");
}

#[test]
fn many_peers_that_never_read_their_replies_take_no_more_than_their_limits() {
    const PEERS: usize = 250;
    let arguments = ["--workers", "1", "--log-level", "error", "--deflate", "off"];
    let program = Program::with(&arguments);
    let mut good = program.open("/echo");
    let before = program.resident();
    let message = frame(TEXT, &[b'x'; 10_000]).repeat(20);
    let mut peers: Vec<_> = (0..PEERS)
        .map(|_| {
            // The kernel is to keep few replies for it.
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_recv_buffer_size(8 * 1024).unwrap();
            socket.set_send_buffer_size(8 * 1024).unwrap();
            socket.connect(&program.address().into()).unwrap();
            let mut client = Client::of(socket.into());
            client.upgrade("/echo");
            client.stream.set_nonblocking(true).unwrap();
            (client, 0)
        })
        .collect();
    // Until nobody's kernel takes more for some rounds: the server does not read from them.
    let (begun, mut idle) = (Instant::now(), 0);
    while idle < 3 {
        let mut written = 0;
        for (peer, sent) in &mut peers {
            match peer.stream.write(&message[*sent % message.len()..]) {
                Ok(n) => {
                    written += n;
                    *sent += n;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        idle = if written == 0 { idle + 1 } else { 0 };
        good.echo("undisturbed");
        assert!(begun.elapsed() < 6 * common::LIMIT, "the server takes all");
    }
    let (queued, after) = (metric(&program, "wsmio_queued_bytes"), program.resident());
    // What is beyond 64 KiB is read no more; a read's replies may come to it.
    assert!(queued < PEERS * 160 * 1024, "{queued} bytes wait");
    assert!(after < before + queued + queued / 4 + 8 * MIB, "{before}, {after}, {queued} wait");
}

#[test]
fn what_is_set_for_slow_peers_is_what_happens_to_them() {
    let relay = "/relay/{room} on-slow=drop-oldest max-queued=64KiB stall-timeout=1h";
    let arguments = ["--workers", "1", "--log-level", "error", "--deflate", "off"];
    let set = ["--slow-peers", relay, "--stall-timeout", "500ms", "--close-timeout", "500ms"];
    let program = Program::with(&[&arguments[..], &set].concat());
    let [mut deaf, mut loud] = [0; 2].map(|_| program.open("/relay/room"));
    let dropped = "wsmio_dropped_messages_total{cause=\"bytes\"}";
    let mut sent = 0_u32;
    while metric(&program, dropped) == 0 {
        for _ in 0..20 {
            loud.send(BINARY, &[&sent.to_be_bytes()[..], &[0; 16 * 1024]].concat());
            sent += 1;
        }
        assert!(sent < 5000, "nothing is dropped");
    }
    // One that does not read its replies has less time.
    let mut silent = program.open("/echo");
    silent.stream.set_nonblocking(true).unwrap();
    let message = frame(BINARY, &[0; 60_000]);
    let closed = "wsmio_closed_total{by=\"server\",code=\"1013\"}";
    let (begun, mut written) = (Instant::now(), 0);
    while metric(&program, closed) == 0 {
        while let Ok(n) = silent.stream.write(&message[written % message.len()..]) {
            written += n;
        }
        assert!(begun.elapsed() < common::LIMIT, "it is not closed");
    }
    assert_eq!(metric(&program, "wsmio_slow_peers_total{limit=\"age\",policy=\"close\"}"), 1);
    // The other is still there, and comes to the newest message.
    let mut last = 0;
    while last + 1 < sent {
        let frame = deaf.frame();
        assert_eq!((frame.start, frame.payload.len()), (BINARY, 4 + 16 * 1024));
        last = u32::from_be_bytes(*frame.payload.first_chunk().unwrap());
    }
}
