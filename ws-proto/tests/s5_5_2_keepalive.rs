//! RFC 6455 §5.5.2: a ping as a keepalive, on virtual time.
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

use std::time::Duration;

use ws_proto::keepalive::{Due, Instant, Keepalive, Timing};

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

const TIMING: Timing = Timing {
    ping_after: Some(Duration::from_millis(30)),
    pong_within: Duration::from_millis(10),
    close_within: Duration::from_millis(5),
};

/// What a host sees that polls at every moment.
fn at_every_moment(heard: &[u64], closing: Option<u64>, until: u64) -> Vec<(u64, Due)> {
    let mut keepalive = Keepalive::new(at(0));
    let mut seen = Vec::new();
    for now in 0..=until {
        if heard.contains(&now) {
            keepalive.heard(at(now));
        }
        if closing == Some(now) {
            keepalive.closing(at(now));
        }
        let due = keepalive.poll(&TIMING, at(now));
        assert_eq!(matches!(due, Due::Nothing(_)), keepalive_is_quiet(due, now));
        if !matches!(due, Due::Nothing(_)) {
            seen.push((now, due));
            if due != Due::Ping {
                break;
            }
        }
    }
    seen
}

/// A deadline that it names is in the future.
fn keepalive_is_quiet(due: Due, now: u64) -> bool {
    match due {
        Due::Nothing(Some(next)) => next > at(now),
        Due::Nothing(None) => true,
        _ => false,
    }
}

/// What a host sees that sleeps until the deadline it was told.
fn at_deadlines(heard: &[u64], closing: Option<u64>, until: u64) -> Vec<(u64, Due)> {
    let mut keepalive = Keepalive::new(at(0));
    let mut seen = Vec::new();
    let mut happenings: Vec<u64> = heard.iter().copied().chain(closing).collect();
    happenings.sort_unstable();
    let mut happenings = happenings.into_iter().peekable();
    loop {
        let deadline = keepalive.deadline(&TIMING);
        let wake = deadline.map_or(u64::MAX, Instant::as_millis);
        let now = match happenings.peek() {
            Some(&next) if next <= wake => {
                happenings.next();
                next
            }
            _ => wake,
        };
        if now > until {
            return seen;
        }
        if heard.contains(&now) {
            keepalive.heard(at(now));
        }
        if closing == Some(now) {
            keepalive.closing(at(now));
        }
        match keepalive.poll(&TIMING, at(now)) {
            Due::Nothing(next) => assert_eq!(next, keepalive.deadline(&TIMING)),
            due => {
                seen.push((now, due));
                if due != Due::Ping {
                    return seen;
                }
            }
        }
    }
}

#[test]
fn a_silent_peer_is_pinged_once_and_dead_after_that() {
    assert_eq!(at_every_moment(&[], None, 100), [(30, Due::Ping), (40, Due::Dead)]);
}

#[test]
fn any_byte_proves_that_the_peer_lives() {
    let seen = at_every_moment(&[29, 58, 87], None, 130);
    assert_eq!(seen, [(117, Due::Ping), (127, Due::Dead)]);
    // At the last moment, and with the ping under way.
    assert_eq!(
        at_every_moment(&[39], None, 80),
        [(30, Due::Ping), (69, Due::Ping), (79, Due::Dead)]
    );
}

#[test]
fn a_closing_handshake_has_one_deadline_that_nothing_extends() {
    assert_eq!(at_every_moment(&[12, 13, 14], Some(11), 100), [(16, Due::CloseExpired)]);
    // Also while a pong is awaited.
    let seen = at_every_moment(&[], Some(38), 100);
    assert_eq!(seen, [(30, Due::Ping), (43, Due::CloseExpired)]);
    let mut keepalive = Keepalive::new(at(0));
    keepalive.closing(at(10));
    keepalive.closing(at(14));
    assert_eq!(keepalive.poll(&TIMING, at(14)), Due::Nothing(Some(at(15))));
    assert_eq!(keepalive.poll(&TIMING, at(15)), Due::CloseExpired);
    assert_eq!(keepalive.poll(&TIMING, at(16)), Due::CloseExpired, "until somebody acts");
}

#[test]
fn deadlines_are_where_something_happens() {
    // Every triple of moments in steps that hit and miss the deadlines.
    let moments = [0, 1, 9, 10, 29, 30, 31, 39, 40, 41, 60, 69];
    for a in moments {
        for b in moments {
            for closing in moments.map(Some).into_iter().chain([None]) {
                let heard = [a.min(b), a.max(b)];
                let seen = at_deadlines(&heard, closing, 200);
                assert_eq!(seen, at_every_moment(&heard, closing, 200), "{heard:?} {closing:?}");
            }
        }
    }
}

#[test]
fn without_pings_only_a_closing_handshake_ends() {
    let timing = Timing { ping_after: None, ..TIMING };
    let mut keepalive = Keepalive::new(at(0));
    assert_eq!(keepalive.poll(&timing, at(u64::MAX)), Due::Nothing(None));
    assert_eq!(keepalive.deadline(&timing), None);
    keepalive.closing(at(7));
    assert_eq!(keepalive.poll(&timing, at(11)), Due::Nothing(Some(at(12))));
    assert_eq!(keepalive.poll(&timing, at(12)), Due::CloseExpired);
}

/// The host was asleep: the peer gets its time to answer from when the ping is sent.
#[test]
fn a_late_poll_does_not_kill_a_peer_that_was_not_pinged() {
    let mut keepalive = Keepalive::new(at(0));
    assert_eq!(keepalive.poll(&TIMING, at(1000)), Due::Ping);
    assert_eq!(keepalive.poll(&TIMING, at(1009)), Due::Nothing(Some(at(1010))));
    assert_eq!(keepalive.poll(&TIMING, at(1010)), Due::Dead);
}

#[test]
fn the_default_deadlines() {
    let expected = Timing {
        ping_after: Some(Duration::from_secs(30)),
        pong_within: Duration::from_secs(10),
        close_within: Duration::from_secs(5),
    };
    assert_eq!(Timing::default(), expected);
}

#[test]
fn moments_round_up_and_end_at_the_end_of_time() {
    assert_eq!(at(5).after(Duration::ZERO), at(5));
    assert_eq!(at(5).after(Duration::from_nanos(1)), at(6));
    assert_eq!(at(5).after(Duration::from_nanos(1_000_000)), at(6));
    assert_eq!(at(5).after(Duration::from_nanos(1_000_001)), at(7));
    assert_eq!(at(5).after(Duration::new(2, 999_999_999)), at(3005));
    assert_eq!(at(5).after(Duration::MAX), at(u64::MAX));
    assert_eq!(at(u64::MAX).after(Duration::from_secs(1)), at(u64::MAX));
    assert_eq!(at(9).since(at(5)), Duration::from_millis(4));
    assert_eq!(at(5).since(at(9)), Duration::ZERO);
}
