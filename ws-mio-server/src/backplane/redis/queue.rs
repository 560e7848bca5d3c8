//! What waits to be done, between those who ask and the thread that does it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::link::Links;
use crate::backplane::wire::{Ask, Full, Request};

/// How much may wait to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

/// What a subscription has come to.
#[derive(Debug)]
pub(super) struct Subscribed {
    pub(super) request: Request,
    /// Another node has the room's slot: the rest of the error.
    pub(super) moved: Option<String>,
    /// It is refused.
    pub(super) refused: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    is_up: bool,
    is_stopped: bool,
    /// Whether the thread waits for something to do.
    is_idle: bool,
    /// What it has lent while it waits: nothing is on its way then.
    lent: Option<Links>,
    requests: VecDeque<Request>,
    subscribed: Vec<Subscribed>,
    /// Why a subscription's connection is of no use any more, and of which session it is.
    lost: Option<(u64, String)>,
    /// Those that were taken and not answered.
    waiting: usize,
    bytes: usize,
}

impl State {
    /// Takes a request: the thread need not be woken before it leaves, if nothing is before it.
    fn accept(&mut self, request: Request) {
        let rest = match &mut self.lent {
            Some(links) if self.is_idle => links.send_now(request),
            _ => Some(request),
        };
        self.requests.extend(rest);
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    limits: Limits,
}

/// What the thread is to do next.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) requests: Vec<Request>,
    pub(super) subscribed: Vec<Subscribed>,
    pub(super) lost: Option<(u64, String)>,
    pub(super) is_stopped: bool,
}

/// Roughly what a request takes while it waits.
pub(super) fn weight(request: &Request) -> usize {
    const FIXED: usize = 256;
    let bytes = match &request.ask {
        Ask::Append(append) => append.content.len(),
        Ask::Whisper { payload, .. } | Ask::Shout { payload, .. } => payload.len(),
        Ask::Present { users, .. } => users.len().saturating_mul(64),
        Ask::List { rooms, .. } => rooms.len().saturating_mul(64),
        _ => 0,
    };
    FIXED.saturating_add(bytes)
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), limits }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done where one could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request, if there is room. While there is no link it is dropped, as all are that wait then.
    pub(super) fn push(&self, request: Request) -> Result<(), Full> {
        let mut state = self.lock();
        if !state.is_up {
            return Ok(());
        }
        let bytes = state.bytes.saturating_add(weight(&request));
        // A large one is taken if it is alone.
        let is_too_much = bytes > self.limits.bytes && state.waiting > 0;
        if state.waiting >= self.limits.requests || is_too_much {
            return Err(Full);
        }
        state.bytes = bytes;
        state.waiting = state.waiting.saturating_add(1);
        state.accept(request);
        self.wake_if_idle(state);
        Ok(())
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn wake_if_idle(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.is_idle) {
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Requests were answered that weigh so much.
    pub(super) fn answered(&self, count: usize, bytes: usize) {
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_sub(count);
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    pub(super) fn subscribed(&self, all: Vec<Subscribed>) {
        let mut state = self.lock();
        state.subscribed.extend(all);
        self.wake_if_idle(state);
    }

    pub(super) fn lost(&self, session: u64, why: String) {
        let mut state = self.lock();
        if state.lost.as_ref().is_none_or(|(known, _)| *known <= session) {
            state.lost = Some((session, why));
        }
        self.wake_if_idle(state);
    }

    /// From here on requests are taken. Whatever waited is gone.
    pub(super) fn up(&self) {
        let mut state = self.lock();
        let is_stopped = state.is_stopped;
        *state = State { is_up: true, is_stopped, ..State::default() };
    }

    /// From here on requests are dropped, and so is whatever waits.
    pub(super) fn down(&self) {
        let mut state = self.lock();
        let is_stopped = state.is_stopped;
        *state = State { is_stopped, ..State::default() };
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        state.is_idle = false;
        drop(state);
        self.wake.notify_one();
    }

    /// What there is to do: at most so many requests, or nothing if there is nothing for so long. Who waits lends
    /// its links meanwhile, and finds what was sent by them on its way.
    pub(super) fn take(&self, most: usize, patience: Duration, links: &mut Links) -> Work {
        let mut state = self.lock();
        let is_empty = |state: &State| {
            state.requests.is_empty()
                && state.subscribed.is_empty()
                && state.lost.is_none()
                && !state.is_stopped
        };
        if is_empty(&state) && !patience.is_zero() {
            state.is_idle = true;
            state.lent = Some(links.take());
            state = match self.wake.wait_timeout(state, patience) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
            state.is_idle = false;
            *links = state.lent.take().unwrap_or_else(|| links.take());
        }
        let count = state.requests.len().min(most);
        Work {
            requests: state.requests.drain(..count).collect(),
            subscribed: std::mem::take(&mut state.subscribed),
            lost: state.lost.take(),
            is_stopped: state.is_stopped,
        }
    }

    /// Waits for so long, or until it is stopped; whether it was.
    pub(super) fn pause(&self, duration: Duration) -> bool {
        let state = self.lock();
        let waited = self.wake.wait_timeout_while(state, duration, |state| !state.is_stopped);
        match waited {
            Ok((state, _)) => state.is_stopped,
            Err(poisoned) => poisoned.into_inner().0.is_stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::super::encode::Encoder;
    use super::super::link::Links;
    use super::{Limits, Queue, weight};
    use crate::backplane::wire::{Ask, Request};

    const LONG: Duration = Duration::from_secs(60);

    fn whisper(tag: u64, bytes: usize) -> Request {
        let ask =
            Ask::Whisper { room: "r".into(), from: "n".into(), payload: vec![0; bytes].into() };
        Request { tag, ask }
    }

    fn links() -> Links {
        let (prefix, scripts, is_cluster) = Default::default();
        Links::new(Arc::new(Encoder { prefix, scripts, is_cluster }))
    }

    fn queue(requests: usize, bytes: usize) -> Queue {
        let queue = Queue::new(Limits { requests, bytes });
        queue.up();
        queue
    }

    #[test]
    fn so_many_requests_wait_and_no_more() {
        let queue = queue(2, usize::MAX);
        queue.push(whisper(1, 0)).unwrap();
        queue.push(whisper(2, 0)).unwrap();
        assert!(queue.push(whisper(3, 0)).is_err());
        let taken = queue.take(1, LONG, &mut links()).requests;
        assert_eq!((taken.len(), taken[0].tag), (1, 1));
        // It is not answered yet.
        assert!(queue.push(whisper(3, 0)).is_err());
        assert_eq!(queue.waiting(), 2);
        queue.answered(1, weight(&taken[0]));
        queue.push(whisper(3, 0)).unwrap();
        let tags: Vec<_> =
            queue.take(9, LONG, &mut links()).requests.iter().map(|request| request.tag).collect();
        assert_eq!(tags, [2, 3]);
    }

    #[test]
    fn so_many_bytes_wait_but_one_that_is_larger_is_taken_alone() {
        let queue = queue(100, 2000);
        queue.push(whisper(1, 5000)).unwrap();
        assert!(queue.push(whisper(2, 0)).is_err());
        let taken = queue.take(9, LONG, &mut links()).requests;
        queue.answered(1, weight(&taken[0]));
        queue.push(whisper(2, 1000)).unwrap();
        assert!(queue.push(whisper(3, 1000)).is_err());
    }

    #[test]
    fn what_waits_is_gone_with_the_link() {
        let queue = queue(2, usize::MAX);
        queue.push(whisper(1, 0)).unwrap();
        queue.down();
        assert!(queue.push(whisper(2, 0)).is_ok());
        assert_eq!(queue.waiting(), 0);
        queue.up();
        assert!(queue.take(9, Duration::ZERO, &mut links()).requests.is_empty());
    }

    #[test]
    fn who_waits_is_woken() {
        let queue = Arc::new(queue(2, usize::MAX));
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.take(9, LONG, &mut links()).requests.len());
        queue.push(whisper(1, 0)).unwrap();
        assert_eq!(thread.join().unwrap(), 1);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            (other.take(9, LONG, &mut links()).is_stopped, other.pause(LONG))
        });
        queue.stop();
        assert_eq!(thread.join().unwrap(), (true, true));
    }
}
