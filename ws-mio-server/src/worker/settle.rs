//! What follows when a session has been called: what it has to say is sent, or waits, or it ends.

use std::io;
use std::mem;

use super::Worker;
use super::report::report;
use crate::id::Key;
use crate::metrics::DropCause;
use crate::session::{Fate, HIGH_WATER};
use crate::system::{Stream as _, System};
use crate::timer::Tick;

impl<S: System> Worker<S> {
    /// Sends what a call to a session has left in the cork, and does what else it asked for.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let sent = slot.send_cork(&mut self.context, &self.buffer);
        self.settled(key, sent);
    }

    /// Does what else was asked for, when the cork is `sent`.
    #[cold]
    pub(super) fn settled(&mut self, key: Key, sent: io::Result<()>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        report(slot, &mut self.context);
        if mem::take(&mut self.context.has_begun_stream) {
            slot.bound_silence(&self.context);
        }
        let sent =
            sent.and_then(|()| if slot.is_apart { slot.flush(&self.context) } else { Ok(()) });
        if sent.is_err() {
            self.context.clear_cork();
            self.remove(key);
        } else {
            self.finish(key);
        }
        self.publish();
    }

    /// Sends what is queued for a connection.
    pub(super) fn flush(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        match slot.flush(&self.context) {
            Ok(()) => self.finish(key),
            Err(_) => self.remove(key),
        }
        self.publish();
    }

    /// What follows from how much is queued for a connection.
    fn finish(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.session.is_at_gap() {
            slot.session.tell_gap(key, &mut self.handlers, &mut self.context);
            return self.flush(key);
        }
        let queued = slot.unsent();
        if slot.paused && slot.owed(&self.context) == 0 {
            slot.paused = false;
            slot.mark_ready(key, &mut self.ready);
            slot.session.drained(key, &mut self.handlers, &mut self.context);
            return self.settle(key);
        }
        slot.paused |= queued > HIGH_WATER && slot.owed(&self.context) > HIGH_WATER;
        if queued == 0 && slot.session.is_ended() {
            if slot.is_apart {
                slot.close_tls();
            }
            return self.remove(key);
        }
        if queued == 0 && slot.session.is_ending() && !slot.finished {
            slot.finished = true;
            if slot.is_apart {
                slot.close_tls();
            }
            if slot.stream.finish().is_err() {
                return self.remove(key);
            }
        }
        slot.schedule(key, &mut self.wheel, &self.context);
    }

    /// Drops a connection. Its handler is told, if it does not know.
    pub(super) fn remove(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.session.lost(key, &mut self.handlers, &mut self.context);
        slot.end_recording(&self.context);
        report(slot, &mut self.context);
        let rest = slot.session.rest();
        self.context.counters.drops.add(DropCause::Ended, rest);
        self.context.counters.unqueue(rest.bytes);
        // Nothing can be sent to it.
        self.context.clear_cork();
        for topic in slot.session.take_topics() {
            self.context.topics.unsubscribe(&topic, key);
        }
        self.slots.remove(key);
    }

    pub(super) fn expire(&mut self) {
        while let Some(keys) = self.wheel.expire(self.context.now) {
            keys.for_each(|key| self.expire_one(key));
        }
    }

    #[cold]
    fn expire_one(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if !slot.timer.is_due(self.context.now) {
            return;
        }
        slot.timer = Tick::NEVER;
        slot.end_delay(key, &mut self.ready, &self.context);
        match slot.session.expire(&mut self.context) {
            Fate::Lives => self.settle(key),
            Fate::Dies => {
                self.remove(key);
                self.publish();
            }
        }
    }

    #[inline(never)]
    pub(super) fn flush_dirty(&mut self) {
        // Whoever is flushed may end, and its handler may publish that to others.
        while let Some(key) = self.dirty.pop() {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.dirty = false;
                self.flush(key);
            }
        }
    }
}
