//! What becomes of peers that do not take what is sent to them.

use std::time::Duration;

/// What happens to a peer for which too much waits, or that has taken nothing for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSlow {
    /// It is closed with code 1013, which passes what waits: that is dropped.
    #[default]
    Close,
    /// The oldest messages to topics that wait for it are dropped, whole ones only; replies and what is sent to
    /// it alone are not, and if those are too many, it is closed all the same.
    /// [`Handler::on_gap`](crate::Handler::on_gap) tells before anything behind the gap goes out.
    DropOldest,
}

impl OnSlow {
    /// In one word, for metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::DropOldest => "drop-oldest",
        }
    }
}

/// What becomes of slow peers of one route, where it is not what becomes of those of the server's others
/// ([`Builder::slow_peers`](crate::Builder::slow_peers)).
///
/// ```
/// use ws_mio_server::{OnSlow, SlowPeers};
/// let live = SlowPeers { on_slow: Some(OnSlow::DropOldest), ..SlowPeers::default() };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlowPeers {
    /// How many bytes may wait for a peer ([`Builder::max_queued`](crate::Builder::max_queued)).
    pub max_queued: Option<usize>,
    /// How long bytes may wait for a peer that takes none of them
    /// ([`Builder::stall_timeout`](crate::Builder::stall_timeout)).
    pub stall_timeout: Option<Duration>,
    /// What happens beyond ([`Builder::on_slow`](crate::Builder::on_slow)).
    pub on_slow: Option<OnSlow>,
}

/// How slow peers may be, and what happens beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) max_queued: usize,
    pub(crate) stall_timeout: Duration,
    pub(crate) on_slow: OnSlow,
}

impl Patience {
    pub(crate) const DEFAULT: Self = Self {
        max_queued: 1024 * 1024,
        stall_timeout: Duration::from_secs(30),
        on_slow: OnSlow::Close,
    };

    fn with(self, own: SlowPeers) -> Self {
        Self {
            max_queued: own.max_queued.unwrap_or(self.max_queued),
            stall_timeout: own.stall_timeout.unwrap_or(self.stall_timeout),
            on_slow: own.on_slow.unwrap_or(self.on_slow),
        }
    }
}

/// What is set for all routes, and for some.
#[derive(Clone, Debug)]
pub(crate) struct Slowness {
    pub(crate) all: Patience,
    /// By path.
    pub(crate) some: Vec<(String, SlowPeers)>,
}

/// What is true of each route, by its number.
#[derive(Clone, Debug)]
pub(crate) struct Patiences {
    /// Nobody's limit of bytes is below: with less, nothing need be looked up.
    pub(crate) least: usize,
    all: Patience,
    routes: Vec<Patience>,
}

impl Patiences {
    pub(crate) fn new(slowness: &Slowness, paths: &[String]) -> Self {
        let all = slowness.all;
        let of = |path: &String| {
            let own = slowness.some.iter().filter(|(of, _)| of == path);
            own.fold(all, |patience, (_, own)| patience.with(*own))
        };
        let routes: Vec<_> = paths.iter().map(of).collect();
        let limits = routes.iter().map(|patience| patience.max_queued);
        Self { least: limits.fold(all.max_queued, usize::min), all, routes }
    }

    pub(crate) fn of(&self, route: u16) -> Patience {
        self.routes.get(usize::from(route)).copied().unwrap_or(self.all)
    }
}

/// A limit of what may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Bytes,
    Age,
}

impl Limit {
    /// In one word, for metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Age => "age",
        }
    }

    /// What a peer is told.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Bytes => "too slow: too much waits",
            Self::Age => "you do not read what is sent to you",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OnSlow, Patience, Patiences, SlowPeers, Slowness};
    use std::time::Duration;

    #[test]
    fn a_route_has_what_is_set_for_it_and_else_what_is_set_for_all() {
        let own = |max_queued, on_slow| SlowPeers { max_queued, on_slow, ..SlowPeers::default() };
        let some = [
            ("/b", own(Some(10), None)),
            ("/c", own(Some(5000), Some(OnSlow::DropOldest))),
            ("/b", own(None, Some(OnSlow::DropOldest))),
        ];
        let slowness = Slowness {
            all: Patience { max_queued: 1000, ..Patience::DEFAULT },
            some: some.map(|(path, own)| (path.to_owned(), own)).into(),
        };
        let patiences = Patiences::new(&slowness, &["/a", "/b", "/c"].map(str::to_owned));
        let of = |route| {
            let Patience { max_queued, stall_timeout, on_slow } = patiences.of(route);
            assert_eq!(stall_timeout, Duration::from_secs(30));
            (max_queued, on_slow)
        };
        assert_eq!(of(0), (1000, OnSlow::Close));
        assert_eq!(of(1), (10, OnSlow::DropOldest));
        assert_eq!(of(2), (5000, OnSlow::DropOldest));
        assert_eq!(of(3), (1000, OnSlow::Close), "not a route of this server");
        assert_eq!(patiences.least, 10);
    }
}
