//! The clock of applications.

use std::time::Duration;

pub(crate) use ws_mio_server::simulation::unix_millis;

use ws_mio_server::simulation::steady;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Duration);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(steady())
    }

    pub(crate) fn running(self) -> Duration {
        steady().saturating_sub(self.0)
    }
}
