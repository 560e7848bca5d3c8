//! What the connections of one worker share while they are served.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ws_proto::keepalive::{Instant, Timing};

use crate::OriginPattern;
use crate::admission::{Limits, Register};
use crate::arriving;
use crate::auth::{Checks, Guard};
use crate::census::Memory;
use crate::cork::Cork;
use crate::deflate::{Policy, Pool};
use crate::extra::Extra;
use crate::http::Services;
use crate::mailbox::Publication;
use crate::metrics::{Counters, Metrics};
use crate::peer::Ending;
use crate::proxy::Trust;
use crate::rates::Rates;
use crate::record::CloseRecord;
use crate::recording::Recorder;
use crate::route::Routes;
use crate::session::Inflated;
use crate::slow::{Patiences, Slowness};
use crate::tls::Tls;
use crate::topics::Topics;

/// What a server is set to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) max_message: u64,
    pub(crate) handshake_timeout: Duration,
    /// What becomes of peers that do not take what is sent to them.
    pub(crate) slowness: Slowness,
    pub(crate) timing: Timing,
    /// How large a body may be, unless a service says otherwise.
    pub(crate) max_body: usize,
    /// How long it may take to come.
    pub(crate) body_timeout: Duration,
    /// How long a connection is kept for a further request.
    pub(crate) keep_alive: Duration,
    /// How often streams of events show that they live.
    pub(crate) event_heartbeat: Duration,
    /// From which pages beside those of the same host browsers may connect.
    pub(crate) origins: Vec<OriginPattern>,
    /// Who may connect; `None`: anyone.
    pub(crate) guard: Option<Guard>,
    /// Who may call services that ask that themselves.
    pub(crate) checks: Checks,
    /// How many may be here.
    pub(crate) limits: Limits,
    /// How much a peer may send in a second.
    pub(crate) rates: Rates,
    /// To how many topics a peer may be subscribed.
    pub(crate) max_topics: usize,
    /// What is shown to those who connect by TLS.
    pub(crate) tls: Option<Tls>,
    /// What is believed of proxies.
    pub(crate) trust: Trust,
}

/// What the connections of one worker share while they are served. It holds no sockets.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) worker: u16,
    pub(crate) now: Instant,
    /// When this turn of the event loop began: how long the server had run.
    pub(crate) turn: Duration,
    pub(crate) settings: Arc<Settings>,
    pub(crate) routes: Arc<Routes>,
    /// The paths of those that lead to WebSockets, by their numbers.
    pub(crate) paths: Arc<[String]>,
    /// How slow the peers of each may be.
    pub(crate) patiences: Patiences,
    /// What is served to those who run the server.
    pub(crate) admin: Arc<Routes>,
    pub(crate) counters: Arc<Counters>,
    /// What is remembered of connections that have ended.
    pub(crate) ended: Arc<Memory>,
    /// Those of all workers.
    pub(crate) metrics: Metrics,
    /// Who is here, on all workers.
    pub(crate) register: Arc<Register>,
    /// What records connections, if anything does.
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// What the connection that is being served has to send: it leaves in one write.
    pub(crate) cork: Cork,
    /// What messages have inflated to.
    pub(crate) inflated: Inflated,
    /// Memory for large messages.
    pub(crate) arriving: arriving::Pool,
    pub(crate) topics: Topics,
    /// Messages to topics, which go out when the connection that is being served is done.
    pub(crate) publications: Vec<Publication>,
    /// What to compress with.
    pub(crate) pool: Pool,
    /// What answers plain requests.
    pub(crate) services: Services,
    /// The number of the last call of a service.
    pub(crate) last_call: u32,
    /// Calls of services that were not charged to who made them.
    pub(crate) calls: u64,
    /// The memory that bodies of requests take.
    pub(crate) bodies: usize,
    /// Whether the connection that is being served has just become a stream of events.
    pub(crate) has_begun_stream: bool,
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
    /// The query of the request that opens a connection, while its handler is told.
    pub(crate) query: String,
    /// Whether the server is stopping: no new connection is opened.
    pub(crate) stopping: bool,
}

/// What the contexts of all workers have in common.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) settings: Arc<Settings>,
    pub(crate) routes: Arc<Routes>,
    /// The paths of those that lead to WebSockets, by their numbers.
    pub(crate) paths: Arc<[String]>,
    pub(crate) admin: Arc<Routes>,
    pub(crate) metrics: Metrics,
    pub(crate) register: Arc<Register>,
    pub(crate) recorder: Option<Arc<Recorder>>,
    pub(crate) policy: Policy,
}

impl Context {
    pub(crate) fn new(
        worker: u16,
        counters: Arc<Counters>,
        ended: Arc<Memory>,
        services: Services,
        common: &Common,
    ) -> Self {
        Self {
            worker,
            now: Instant::from_millis(0),
            settings: Arc::clone(&common.settings),
            turn: Duration::ZERO,
            routes: Arc::clone(&common.routes),
            paths: Arc::clone(&common.paths),
            patiences: Patiences::new(&common.settings.slowness, &common.paths),
            admin: Arc::clone(&common.admin),
            metrics: common.metrics.clone(),
            register: Arc::clone(&common.register),
            recorder: common.recorder.clone(),
            counters,
            ended,
            cork: Cork::default(),
            inflated: Inflated::default(),
            arriving: arriving::Pool::default(),
            topics: Topics::default(),
            publications: Vec::new(),
            pool: Pool::new(common.policy.clone()),
            services,
            last_call: 0,
            calls: 0,
            bodies: 0,
            has_begun_stream: false,
            refused: None,
            closed: None,
            missed: None,
            peer: None,
            client: None,
            query: String::new(),
            stopping: false,
        }
    }

    /// Forgets what was to be sent.
    pub(crate) fn clear_cork(&mut self) {
        self.cork.clear();
    }

    /// Whether there is nothing to be told or published.
    pub(crate) const fn is_at_ease(&self) -> bool {
        self.publications.is_empty() && self.refused.is_none() && self.closed.is_none()
    }

    /// A number for a call of a service.
    pub(crate) const fn next_call(&mut self) -> u32 {
        self.calls = self.calls.saturating_add(1);
        self.last_call = self.last_call.wrapping_add(1);
        self.last_call
    }

    /// No new connection is opened from here on.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.counters.stopping.store(true, Ordering::Relaxed);
    }

    /// A request is refused; the reason is for the log.
    pub(crate) fn refuse(&mut self, status: u16, reason: String) {
        self.counters.refused.add(status);
        self.refused = Some((status, reason));
    }

    /// An open connection has ended.
    pub(crate) fn end(&mut self, ending: &Ending<'_>, extra: Option<&Extra>) {
        let code = CloseRecord::code(ending, extra);
        self.counters.closed.add(ending.by, code);
        self.register.leave();
        self.closed = CloseRecord::of(ending, extra, self.ended.is_wanted());
    }
}
