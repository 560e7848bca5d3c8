//! Those who wait for the next message of a room without being in it.

use std::collections::HashMap;
use std::sync::Arc;

use ws_mio_server::CallId;
use ws_mio_server::hub::Message;

use super::perform::Call;

/// What somebody who waits is told: the next message, or that there was none in time.
pub(crate) type Waited = Option<Arc<Message>>;

/// Those who wait, by room.
#[derive(Default)]
pub(super) struct Waiting(HashMap<Arc<str>, Vec<Waiter>>);

struct Waiter {
    call: CallId,
    /// In milliseconds since 1970-01-01 UTC.
    until: u64,
    tell: Box<dyn FnOnce(Waited) + Send>,
}

impl Waiting {
    pub(super) fn add(
        &mut self,
        room: &str,
        call: CallId,
        until: u64,
        tell: Box<dyn FnOnce(Waited) + Send>,
    ) {
        self.0.entry(Arc::from(room)).or_default().push(Waiter { call, until, tell });
    }

    /// Forgets one who has gone.
    pub(super) fn remove(&mut self, room: &str, call: CallId) {
        if let Some(waiters) = self.0.get_mut(room) {
            waiters.retain(|waiter| waiter.call != call);
            if waiters.is_empty() {
                self.0.remove(room);
            }
        }
    }

    /// A message has come to a room.
    pub(super) fn delivered(&mut self, room: &str, message: &Arc<Message>) -> Vec<Call> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let waiters = self.0.remove(room).unwrap_or_default();
        let told = waiters.into_iter().map(|Waiter { tell, .. }| {
            let message = Arc::clone(message);
            Box::new(|| tell(Some(message))) as Call
        });
        told.collect()
    }

    /// Lets go those who have waited long enough.
    pub(super) fn expire(&mut self, now: u64) -> Vec<Call> {
        let mut calls = Vec::new();
        self.0.retain(|_, waiters| {
            let (due, left) = std::mem::take(waiters).into_iter().partition(|w| w.until <= now);
            *waiters = left;
            let due: Vec<Waiter> = due;
            calls.extend(due.into_iter().map(|w| Box::new(|| (w.tell)(None)) as Call));
            !waiters.is_empty()
        });
        calls
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}
