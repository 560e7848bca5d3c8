//! What a server is told while it runs: to serve by other settings, and to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ws_proto::CloseCode;

use super::Worker;
use crate::context::Settings;
use crate::slow::Patiences;
use crate::system::System;

impl<S: System> Worker<S> {
    /// Serves by other settings from here on.
    pub(super) fn reload(&mut self, settings: Arc<Settings>) {
        let before = std::mem::replace(&mut self.context.settings, settings);
        if self.context.settings.tls.is_none() && before.tls.is_some() {
            // There are listeners for it.
            let tls = before.tls.clone();
            self.context.settings = Arc::new(Settings { tls, ..(*self.context.settings).clone() });
        }
        let slowness = &self.context.settings.slowness;
        self.context.patiences = Patiences::new(slowness, &self.context.paths);
        // Deadlines may have come nearer.
        for (key, slot) in &mut self.slots {
            slot.schedule(key, &mut self.wheel, &self.context);
        }
    }

    pub(super) fn begin_stop(&mut self) {
        if self.stop.is_some() {
            return;
        }
        let by = self.context.now.after(self.context.settings.timing.close_within);
        self.stop = Some(self.drain.as_ref().map_or(by, |drain| drain.by().min(by)));
        self.context.stop();
        self.listeners.clear();
        self.exhausted = None;
        for key in self.slots.keys().collect::<Vec<_>>() {
            if let Some(slot) = self.slots.get_mut(key) {
                let reason = "the server is shutting down";
                slot.session.close(CloseCode::GOING_AWAY, reason, &mut self.context);
                self.settle(key);
            }
        }
    }

    pub(super) fn drop_all(&mut self) {
        for key in self.slots.keys().collect::<Vec<_>>() {
            self.context.counters.abandoned.add_one();
            self.remove(key);
        }
        self.context.counters.connections.store(0, Ordering::Relaxed);
    }
}
