//! What a server is to be, before it is bound.

mod routes;

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ws_proto::deflate::WindowBits;
use ws_proto::keepalive::Timing;

use crate::admission::Limits;
use crate::auth::{Authenticate, Checks, Guard, OnDenied};
use crate::context::Settings;
use crate::deflate::{Deflate, Policy};
use crate::http::Service;
use crate::listener::Adopted;
use crate::proxy::Trust;
use crate::rates::{OnRate, Rates};
use crate::recording::Wish;
use crate::route::Routes;
use crate::session::Application;
use crate::slow::{OnSlow, Patience, SlowPeers, Slowness};
use crate::{Network, OriginPattern, ProxyHeader, StartError};

/// What a server is to be: routes, limits, deadlines. See
/// [`Server::builder`](crate::Server::builder).
#[must_use = "a builder does nothing until it is bound"]
pub struct Builder {
    pub(crate) routes: Routes,
    pub(crate) handlers: Vec<Box<dyn Fn() -> Box<dyn Application>>>,
    /// The paths of their routes.
    pub(crate) paths: Vec<String>,
    pub(crate) services: Vec<Box<dyn Fn() -> Box<dyn Service>>>,
    /// What is served to those who run the server, if they have an address of their own.
    pub(crate) admin: Routes,
    pub(crate) admin_address: Option<SocketAddr>,
    pub(crate) unix_paths: Vec<PathBuf>,
    /// Sockets that somebody else has bound.
    pub(crate) adopted: Vec<(OwnedFd, Adopted)>,
    /// Where connections come by TLS.
    pub(crate) tls_addresses: Vec<SocketAddr>,
    /// Where metrics are served, if they have not.
    metrics: Vec<String>,
    pub(crate) workers: Option<u16>,
    pub(crate) remembered: usize,
    /// How connections are recorded, if they are.
    pub(crate) recorded: Option<Wish>,
    pub(crate) settings: Settings,
    pub(crate) policy: Policy,
    on_denied: OnDenied,
    pub(crate) error: Option<StartError>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.workers)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            routes: Routes::default(),
            handlers: Vec::new(),
            services: Vec::new(),
            paths: Vec::new(),
            admin: Routes::default(),
            admin_address: None,
            unix_paths: Vec::new(),
            adopted: Vec::new(),
            tls_addresses: Vec::new(),
            metrics: Vec::new(),
            workers: None,
            recorded: None,
            remembered: 0,
            settings: Settings {
                max_message: 1024 * 1024,
                max_body: 1024 * 1024,
                body_timeout: Duration::from_secs(30),
                keep_alive: Duration::from_secs(30),
                event_heartbeat: Duration::from_secs(15),
                handshake_timeout: Duration::from_secs(5),
                slowness: Slowness { all: Patience::DEFAULT, some: Vec::new() },
                timing: Timing::default(),
                origins: Vec::new(),
                guard: None,
                checks: Checks::default(),
                tls: None,
                limits: Limits::default(),
                rates: Rates::default(),
                max_topics: usize::MAX,
                trust: Trust::default(),
            },
            policy: Policy::new(),
            on_denied: OnDenied::default(),
            error: None,
        }
    }

    /// Serves [`metrics`](Self::metrics), [`health`](Self::health) and [`readiness`](Self::readiness) at this
    /// address, and nothing else; metrics are then served nowhere else. Port 0 stands for any that is free:
    /// [`Server::admin_addr`](crate::Server::admin_addr) tells which. One worker serves it. Default: no such
    /// address, and metrics at those of the server.
    pub const fn admin(mut self, address: SocketAddr) -> Self {
        self.admin_address = Some(address);
        self
    }

    /// Serves those who connect by TLS with this certificate, at the addresses of
    /// [`listen_tls`](Self::listen_tls). With another one by [`Handle::reload`](crate::Handle::reload),
    /// connections that are open stay.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.settings.tls = Some(tls);
        self
    }

    /// Serves at this address, too, by TLS; may be called several times. Port 0 stands for any that is free:
    /// [`Server::tls_addrs`](crate::Server::tls_addrs) tells which.
    #[cfg(feature = "tls")]
    pub fn listen_tls(mut self, address: SocketAddr) -> Self {
        self.tls_addresses.push(address);
        self
    }

    /// Serves at a Unix socket, too; may be called several times. A file that a server has left there is
    /// replaced, one behind which somebody listens is not; it is removed when the server has stopped. Who
    /// connects there counts as 127.0.0.1, for [`trust_proxy`](Self::trust_proxy) and for limits.
    pub fn listen_unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_paths.push(path.into());
        self
    }

    /// How many connections that have ended each worker remembers
    /// ([`Handle::ended`](crate::Handle::ended)). Default: none.
    pub const fn remember_ended(mut self, most: usize) -> Self {
        self.remembered = most;
        self
    }

    /// Records what each connection says in a file of its own in this directory, which is made if there is none:
    /// at most `each` bytes of a connection and `all` of those in the directory, what is there already included.
    /// Tokens, cookies, queries and bodies of requests are left out; messages are not. It costs several system
    /// calls for each read and each write. Default: nothing is recorded.
    pub fn record(mut self, directory: impl Into<PathBuf>, each: u64, all: u64) -> Self {
        self.recorded = Some(Wish { directory: directory.into(), each, all });
        self
    }

    /// Serves those who connect to a socket that listens already, too: one that a supervisor has bound and
    /// passed on, as systemd does. TCP and Unix sockets of streams may be adopted, several of them by several
    /// calls. Connections that come while no server runs wait for the next one.
    pub fn adopt(mut self, socket: impl Into<OwnedFd>, speaks: Adopted) -> Self {
        self.adopted.push((socket.into(), speaks));
        self
    }

    /// How many event loops run, each on a thread of its own: 1 to 1024. Default: as many as there are
    /// cores.
    pub const fn workers(mut self, workers: u16) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The largest message that is accepted, in bytes; a larger one closes the connection with code
    /// 1009. Default: 1 MiB.
    pub const fn max_message(mut self, bytes: u64) -> Self {
        self.settings.max_message = bytes;
        self
    }

    /// How large the body of a request may be, in bytes, unless its service says otherwise
    /// ([`Service::max_body`]); a larger one gets status 413. Bodies that come in at the same time may take
    /// 64 MiB a worker; beyond, requests get status 503. Default: 1 MiB.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.settings.max_body = bytes;
        self
    }

    /// How long the body of a request may take to come, in all; then it gets status 408. Default: 30 s.
    pub const fn body_timeout(mut self, timeout: Duration) -> Self {
        self.settings.body_timeout = timeout;
        self
    }

    /// How long a connection whose request a service has answered is kept for a further one. Zero: it ends with
    /// the answer. Default: 30 s.
    pub const fn keep_alive(mut self, timeout: Duration) -> Self {
        self.settings.keep_alive = timeout;
        self
    }

    /// How often a comment is sent on streams of events, so that nobody on the way takes them for dead. Default:
    /// 15 s.
    pub const fn event_heartbeat(mut self, interval: Duration) -> Self {
        self.settings.event_heartbeat = interval;
        self
    }

    /// How many bytes may wait for a peer that does not take them; beyond, it is
    /// [closed](Self::on_slow) with code 1013. Replies to what the peer itself has sent may take as much as a
    /// message of [`max_message`](Self::max_message) more, and what it has asked for
    /// ([`Handle::reply`](crate::Handle::reply)) does not count. Default: 1 MiB.
    pub const fn max_queued(mut self, bytes: usize) -> Self {
        self.settings.slowness.all.max_queued = bytes;
        self
    }

    /// How long bytes may wait for a peer that takes none of them, until it is [closed](Self::on_slow) with
    /// code 1013. Default: 30 s.
    pub const fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.settings.slowness.all.stall_timeout = timeout;
        self
    }

    /// What happens to a peer for which more waits than [`max_queued`](Self::max_queued), or for longer than
    /// [`stall_timeout`](Self::stall_timeout). Default: [`OnSlow::Close`].
    pub const fn on_slow(mut self, on_slow: OnSlow) -> Self {
        self.settings.slowness.all.on_slow = on_slow;
        self
    }

    /// The same for one route alone, by the path that it was added with before; what is set later goes before
    /// what was set earlier.
    pub fn slow_peers(mut self, path: &str, slow: SlowPeers) -> Self {
        if !self.paths.iter().any(|known| known == path) {
            let problem = "no WebSocket route has this path".to_owned();
            self.error.get_or_insert(StartError::Route(path.to_owned(), problem));
        }
        self.settings.slowness.some.push((path.to_owned(), slow));
        self
    }

    /// How long a request's head may take to come, in all. Default: 5 s.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// How long a closing handshake may take. Default: 5 s.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timing.close_within = timeout;
        self
    }

    /// After how much silence a peer is pinged; `None`: never. Default: 30 s.
    pub const fn ping_interval(mut self, interval: Option<Duration>) -> Self {
        self.settings.timing.ping_after = interval;
        self
    }

    /// How long a peer that was pinged may stay silent until it counts as dead. Default: 10 s.
    pub const fn pong_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timing.pong_within = timeout;
        self
    }

    /// How many WebSockets may be open, on all workers; requests beyond get status 503. `None`: as many as
    /// there are descriptors. This is the default.
    pub const fn max_connections(mut self, most: Option<usize>) -> Self {
        self.settings.limits.connections = most;
        self
    }

    /// How many WebSockets one address may have open; requests beyond get status 429. Behind a trusted proxy,
    /// the address is that of the client. Default: any number.
    pub const fn max_connections_per_address(mut self, most: Option<u32>) -> Self {
        self.settings.limits.per_address = most;
        self
    }

    /// How many WebSockets a user may have open ([`Identity::user`](crate::Identity::user)); requests beyond
    /// get status 429. Default: any number.
    pub const fn max_connections_per_user(mut self, most: Option<u32>) -> Self {
        self.settings.limits.per_user = most;
        self
    }

    /// How many WebSockets may be opened in a second, on all workers; requests beyond get status 503. What is
    /// not used of a second is saved for the next. Default: any number.
    pub const fn max_handshakes_per_second(mut self, most: Option<u32>) -> Self {
        self.settings.limits.handshakes = most;
        self
    }

    /// How many messages a peer may send in a second. What is not used of a second is saved for the next;
    /// it is looked at after each read, so that many small messages may come at once. Default: any number.
    pub const fn max_messages_per_second(mut self, most: Option<u32>) -> Self {
        self.settings.rates.messages = most;
        self
    }

    /// How many bytes a peer may send in a second, as they come from the network. Default: any number.
    pub const fn max_bytes_per_second(mut self, most: Option<u64>) -> Self {
        self.settings.rates.bytes = most;
        self
    }

    /// What happens to a peer that sends more than it may. Default: [`OnRate::Delay`].
    pub const fn on_rate(mut self, on_rate: OnRate) -> Self {
        self.settings.rates.on_rate = on_rate;
        self
    }

    /// To how many topics a peer may be subscribed: beyond,
    /// [`Peer::subscribe`](crate::Peer::subscribe) says no. Default: any number.
    pub const fn max_topics(mut self, most: usize) -> Self {
        self.settings.max_topics = most;
        self
    }

    /// Lets browsers connect from pages of these origins, too; may be called several times. By default, they
    /// may from pages of the host that the request names, and whoever says no origin, as no browser does,
    /// always may. A refusal (403) logs what would have allowed it.
    pub fn allow_origin(mut self, pattern: OriginPattern) -> Self {
        self.settings.origins.push(pattern);
        self
    }

    /// Asks who connects, at every WebSocket; pages are served to everyone. Default: nobody is asked.
    pub fn authenticate(mut self, check: impl Authenticate) -> Self {
        let on_denied = self.on_denied;
        self.settings.guard = Some(Guard { check: Arc::new(check), on_denied });
        self
    }

    /// How those are told who may not connect. Default: [`OnDenied::Status`].
    pub const fn on_denied(mut self, on_denied: OnDenied) -> Self {
        self.on_denied = on_denied;
        if let Some(guard) = &mut self.settings.guard {
            guard.on_denied = on_denied;
        }
        self
    }

    /// Believes proxies at these addresses when they say whom they speak for; may be called several times.
    /// Default: nobody.
    pub fn trust_proxy(mut self, network: Network) -> Self {
        self.settings.trust.networks.push(network);
        self
    }

    /// The field of a request in which trusted proxies say it. Default: [`ProxyHeader::XForwardedFor`].
    pub const fn proxy_header(mut self, header: ProxyHeader) -> Self {
        self.settings.trust.header = header;
        self
    }

    /// Expects every connection to begin with a header of the PROXY protocol, version 1 or 2, and to come
    /// from a trusted proxy; others are refused (400, 403).
    pub const fn expect_proxy_protocol(mut self) -> Self {
        self.settings.trust.preamble = true;
        self
    }

    /// Whether and how messages are compressed (permessage-deflate). Default: [`Deflate::Shared`].
    pub const fn deflate(mut self, deflate: Deflate) -> Self {
        self.policy.deflate = deflate;
        self
    }

    /// How hard to compress: 0 (not at all) to 9. Default: 1.
    pub const fn deflate_level(mut self, level: u8) -> Self {
        self.policy.settings.level = level;
        self
    }

    /// How far back compressed data may refer, in both directions. Default: the largest, 32 KiB.
    pub const fn deflate_window(mut self, window: WindowBits) -> Self {
        self.policy.settings.sent.window = window;
        self
    }

    /// A message of fewer bytes goes uncompressed. Default: 256, or 32 where it may refer to those before it
    /// ([`Deflate::Dedicated`]).
    pub const fn deflate_threshold(mut self, bytes: usize) -> Self {
        self.policy.settings.threshold = Some(bytes);
        self
    }

    /// How many bytes the connections of all workers together may come to need to compress and inflate:
    /// 64 KiB each with shared contexts, up to 355 KiB each with dedicated ones. Beyond, new connections
    /// get shared contexts, then none. Default: 1 GiB.
    pub const fn deflate_memory(mut self, bytes: usize) -> Self {
        self.policy.budget = bytes;
        self
    }
}
