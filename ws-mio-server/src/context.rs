//! What the connections of one worker share while they are served.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ws_proto::keepalive::{Instant, Timing};

use crate::OriginPattern;
use crate::arriving;
use crate::auth::Guard;
use crate::cork::Cork;
use crate::deflate::Pool;
use crate::mailbox::Publication;
use crate::proxy::Trust;
use crate::record::CloseRecord;
use crate::route::Routes;
use crate::topics::Topics;

/// What a server is set to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) max_message: u64,
    pub(crate) max_queued: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) timing: Timing,
    /// From which pages beside those of the same host browsers may connect.
    pub(crate) origins: Vec<OriginPattern>,
    /// Who may connect; `None`: anyone.
    pub(crate) guard: Option<Guard>,
    /// What is believed of proxies.
    pub(crate) trust: Trust,
}

/// What the connections of one worker share while they are served. It holds no sockets.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) worker: u16,
    pub(crate) now: Instant,
    pub(crate) settings: Arc<Settings>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) counters: Arc<Counters>,
    /// What the connection that is being served has to send: it leaves in one write.
    pub(crate) cork: Cork,
    /// Memory for large messages.
    pub(crate) arriving: arriving::Pool,
    pub(crate) topics: Topics,
    /// Messages to topics, which go out when the connection that is being served is done.
    pub(crate) publications: Vec<Publication>,
    /// What to compress with.
    pub(crate) pool: Pool,
    /// The status and the reason of a request that was just refused.
    pub(crate) refused: Option<(u16, String)>,
    /// What the log is to say of a connection that has just ended.
    pub(crate) closed: Option<CloseRecord>,
    /// The deadline that a connection has just missed.
    pub(crate) missed: Option<&'static str>,
    /// The address of the socket of a connection that is being opened.
    pub(crate) peer: Option<IpAddr>,
    /// Whom a trusted proxy speaks for, in the request that is being served.
    pub(crate) client: Option<IpAddr>,
    /// Whether the server is stopping: no new connection is opened.
    pub(crate) stopping: bool,
}

impl Context {
    /// Forgets what was to be sent.
    pub(crate) fn clear_cork(&mut self) {
        self.cork.clear(&mut self.arriving);
    }
}

/// What a worker counts. Only the worker writes, so that no instruction need be atomic as a whole.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Taken over from the length of the worker's slots.
    pub(crate) connections: AtomicUsize,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) messages: Counter,
    pub(crate) reads: Counter,
    pub(crate) writes: Counter,
    /// Connections that were closed because the server drains.
    pub(crate) drained: Counter,
    /// Connections that were dropped when the server stopped.
    pub(crate) abandoned: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
