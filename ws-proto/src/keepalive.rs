//! Liveness of a connection as a pure function of the caller's time: when to ping, when to give up.

use core::time::Duration;

/// A moment, in milliseconds since any fixed one of the caller's choice (start of the program,
/// power-on). It must not go backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// The moment `millis` milliseconds after the fixed one.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the fixed moment.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `duration` later, rounded up to a millisecond; at the end of time, the end.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let part = u64::from(duration.subsec_nanos().div_ceil(1_000_000));
        let millis = duration.as_secs().saturating_mul(1000).saturating_add(part);
        Self(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero if it isn't.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The deadlines of a [`Keepalive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timing {
    /// Silence of the peer after which it is pinged; `None`: never. Default: 30 s.
    pub ping_after: Option<Duration>,
    /// Further silence after which a pinged peer counts as dead. Default: 10 s.
    pub pong_within: Duration,
    /// How long a closing handshake may take. Default: 5 s.
    pub close_within: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping_after: Some(Duration::from_secs(30)),
            pong_within: Duration::from_secs(10),
            close_within: Duration::from_secs(5),
        }
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Due {
    /// Nothing before this moment; `None`: nothing before [`Keepalive::heard`] or
    /// [`Keepalive::closing`] is called.
    Nothing(Option<Instant>),
    /// Send a ping. Said once; the pong's deadline runs from here.
    Ping,
    /// The peer is dead: it was silent for too long after a ping.
    Dead,
    /// The closing handshake took too long: drop the transport.
    CloseExpired,
}

/// Tells when to ping a silent peer, when it is dead, and when a closing handshake took too long.
///
/// Any byte from the peer proves that it lives, a pong or not. It keeps no clock: every call is
/// told what time it is.
///
/// ```
/// use ws_proto::keepalive::{Due, Instant, Keepalive, Timing};
/// let (at, timing) = (Instant::from_millis, Timing::default());
/// let mut keepalive = Keepalive::new(at(0));
/// assert_eq!(keepalive.poll(&timing, at(29_999)), Due::Nothing(Some(at(30_000))));
/// assert_eq!(keepalive.poll(&timing, at(30_000)), Due::Ping);
/// assert_eq!(keepalive.poll(&timing, at(30_000)), Due::Nothing(Some(at(40_000))));
/// keepalive.heard(at(30_020));
/// assert_eq!(keepalive.poll(&timing, at(40_000)), Due::Nothing(Some(at(60_020))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    since: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Listening,
    Pinged,
    Closing,
}

impl Keepalive {
    /// A connection that was opened, or last heard of, at `now`.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { since: now, phase: Phase::Listening }
    }

    /// Bytes came from the peer.
    pub fn heard(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            *self = Self::new(now);
        }
    }

    /// The closing handshake has begun, on either side. A second call does not extend its deadline.
    pub fn closing(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            *self = Self { since: now, phase: Phase::Closing };
        }
    }

    /// When [`poll`](Self::poll) will have something to do, if nothing is heard before; `None`: never.
    #[must_use]
    pub fn deadline(&self, timing: &Timing) -> Option<Instant> {
        Some(self.since.after(match self.phase {
            Phase::Listening => timing.ping_after?,
            Phase::Pinged => timing.pong_within,
            Phase::Closing => timing.close_within,
        }))
    }

    /// What is to be done at `now`.
    pub fn poll(&mut self, timing: &Timing, now: Instant) -> Due {
        let deadline = self.deadline(timing);
        if deadline.is_none_or(|deadline| now < deadline) {
            return Due::Nothing(deadline);
        }
        match self.phase {
            Phase::Listening => {
                *self = Self { since: now, phase: Phase::Pinged };
                Due::Ping
            }
            Phase::Pinged => Due::Dead,
            Phase::Closing => Due::CloseExpired,
        }
    }
}
