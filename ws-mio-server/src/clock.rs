//! The one place that reads the clock: everything else is told what time it is.

use std::time::{Duration, SystemTime};

use ws_proto::keepalive::Instant;

/// Milliseconds since it was made, which never go backwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(std::time::Instant);

/// Seconds since 1970-01-01 UTC, which may be set back.
pub(crate) fn unix_time() -> u64 {
    unix_millis() / 1000
}

/// The same in milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
impl Clock {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// How long ago it was made.
    pub(crate) fn running(self) -> Duration {
        self.0.elapsed()
    }
}

/// The moment at which a clock has run for so long.
pub(crate) fn moment(running: Duration) -> Instant {
    Instant::from_millis(0).after(running)
}
