//! Building a server, and running it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mio::{Poll, Waker};
use ws_proto::deflate::WindowBits;
use ws_proto::keepalive::{Instant, Timing};

use crate::arriving;
use crate::auth::{Authenticate, Guard, OnDenied};
use crate::clock::Clock;
use crate::context::{Context, Counters, Settings};
use crate::cork::Cork;
use crate::deflate::{Deflate, Policy, Pool};
use crate::listener;
use crate::mailbox::Mailbox;
use crate::proxy::Trust;
use crate::route::{Route, Routes};
use crate::session::Application;
use crate::topics::Topics;
use crate::worker::{WAKER, Worker};
use crate::{Handle, Handler, Network, OriginPattern, Page, ProxyHeader, StartError};

/// What a server is to be: routes, limits, deadlines. See [`Server::builder`].
#[must_use = "a builder does nothing until it is bound"]
pub struct Builder {
    routes: Routes,
    handlers: Vec<Box<dyn Fn() -> Box<dyn Application>>>,
    workers: Option<u16>,
    settings: Settings,
    policy: Policy,
    on_denied: OnDenied,
    error: Option<StartError>,
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
    fn new() -> Self {
        Self {
            routes: Routes::default(),
            handlers: Vec::new(),
            workers: None,
            settings: Settings {
                max_message: 1024 * 1024,
                max_queued: 1024 * 1024,
                handshake_timeout: Duration::from_secs(5),
                stall_timeout: Duration::from_secs(30),
                timing: Timing::default(),
                origins: Vec::new(),
                guard: None,
                trust: Trust::default(),
            },
            policy: Policy::new(),
            on_denied: OnDenied::default(),
            error: None,
        }
    }

    /// Serves WebSocket connections at a path. `{name}` stands for any one segment of it, which
    /// [`Peer::param`](crate::Peer::param) tells the handler. Each worker gets a clone of the handler.
    pub fn route<H: Handler + Clone>(mut self, path: &str, handler: H) -> Self {
        match u16::try_from(self.handlers.len()) {
            Ok(number) => {
                self.handlers.push(Box::new(move || Box::new(handler.clone())));
                self.insert(path, Route::WebSocket(number))
            }
            Err(_) => {
                self.error = Some(StartError::Route(path.to_owned(), "too many routes".to_owned()));
                self
            }
        }
    }

    /// Serves a page at a path, for plain GET and HEAD requests.
    pub fn page(self, path: &str, page: Page) -> Self {
        self.insert(path, Route::Page(page))
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

    /// How many bytes may wait for a peer that does not take them; a peer with more is closed with code
    /// 1013. Replies to what the peer itself has sent may take as much as a message of
    /// [`max_message`](Self::max_message) more. Default: 1 MiB.
    pub const fn max_queued(mut self, bytes: usize) -> Self {
        self.settings.max_queued = bytes;
        self
    }

    /// How long bytes may wait for a peer that takes none of them, until it is closed with code 1013.
    /// Default: 30 s.
    pub const fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.settings.stall_timeout = timeout;
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

    /// Binds one or more addresses. Port 0 stands for any that is free: [`Server::local_addrs`] tells
    /// which.
    ///
    /// # Errors
    /// A [`StartError`] that names what was wrong.
    pub fn bind(self, addresses: impl ToSocketAddrs + fmt::Debug) -> Result<Server, StartError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let cores = || thread::available_parallelism().map_or(1, |n| n.get().min(1024));
        let workers = self.workers.unwrap_or_else(|| u16::try_from(cores()).unwrap_or(1));
        if !(1..=1024).contains(&workers) {
            return Err(StartError::Workers(workers));
        }
        let named = format!("{addresses:?}");
        let addresses = addresses
            .to_socket_addrs()
            .map_err(|error| StartError::Address(named.clone(), error.to_string()))?
            .collect::<Vec<_>>();
        if addresses.is_empty() {
            return Err(StartError::Address(named, "no address".to_owned()));
        }
        let mut local_addrs = Vec::new();
        let mut listeners = (0..workers).map(|_| Vec::new()).collect::<Vec<_>>();
        for address in addresses {
            let bind = |error| StartError::Bind(address, error);
            let sockets = listener::bind(address, workers).map_err(bind)?;
            for (socket, listeners) in sockets.into_iter().zip(&mut listeners) {
                if listeners.len() == local_addrs.len() {
                    local_addrs.push(socket.local_addr().map_err(bind)?);
                }
                listeners.push(socket);
            }
        }
        let mut mailboxes = Vec::new();
        let mut polls = Vec::new();
        for _ in 0..workers {
            let poll = Poll::new().map_err(StartError::System)?;
            let waker = Waker::new(poll.registry(), WAKER).map_err(StartError::System)?;
            mailboxes.push(Mailbox::new(waker));
            polls.push(poll);
        }
        let mailboxes: Arc<[Mailbox]> = mailboxes.into();
        let counters: Arc<[_]> = (0..workers).map(|_| Arc::new(Counters::default())).collect();
        let handle = Handle { mailboxes: Arc::clone(&mailboxes), counters: Arc::clone(&counters) };
        let (settings, routes) = (Arc::new(self.settings), Arc::new(self.routes));
        let clock = Clock::start();
        let of_each = (0..).zip(polls).zip(listeners).zip(counters.iter());
        let workers = of_each.map(|(((worker, poll), listeners), counters)| {
            let context = Context {
                worker,
                now: Instant::from_millis(0),
                settings: Arc::clone(&settings),
                routes: Arc::clone(&routes),
                counters: Arc::clone(counters),
                cork: Cork::default(),
                arriving: arriving::Pool::default(),
                topics: Topics::default(),
                publications: Vec::new(),
                pool: Pool::new(self.policy.clone()),
                refused: None,
                closed: None,
                missed: None,
                peer: None,
                client: None,
                stopping: false,
            };
            let handlers = self.handlers.iter().map(|new| new()).collect();
            Worker::new(poll, clock, listeners, handlers, Arc::clone(&mailboxes), context)
        });
        let workers = workers.collect::<io::Result<_>>().map_err(StartError::System)?;
        Ok(Server { workers, handle, local_addrs })
    }

    fn insert(mut self, path: &str, route: Route) -> Self {
        if let Err(error) = self.routes.insert(path, route) {
            self.error.get_or_insert(StartError::Route(path.to_owned(), error.to_string()));
        }
        self
    }
}

/// A server that is bound to its addresses and waits to be run. Several can run in one process.
///
/// ```
/// use ws_mio_server::{Handler, Message, Peer, Server};
///
/// #[derive(Clone)]
/// struct Echo;
///
/// impl Handler for Echo {
///     fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
///         peer.send(message);
///     }
/// }
///
/// let server = Server::builder().route("/echo", Echo).bind("127.0.0.1:0")?;
/// println!("ws://{}/echo", server.local_addrs()[0]);
/// # server.handle().shutdown();
/// server.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    workers: Vec<Worker>,
    handle: Handle,
    local_addrs: Vec<SocketAddr>,
}

impl Server {
    /// A server without routes, with defaults for all else.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The addresses that the server listens on, in the order they were given.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// How many event loops will run.
    #[must_use]
    pub const fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The server, to be reached from other threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::shutdown`] is called and every connection has ended, or had its time.
    ///
    /// # Errors
    /// An event loop failed, or its thread could not be started. The others are stopped first.
    ///
    /// # Panics
    /// If a handler panics, with its panic, when the other workers have stopped.
    pub fn run(self) -> io::Result<()> {
        let handle = self.handle;
        let threads = (0..).zip(self.workers).map(|(number, worker): (usize, Worker)| {
            let stop = StopOthers(handle.clone());
            let name = format!("ws-worker-{number}");
            thread::Builder::new().name(name).spawn(move || {
                let _stop = stop;
                worker.run()
            })
        });
        let threads = threads.collect::<Vec<_>>();
        let mut result = Ok(());
        let mut panic = None;
        for thread in threads {
            match thread.map(thread::JoinHandle::join) {
                Ok(Ok(ended)) => result = result.and(ended),
                Ok(Err(payload)) => panic = Some(payload),
                Err(error) => {
                    handle.shutdown();
                    result = Err(error);
                }
            }
        }
        match panic {
            Some(payload) => std::panic::resume_unwind(payload),
            None => result,
        }
    }
}

/// Stops all workers when one ends, for whatever reason.
struct StopOthers(Handle);

impl Drop for StopOthers {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}
