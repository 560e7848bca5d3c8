//! What waits to be written: bounded, filled by any thread, emptied by the store's.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Record, Refused, StoreStats};

/// What the thread takes at a time.
#[derive(Debug)]
pub(super) enum Work {
    /// Messages, and how many were taken before them.
    Append(Vec<Record>, u64),
    /// Nothing came for so long.
    Idle,
    /// All is taken, and no more will come.
    End,
}

/// So many messages make one transaction at most: those behind them wait a few milliseconds longer, and the price
/// of a transaction, shared by so many, is nothing.
pub(super) const BATCH: usize = 1024;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    max: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Record>,
    /// How many messages were taken so far.
    taken: u64,
    /// From where to keep rooms: one entry a room, however often it is trimmed.
    trims: HashMap<Arc<str>, u64>,
    stats: StoreStats,
    /// Whether the thread sleeps until something comes.
    asleep: bool,
    /// Whether it looks by itself after some time. Until then, trims can wait.
    naps: bool,
    closed: bool,
}

impl Queue {
    pub(super) fn new(max: usize, max_bytes: usize) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), max, max_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn append(&self, record: Record) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Stopped);
        }
        let bytes = state.stats.waiting_bytes.saturating_add(record.size());
        if state.stats.waiting >= self.max || bytes > self.max_bytes {
            return Err(Refused::Full);
        }
        state.stats.waiting_bytes = bytes;
        state.stats.waiting = state.stats.waiting.saturating_add(1);
        state.records.push_back(record);
        self.wake(state);
        Ok(())
    }

    pub(super) fn trim(&self, room: &Arc<str>, keep_from: u64) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        match state.trims.get_mut(room) {
            Some(from) => *from = keep_from.max(*from),
            None => {
                state.trims.insert(Arc::clone(room), keep_from);
            }
        }
        if !state.naps {
            self.wake(state);
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
    }

    /// No more is taken.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(state);
    }

    /// The thread is gone: nothing is kept, and nobody waits for anything.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        *state = State { closed: true, stats: state.stats, ..State::default() };
        state.stats.waiting = 0;
        state.stats.waiting_bytes = 0;
    }

    /// How many messages were taken or wait.
    pub(super) fn end(&self) -> u64 {
        let state = self.lock();
        state.taken.saturating_add(u64::try_from(state.records.len()).unwrap_or(u64::MAX))
    }

    pub(super) fn stats(&self) -> StoreStats {
        self.lock().stats
    }

    pub(super) fn count(&self, stored: u64, failed: u64) {
        let mut state = self.lock();
        let stats = &mut state.stats;
        stats.stored = stats.stored.saturating_add(stored);
        stats.failed = stats.failed.saturating_add(failed);
        stats.commits = stats.commits.saturating_add(u64::from(stored > 0));
    }

    /// What comes next, and what was trimmed up to then. If nothing comes for so long, that. Without a duration it
    /// waits until something comes, or is trimmed.
    pub(super) fn take(&self, patience: Option<Duration>) -> (Work, HashMap<Arc<str>, u64>) {
        let mut state = self.lock();
        if let Some(patience) = patience {
            if !patience.is_zero() {
                let nothing = |state: &mut State| {
                    let nothing = state.records.is_empty() && !state.closed;
                    (state.asleep, state.naps) = (nothing, nothing);
                    nothing
                };
                let slept = self.wake.wait_timeout_while(state, patience, nothing);
                state = slept.unwrap_or_else(PoisonError::into_inner).0;
            }
        } else {
            let nothing = |state: &mut State| {
                state.asleep = state.records.is_empty() && state.trims.is_empty() && !state.closed;
                state.asleep
            };
            state = self.wake.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
        }
        (state.asleep, state.naps) = (false, false);
        let work = state.take();
        (work, std::mem::take(&mut state.trims))
    }
}

impl State {
    fn take(&mut self) -> Work {
        let records: Vec<_> = self.records.drain(..self.records.len().min(BATCH)).collect();
        if records.is_empty() {
            return if self.closed { Work::End } else { Work::Idle };
        }
        let bytes = records.iter().map(Record::size).fold(0, usize::saturating_add);
        let stats = &mut self.stats;
        stats.waiting = stats.waiting.saturating_sub(records.len());
        stats.waiting_bytes = stats.waiting_bytes.saturating_sub(bytes);
        let first = self.taken;
        self.taken = first.saturating_add(u64::try_from(records.len()).unwrap_or(u64::MAX));
        Work::Append(records, first)
    }
}
