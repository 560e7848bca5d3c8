//! What is told of connections, and of each turn of the event loop.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Worker;
use super::slot::Slot;
use crate::context::Context;
use crate::system::{Stream, System};

/// A turn that takes so long has held up everyone.
const HELD_UP: Duration = Duration::from_millis(500);

/// Tells of what a call to a session came to: a request that was refused, a connection that has ended.
pub(super) fn report(slot: &Slot<impl Stream>, context: &mut Context) {
    let peer = || slot.stream.peer_addr().ok();
    if let Some((status, reason)) = context.refused.take() {
        let [peer, client] =
            [peer().map(|peer| peer.to_string()), context.client.map(|client| client.to_string())];
        tracing::info!(peer, client, status, reason, "refused");
    }
    if let Some(record) = context.closed.take() {
        let peer = peer();
        if context.ended.is_wanted() {
            context.ended.remember(record.to_remember(peer));
        }
        record.log(peer);
    }
}

impl<S: System> Worker<S> {
    /// Tells others what this turn has come to.
    pub(super) fn tell(&mut self) {
        let counters = &self.context.counters;
        counters.connections.store(self.slots.len(), Ordering::Relaxed);
        let now = self.clock.running();
        let took = now.saturating_sub(self.context.turn);
        counters.turns.observe(took);
        for published in self.delivered.drain(..) {
            counters.deliveries.observe(now.saturating_sub(published));
        }
        if took >= HELD_UP {
            self.tell_of_delay(took);
        }
    }

    #[cold]
    fn tell_of_delay(&mut self, took: Duration) {
        let (worker, seconds) = (self.context.worker, took.as_secs_f64());
        tracing::warn!(worker, seconds, "an event loop was held up: does a handler block?");
        self.context.counters.held_up.add_one();
        // Peers may have answered meanwhile: that comes before any deadline.
        self.is_behind = true;
    }
}
