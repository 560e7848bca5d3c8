//! Servers in a simulated world: on a network in memory, by a clock that is set, and on one thread.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "it is part of tests"
)]

mod network;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use crate::clock::{set as set_clock, steady, unix_millis};
pub use network::{Arrived, Event, Network, Quirks};

use crate::listener::{Bound, Serves};
use crate::server::Place;
use crate::system::{Happened, Wake};
use crate::worker::{WAKER, Worker};
use crate::{Builder, Handle, StartError};
use network::Simulated;

/// A server whose event loops take their turns when they are told.
pub struct Node {
    workers: Vec<Option<Worker<Simulated>>>,
    wakers: Vec<Waker>,
    handle: Handle,
}

#[derive(Clone, Debug, Default)]
struct Waker(Arc<AtomicBool>);

impl Wake for Waker {
    fn wake(&self) -> io::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Node {
    /// A server with a worker for each port. What the builder says of addresses does not matter.
    ///
    /// # Errors
    /// The builder has something that can't be.
    pub fn new(builder: Builder, network: &Network, ports: &[usize]) -> Result<Self, StartError> {
        let wakers: Vec<_> = ports.iter().map(|_| Waker::default()).collect();
        let places = ports.iter().zip(&wakers).map(|(port, waker)| {
            let system = Simulated { network: network.clone(), port: *port };
            let (socket, serves) = (system.door(), Serves::Everyone);
            let listeners = vec![Bound { socket, serves, is_tls: false }];
            Place { system, waker: Box::new(waker.clone()), listeners }
        });
        let (workers, handle) = builder.place(places.collect())?;
        Ok(Self { workers: workers.into_iter().map(Some).collect(), wakers, handle })
    }

    /// The server, as others reach it.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Whether an event loop has been woken since its last turn.
    #[must_use]
    pub fn is_woken(&self, worker: usize) -> bool {
        self.wakers[worker].0.load(Ordering::Relaxed)
    }

    /// How long an event loop sleeps if nothing happens; `None`: for good.
    #[must_use]
    pub fn timeout(&self, worker: usize) -> Option<Duration> {
        self.workers[worker].as_ref().and_then(Worker::timeout)
    }

    /// Whether an event loop has not stopped.
    #[must_use]
    pub fn runs(&self, worker: usize) -> bool {
        self.workers[worker].is_some()
    }

    /// A turn of an event loop, which is told of this.
    pub fn turn(&mut self, worker: usize, events: &[Event]) {
        let waker =
            Happened { token: WAKER, is_readable: true, is_writable: false, is_over: false };
        let woken = self.wakers[worker].0.swap(false, Ordering::Relaxed).then_some(waker);
        let Some(running) = &mut self.workers[worker] else { return };
        if running.turn(events.iter().map(|event| event.0).chain(woken)) {
            self.workers[worker] = None;
        }
    }

    /// How many connections an event loop has.
    #[must_use]
    pub fn connections(&self, worker: usize) -> usize {
        self.workers[worker].as_ref().map_or(0, Worker::connections)
    }

    /// How many entries the timers of an event loop have.
    #[must_use]
    pub fn timers(&self, worker: usize) -> usize {
        self.workers[worker].as_ref().map_or(0, Worker::timers)
    }
}
