//! Where events go: from several threads, one call after the other, and none of a session that is over.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::backplane::wire::{Event, OnEvent};

pub(super) struct Outlet(Mutex<Inner>);

struct Inner {
    /// The number of the session that is on; 0: none is.
    session: u64,
    on_event: Option<OnEvent>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}

impl Outlet {
    pub(super) fn new(on_event: OnEvent) -> Self {
        Self(Mutex::new(Inner { session: 0, on_event: Some(on_event) }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of events of a session; whether it is still on.
    pub(super) fn tell(&self, session: u64, events: Vec<Event>) -> bool {
        let mut inner = self.lock();
        if inner.session != session {
            return false;
        }
        inner.call(events);
        true
    }

    pub(super) fn up(&self, session: u64) {
        let mut inner = self.lock();
        inner.session = session;
        inner.call(vec![Event::Up]);
    }

    /// The session is over, before anybody is told.
    pub(super) fn end(&self) {
        self.lock().session = 0;
    }

    pub(super) fn down(&self, why: &str) {
        self.lock().call(vec![Event::Down { why: why.into() }]);
    }

    /// Nothing is told any more.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.session = 0;
        inner.on_event = None;
    }
}

impl Inner {
    fn call(&mut self, events: Vec<Event>) {
        if let Some(on_event) = self.on_event.as_mut().filter(|_| !events.is_empty()) {
            on_event(events);
        }
    }
}
