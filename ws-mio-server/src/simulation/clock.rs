//! The clock of a simulation, beside the real one: what runs on a thread that has a simulated time sees that alone.

#[path = "../clock.rs"]
mod real;

use std::cell::Cell;
use std::time::Duration;

pub(crate) use real::moment;

thread_local! {
    static NOW: Cell<Option<(Duration, Duration)>> = const { Cell::new(None) };
}

/// From here on it is so late on this thread: by a clock that never goes back, and since 1970-01-01 UTC.
pub fn set(steady: Duration, unix: Duration) {
    NOW.set(Some((steady, unix)));
}

/// How long this thread's simulation has run, by the clock that never goes back.
#[must_use]
pub fn steady() -> Duration {
    NOW.get().unwrap_or_default().0
}

/// Milliseconds since 1970-01-01 UTC, as the node sees it that runs.
#[must_use]
pub fn unix_millis() -> u64 {
    match NOW.get() {
        Some((_, unix)) => u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
        None => real::unix_millis(),
    }
}

pub(crate) fn unix_time() -> u64 {
    match NOW.get() {
        Some((_, unix)) => unix.as_secs(),
        None => real::unix_time(),
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    Real(real::Clock),
    Simulated(Duration),
}

impl Clock {
    pub(crate) fn start() -> Self {
        match NOW.get() {
            Some((steady, _)) => Self::Simulated(steady),
            None => Self::Real(real::Clock::start()),
        }
    }

    pub(crate) fn running(self) -> Duration {
        match self {
            Self::Real(clock) => clock.running(),
            Self::Simulated(start) => steady().saturating_sub(start),
        }
    }
}
