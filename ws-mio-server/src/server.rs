//! Binding a server to its addresses, and running it.

use std::fmt;
use std::io;
use std::mem;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;

use crate::builder::Builder;
use crate::census::Memory;
use crate::clock::Clock;
use crate::context::{Common, Context};
use crate::http::Services;
use crate::listener::{Adopted, Bound, Listeners};
use crate::mailbox::Mailbox;
use crate::metrics::{Counters, Metrics};
use crate::recording::Recorder;
use crate::system::{System, Wake};
use crate::worker::{Os, Worker};
use crate::{Handle, StartError};

impl Builder {
    /// Binds one or more addresses. Port 0 stands for any that is free: [`Server::local_addrs`] tells
    /// which.
    ///
    /// # Errors
    /// A [`StartError`] that names what was wrong.
    pub fn bind(self, addresses: impl ToSocketAddrs + fmt::Debug) -> Result<Server, StartError> {
        let mut server = self.place_metrics();
        if let Some(error) = server.error {
            return Err(error);
        }
        let cores = || thread::available_parallelism().map_or(1, |n| n.get().min(1024));
        let workers = server.workers.unwrap_or_else(|| u16::try_from(cores()).unwrap_or(1));
        if !(1..=1024).contains(&workers) {
            return Err(StartError::Workers(workers));
        }
        let named = format!("{addresses:?}");
        let addresses = addresses
            .to_socket_addrs()
            .map_err(|error| StartError::Address(named.clone(), error.to_string()))?
            .collect::<Vec<_>>();
        let others = server.tls_addresses.len().saturating_add(server.unix_paths.len());
        if addresses.is_empty() && others == 0 && server.adopted.is_empty() {
            return Err(StartError::Address(named, "no address".to_owned()));
        }
        let speaks_tls = |(_, speaks): &(_, Adopted)| *speaks == Adopted::Tls;
        let is_encrypted =
            !server.tls_addresses.is_empty() || server.adopted.iter().any(speaks_tls);
        if is_encrypted && server.settings.tls.is_none() {
            return Err(StartError::Certificate);
        }
        let mut listeners = Listeners::new(workers);
        for (number, (socket, speaks)) in (1..).zip(mem::take(&mut server.adopted)) {
            listeners.adopt(number, socket, speaks)?;
        }
        for address in addresses {
            listeners.bind(address, Adopted::Plain)?;
        }
        for address in mem::take(&mut server.tls_addresses) {
            listeners.bind(address, Adopted::Tls)?;
        }
        for path in mem::take(&mut server.unix_paths) {
            listeners.bind_unix(path)?;
        }
        if let Some(address) = server.admin_address {
            listeners.bind(address, Adopted::Admin)?;
        }
        let systems = (0..workers).map(|_| Os::new()).collect::<io::Result<Vec<_>>>();
        let places = systems.map_err(StartError::System)?.into_iter().zip(listeners.take());
        let places = places.map(|((system, waker), listeners)| Place { system, waker, listeners });
        let (workers, handle) = server.place(places.collect())?;
        Ok(Server { workers, handle, listeners })
    }

    /// A worker for each place, and what reaches them all.
    pub(crate) fn place<S: System>(
        self,
        places: Vec<Place<S>>,
    ) -> Result<(Vec<Worker<S>>, Handle), StartError> {
        let recorder = self.recorded.map(|wish| {
            let directory = wish.directory.clone();
            Recorder::new(wish).map_err(|error| StartError::Record(directory, error))
        });
        let recorder = recorder.transpose()?.map(Arc::new);
        let counters: Arc<[_]> = places.iter().map(|_| Arc::new(Counters::default())).collect();
        let memory = || Arc::new(Memory::new(self.remembered));
        let ended: Arc<[_]> = places.iter().map(|_| memory()).collect();
        let draining = Arc::new(AtomicUsize::new(places.len()));
        let (mailboxes, places): (Vec<_>, Vec<_>) = places
            .into_iter()
            .map(|Place { system, waker, listeners }| (Mailbox::new(waker), (system, listeners)))
            .unzip();
        let mailboxes: Arc<[Mailbox]> = mailboxes.into();
        let clock = Clock::start();
        let metrics = Metrics {
            workers: Arc::clone(&counters),
            ended: Arc::clone(&ended),
            deflate_reserved: Arc::clone(&self.policy.reserved),
            said: Arc::default(),
        };
        let handle = Handle { mailboxes: Arc::clone(&mailboxes), metrics: metrics.clone(), clock };
        let common = Common {
            settings: Arc::new(self.settings),
            routes: Arc::new(self.routes),
            paths: self.paths.into(),
            admin: Arc::new(self.admin),
            metrics,
            register: Arc::default(),
            recorder,
            policy: self.policy,
        };
        let of_each = (0..).zip(places).zip(counters.iter().zip(&*ended));
        let workers = of_each.map(|((worker, (system, listeners)), (counters, ended))| {
            let services = Services(self.services.iter().map(|new| new()).collect());
            let context =
                Context::new(worker, Arc::clone(counters), Arc::clone(ended), services, &common);
            let handlers = self.handlers.iter().map(|new| new()).collect();
            let (mailboxes, draining) = (Arc::clone(&mailboxes), Arc::clone(&draining));
            Worker::new(system, clock, listeners, handlers, mailboxes, draining, context)
        });
        let workers = workers.collect::<io::Result<_>>().map_err(StartError::System)?;
        Ok((workers, handle))
    }
}

/// Where a worker is to be.
pub(crate) struct Place<S: System> {
    pub(crate) system: S,
    /// What wakes it.
    pub(crate) waker: Box<dyn Wake>,
    pub(crate) listeners: Vec<Bound<S::Listener>>,
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
    workers: Vec<Worker<Os>>,
    handle: Handle,
    /// Where they are; the sockets are with the workers.
    listeners: Listeners,
}

impl Server {
    /// A server without routes, with defaults for all else.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The addresses that the server listens on, those of sockets that it has adopted first, in the order they
    /// were given.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.listeners.local_addrs
    }

    /// The addresses that the server listens on for TLS, in the same order.
    #[must_use]
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        &self.listeners.tls_addrs
    }

    /// The address for those who run the server ([`Builder::admin`]).
    #[must_use]
    pub const fn admin_addr(&self) -> Option<SocketAddr> {
        self.listeners.admin_addr
    }

    /// The paths of Unix sockets that the server listens on, but for those of no path.
    #[must_use]
    pub fn unix_paths(&self) -> &[PathBuf] {
        &self.listeners.unix_paths
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
        let (handle, _files) = (self.handle, self.listeners.files);
        let threads = (0..).zip(self.workers).map(|(number, worker): (usize, Worker<Os>)| {
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
