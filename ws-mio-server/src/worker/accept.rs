//! Taking over new connections.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::time::Duration;

use super::Worker;
use super::slot::Slot;
use crate::listener::{Serves, is_exhaustion};
use crate::session::Session;
use crate::system::{Listener as _, Stream, System};
use crate::tls;

/// How many connections are accepted before those that are open have their turn.
const ACCEPT_BUDGET: usize = 64;
/// How long accepting rests when descriptors or memory have run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Listener<L> {
    pub(super) socket: L,
    pub(super) serves: Serves,
    pub(super) is_tls: bool,
    /// Whether a connection may be waiting.
    pub(super) ready: bool,
}

const SHORT: &str = "no connection can be accepted: they are refused until others end";

/// What a connection is told for which there is no descriptor.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 37\r\nConnection: close\r\n\r\n\
    the server is full; try again later\r\n";

impl<L> Listener<L> {
    /// Tells a connection that there is no room, as well as that can be told at once.
    fn refuse(&self, stream: impl Stream) {
        // What it has sent is taken, for what is left unread would break the connection off before it reads
        // why. No more can be done for it.
        let _ = stream.recv(&mut [0; 4096]);
        if !self.is_tls {
            let _ = stream.send(FULL);
        }
        let _ = stream.finish();
    }
}

/// The first descriptor that is not for connections: workers may take one each at the same time, and some are
/// needed to read settings again.
pub(super) fn descriptors(limit: Option<u64>, workers: usize) -> RawFd {
    let kept = u64::try_from(workers).unwrap_or(0).saturating_add(8);
    let most = limit.map_or(u64::MAX, |limit| limit.saturating_sub(kept).max(limit / 2));
    RawFd::try_from(most).unwrap_or(RawFd::MAX)
}

/// A descriptor that is given up to have one for a connection that is to be refused.
#[derive(Debug)]
pub(super) struct Reserve<T>(Option<T>);

impl<T> Reserve<T> {
    pub(super) fn new(system: &impl System<Spare = T>) -> Self {
        Self(system.spare().ok())
    }

    /// Refuses the next connection, with the reserve's descriptor; `false`: there is none, or it was no help.
    fn refuse<S: System<Spare = T>>(
        &mut self,
        listener: &Listener<S::Listener>,
        system: &S,
    ) -> io::Result<bool> {
        if self.0.take().is_none() {
            *self = Self::new(system);
            return Ok(false);
        }
        let accepted = listener.socket.accept();
        let refused = match accepted {
            Ok(stream) => {
                listener.refuse(stream);
                Ok(true)
            }
            Err(error) if is_exhaustion(&error) => Ok(false),
            Err(error) => Err(error),
        };
        *self = Self::new(system);
        refused
    }
}

impl<S: System> Worker<S> {
    #[cold]
    pub(super) fn accept(&mut self) {
        if self.exhausted.is_some_and(|until| self.context.now < until) {
            return;
        }
        self.exhausted = None;
        let mut budget = ACCEPT_BUDGET;
        for listener in &mut self.listeners {
            while listener.ready && budget > 0 {
                budget = budget.saturating_sub(1);
                match listener.socket.accept() {
                    Ok(stream) if stream.descriptor() >= self.descriptors => {
                        if !std::mem::replace(&mut self.is_short, true) {
                            let connections = self.slots.len();
                            tracing::warn!(connections, "{SHORT}");
                        }
                        listener.refuse(stream);
                        self.context.counters.refused.add(503);
                    }
                    Ok(stream) => {
                        self.is_short = false;
                        let session = Session::new(self.context.now, listener.serves);
                        let mut slot = Slot::new(stream, session);
                        slot.is_local = listener.socket.is_local();
                        if let Some(tls) =
                            self.context.settings.tls.as_ref().filter(|_| listener.is_tls)
                        {
                            match tls::Stream::new(tls) {
                                Ok(stream) => slot.encrypt(stream),
                                Err(error) => {
                                    tracing::error!(%error, "no TLS");
                                    continue;
                                }
                            }
                        }
                        if let Some(recorder) = &self.context.recorder
                            && let Some(recording) = recorder.begin(self.context.turn)
                        {
                            slot.record(recording);
                        }
                        let key = self.slots.insert(slot);
                        let Some(slot) = self.slots.get_mut(key) else { continue };
                        if let Err(error) = slot.register(key, &self.system) {
                            tracing::warn!(%error, "a connection could not be registered");
                            self.slots.remove(key);
                            continue;
                        }
                        slot.schedule(key, &mut self.wheel, &self.context);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.ready = false,
                    Err(error) if is_exhaustion(&error) => {
                        if !std::mem::replace(&mut self.is_short, true) {
                            let connections = self.slots.len();
                            tracing::warn!(%error, connections, "{SHORT}");
                        }
                        match self.reserve.refuse(listener, &self.system) {
                            Ok(true) => self.context.counters.refused.add(503),
                            Ok(false) => budget = 0,
                            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                                listener.ready = false;
                            }
                            Err(_) => {}
                        }
                        // If there are many, those that are open come first.
                        if budget == 0 {
                            self.context.counters.rests.add_one();
                            self.exhausted = Some(self.context.now.after(ACCEPT_REST));
                        }
                    }
                    // The connection was gone before it was accepted.
                    Err(_) => {}
                }
            }
        }
    }
}
