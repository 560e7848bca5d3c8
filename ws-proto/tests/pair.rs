//! A client and a server joined by wires in memory: what one writes, the other reads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]

#[path = "harness/cases.rs"]
mod cases;
mod harness;
mod world;

use std::time::Duration;

use cases::cases;
use harness::{End, Got, Log, client_conn, read, server_conn};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{prop_assert_eq, proptest};
use world::{Op, World};
use ws_proto::keepalive::{Due, Instant, Keepalive, Timing};
use ws_proto::{CloseCode, Closed, Config, State, Transport};

/// How a server and a client end: the server closes TCP first (§7.1.1).
const CLOSED: [(State, Transport); 2] =
    [(State::Closed, Transport::Close), (State::Closed, Transport::AwaitEof)];

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Server), Just(End::Client)]
}

fn op() -> impl Strategy<Value = Op> {
    let cuts = vec(0usize..60, 0..5);
    prop_oneof![
        3 => (end(), "[a-z\u{e9}\u{20ac}\u{1f600}]{0,40}", cuts.clone(), any::<bool>()).prop_map(
            |(from, text, cuts, pings)| Op::Text { from, text, cuts, pings }
        ),
        3 => (end(), vec(any::<u8>(), 0..100), cuts, any::<bool>()).prop_map(
            |(from, bytes, cuts, pings)| Op::Binary { from, bytes, cuts, pings }
        ),
        // A pong that is owed and a control frame that is cut have 125 bytes of room between them.
        2 => (end(), vec(any::<u8>(), 0..=62)).prop_map(|(from, bytes)| Op::Ping { from, bytes }),
        6 => (end(), 1usize..200).prop_map(|(to, most)| Op::Deliver { to, most }),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn everything_that_is_sent_arrives_and_both_close_cleanly(
        room in 141usize..400,
        ops in vec(op(), 0..40),
        closer in end(),
        both in any::<bool>(),
    ) {
        let mut world = World::new(room);
        for op in ops {
            world.apply(op);
        }
        world.settle();
        for from in End::BOTH {
            prop_assert_eq!(&world.sent(from).messages, &world.got(from.peer()).messages);
            prop_assert_eq!(&world.sent(from).pings, &world.got(from.peer()).pings);
            // The newest at least: §5.5.3.
            prop_assert_eq!(world.sent(from).pings.last(), world.got(from).pongs.last());
        }
        world.close(closer);
        if both {
            world.close(closer.peer());
        }
        world.settle();
        prop_assert_eq!(world.ends(), CLOSED);
        prop_assert_eq!(world.eof(), [Closed::Clean, Closed::Clean]);
    }

    /// A Close in the middle of anything: what was sent before it arrives, and nothing behind it.
    #[test]
    fn a_close_cuts_off_nothing_that_was_sent_before_it(
        room in 141usize..400,
        before in vec(op(), 0..15),
        closer in end(),
        after in vec(op(), 0..15),
    ) {
        let mut world = World::new(room);
        for op in before {
            world.apply(op);
        }
        world.close(closer);
        for op in after {
            world.apply(op);
        }
        world.settle();
        // The closer has sent all of its messages, for its Close waits behind them; the peer has
        // sent those that it could before it read the Close.
        prop_assert_eq!(&world.sent(closer).messages, &world.got(closer.peer()).messages);
        prop_assert_eq!(&world.sent(closer.peer()).messages, &world.got(closer).messages);
        prop_assert_eq!(world.ends(), CLOSED);
        prop_assert_eq!(world.eof(), [Closed::Clean, Closed::Clean]);
    }
}

const TIMING: Timing = Timing {
    ping_after: Some(Duration::from_millis(300)),
    pong_within: Duration::from_millis(100),
    close_within: Duration::from_millis(50),
};

/// What a host with a keepalive sees on a link that takes `latency` a way and breaks at `broken`:
/// how many pings it sent, and when it gave up.
fn idle(latency: u64, broken: u64, until: u64) -> (u64, Option<u64>) {
    let (mut server, mut client) = (server_conn(Config::default()), client_conn(Config::default()));
    let mut keepalive = Keepalive::new(Instant::from_millis(0));
    let (mut at_server, mut at_client) = (Log::default(), Log::default());
    // Bytes under way, and when they arrive.
    let (mut down, mut up) = (Vec::<(u64, Vec<u8>)>::new(), Vec::<(u64, Vec<u8>)>::new());
    let mut pings = 0;
    for now in 0..until {
        for (_, bytes) in down.extract_if(.., |(at, _)| *at == now) {
            read(&mut client, &bytes, &mut at_client);
        }
        for (_, bytes) in up.extract_if(.., |(at, _)| *at == now) {
            keepalive.heard(Instant::from_millis(now));
            read(&mut server, &bytes, &mut at_server);
        }
        match keepalive.poll(&TIMING, Instant::from_millis(now)) {
            Due::Nothing(_) => {}
            Due::Ping => {
                pings += 1;
                server.ping(&now.to_be_bytes(), &mut at_server.sent).unwrap();
            }
            Due::Dead => return (pings, Some(now)),
            Due::CloseExpired => panic!("nobody closes"),
        }
        if now < broken {
            down.push((now + latency, at_server.sent.take()));
            up.push((now + latency, at_client.sent.take()));
            down.retain(|(_, bytes)| !bytes.is_empty());
            up.retain(|(_, bytes)| !bytes.is_empty());
        }
    }
    assert!(at_server.got.iter().all(|got| matches!(got, Got::Pong(_))));
    (pings, None)
}

#[test]
fn an_idle_pair_stays_alive_while_pongs_come_in_time() {
    for latency in [1, 10, 49] {
        let period = 300 + 2 * latency;
        assert_eq!(idle(latency, u64::MAX, 10 * period), (10, None), "{latency}");
    }
}

#[test]
fn a_broken_or_slow_link_is_noticed() {
    assert_eq!(idle(10, 0, 10_000), (1, Some(400)));
    assert_eq!(idle(10, 1000, 10_000), (4, Some(3 * 320 + 400)));
    // The pong is under way too long.
    assert_eq!(idle(51, u64::MAX, 10_000), (1, Some(400)));
}

/// A client that never answers a Close: the server gives up at its deadline.
#[test]
fn a_close_that_is_not_answered_expires() {
    let mut server = server_conn(Config::default());
    let mut keepalive = Keepalive::new(Instant::from_millis(0));
    let mut log = Log::default();
    server.close(CloseCode::GOING_AWAY, "restart", &mut log.sent).unwrap();
    keepalive.closing(Instant::from_millis(7));
    for now in 7..57 {
        // It talks all the time.
        read(&mut server, &harness::frame(End::Server, harness::PING, b""), &mut log);
        keepalive.heard(Instant::from_millis(now));
        let next = Due::Nothing(Some(Instant::from_millis(57)));
        assert_eq!(keepalive.poll(&TIMING, Instant::from_millis(now)), next);
    }
    assert_eq!(keepalive.poll(&TIMING, Instant::from_millis(57)), Due::CloseExpired);
    assert_eq!(server.peer_eof(), Closed::Abnormal);
    assert_eq!(server.transport(), Transport::Close);
}
