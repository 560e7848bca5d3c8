//! Taking over new connections.

use std::io::ErrorKind;
use std::time::Duration;

use mio::net::TcpListener;

use super::Worker;
use super::slot::Slot;
use crate::listener::{Serves, is_exhaustion};
use crate::session::Session;

/// How many connections are accepted before those that are open have their turn.
const ACCEPT_BUDGET: usize = 64;
/// How long accepting rests when descriptors or memory have run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) serves: Serves,
    /// Whether a connection may be waiting.
    pub(super) ready: bool,
}

impl Worker {
    pub(super) fn accept(&mut self) {
        if self.exhausted.is_some_and(|until| self.context.now < until) {
            return;
        }
        let was_exhausted = self.exhausted.take().is_some();
        let mut budget = ACCEPT_BUDGET;
        for listener in &mut self.listeners {
            while listener.ready && budget > 0 {
                budget = budget.saturating_sub(1);
                match listener.socket.accept() {
                    Ok((stream, _)) => {
                        let session = Session::new(self.context.now, listener.serves);
                        let key = self.slots.insert(Slot::new(stream, session));
                        let Some(slot) = self.slots.get_mut(key) else { continue };
                        if let Err(error) = slot.register(key, &self.poll) {
                            tracing::warn!(%error, "a connection could not be registered");
                            self.slots.remove(key);
                            continue;
                        }
                        slot.schedule(key, &mut self.wheel, &self.context);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.ready = false,
                    Err(error) if is_exhaustion(&error) => {
                        self.context.counters.rests.add_one();
                        if !was_exhausted {
                            tracing::warn!(
                                %error,
                                connections = self.slots.len(),
                                "no connection can be accepted; trying again every 100 ms"
                            );
                        }
                        self.exhausted = Some(self.context.now.after(ACCEPT_REST));
                        return;
                    }
                    // The connection was gone before it was accepted.
                    Err(_) => {}
                }
            }
        }
    }
}
