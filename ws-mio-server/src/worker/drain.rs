//! Emptying a worker one connection after the other, at a pace.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::Ordering;
use std::time::Duration;

use ws_proto::CloseCode;
use ws_proto::keepalive::Instant;

use super::Worker;
use crate::clock::moment;
use crate::id::Key;
use crate::mailbox::Command;
use crate::system::System;

/// A worker closes a connection at least so often: few of them need no longer than that.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

const REASON: &str = "the server restarts; connect again";

/// Which connections are to be closed, and when.
#[derive(Debug)]
pub(super) struct Drain {
    waiting: VecDeque<Key>,
    /// Those that were closed, or were closing anyway; the first may be gone.
    closing: VecDeque<Key>,
    begun: Instant,
    /// How long until the next one is closed, on average, in microseconds.
    pause: u64,
    /// How many were closed.
    closed: u64,
    /// When the next one is.
    next: Instant,
    /// By when all must be gone.
    by: Instant,
    /// What tells it from all others: how long its server had run, to the nanosecond.
    jitter: Duration,
    /// Whether the other workers know that this one is empty.
    told: bool,
}

impl Drain {
    /// `close_within` is how long a peer may take to answer: what is left of `within` is for closing.
    fn new(
        waiting: VecDeque<Key>,
        running: Duration,
        within: Duration,
        close_within: Duration,
    ) -> Self {
        let now = moment(running);
        let half = within.checked_div(2).unwrap_or_default();
        let window = within.saturating_sub(close_within).max(half);
        let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX).max(1);
        let pause = window.checked_div(count).unwrap_or_default().min(LONGEST_PAUSE);
        let mut drain = Self {
            waiting,
            closing: VecDeque::new(),
            begun: now,
            pause: u64::try_from(pause.as_micros()).unwrap_or(0),
            closed: 0,
            next: now,
            by: now.after(if within.is_zero() { close_within } else { within }),
            jitter: running,
            told: false,
        };
        drain.next = drain.moment();
        drain
    }

    /// The next connection, if its time has come.
    fn due(&mut self, now: Instant) -> Option<Key> {
        if self.next > now {
            return None;
        }
        let key = self.waiting.pop_front()?;
        self.closing.push_back(key);
        self.closed = self.closed.saturating_add(1);
        self.next = self.moment();
        Some(key)
    }

    /// When the next connection is closed: anywhere in its share of the time, so that no two servers, and no
    /// two clients that come back, keep step.
    fn moment(&self) -> Instant {
        let mut hasher = DefaultHasher::new();
        (self.jitter, self.closed).hash(&mut hasher);
        let within = hasher.finish().checked_rem(self.pause).unwrap_or(0);
        let micros = self.closed.saturating_mul(self.pause).saturating_add(within);
        self.begun.after(Duration::from_micros(micros))
    }

    /// When there is something to do without that anything happens.
    pub(super) fn deadline(&self) -> Instant {
        if self.waiting.is_empty() { self.by } else { self.next.min(self.by) }
    }

    /// By when all must be gone.
    pub(super) const fn by(&self) -> Instant {
        self.by
    }
}

impl<S: System> Worker<S> {
    /// Begins to close all connections, so that they are gone within that time.
    pub(super) fn begin_drain(&mut self, within: Duration) {
        if self.stop.is_some() || self.drain.is_some() {
            return;
        }
        self.context.stop();
        let open = self.slots.iter().filter(|(_, slot)| slot.session.listens());
        let open = open.map(|(key, _)| key).collect();
        let close_within = self.context.settings.timing.close_within;
        self.drain = Some(Drain::new(open, self.context.turn, within, close_within));
    }

    /// Closes whose turn it is. When all workers are empty, or the time is over, the server stops.
    #[cold]
    pub(super) fn drain(&mut self) {
        while let Some(key) = self.drain.as_mut().and_then(|drain| drain.due(self.context.now)) {
            if let Some(slot) = self.slots.get_mut(key).filter(|slot| slot.session.listens()) {
                slot.session.close(CloseCode::SERVICE_RESTART, REASON, &mut self.context);
                self.context.counters.drained.add_one();
                self.settle(key);
            }
        }
        let Some(drain) = &mut self.drain else { return };
        while drain.closing.front().is_some_and(|key| !self.slots.contains_key(*key)) {
            drain.closing.pop_front();
        }
        let (now, by) = (self.context.now, drain.by);
        let empty = drain.waiting.is_empty() && drain.closing.is_empty();
        if empty && !std::mem::replace(&mut drain.told, true) {
            // Until the last one is empty, each goes on to tell whoever asks that the server is not ready.
            if self.draining.fetch_sub(1, Ordering::Relaxed) == 1 {
                for mailbox in &*self.mailboxes {
                    // Commands to shut down are always taken.
                    let _ = mailbox.post(Command::Shutdown);
                }
            }
        }
        if by <= now {
            self.begin_stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Drain, LONGEST_PAUSE, moment};
    use crate::id::Key;
    use slotmap::SlotMap;
    use std::time::Duration;

    /// When each of so many connections is closed, in milliseconds.
    fn moments(connections: usize, within: u64, close_within: u64) -> Vec<u64> {
        let [within, close_within] = [within, close_within].map(Duration::from_millis);
        let mut slots = SlotMap::<Key, ()>::with_key();
        let keys = (0..connections).map(|_| slots.insert(())).collect();
        let running = Duration::from_secs(1);
        let begun = moment(running);
        let mut drain = Drain::new(keys, running, within, close_within);
        let mut moments = Vec::new();
        for millis in 0..=100_000 {
            let now = begun.after(Duration::from_millis(millis));
            while drain.due(now).is_some() {
                moments.push(millis);
            }
        }
        assert_eq!(moments.len(), connections);
        moments
    }

    #[test]
    fn connections_are_closed_over_the_time_less_that_to_answer() {
        let moments = moments(1000, 30_000, 5_000);
        // 25 ms for each, and somewhere in it.
        for (number, moment) in (0..).zip(&moments) {
            assert!((number * 25..=(number + 1) * 25).contains(moment), "{number}: {moment}");
        }
        let offsets = (0..).zip(&moments).map(|(number, moment)| moment - number * 25);
        let mut offsets: Vec<_> = offsets.collect();
        offsets.sort_unstable();
        offsets.dedup();
        assert!(offsets.len() > 15, "no jitter: {offsets:?}");
        // In any second no more than that of forty.
        for (i, from) in moments.iter().enumerate() {
            let within = moments[i..].iter().take_while(|at| **at < from + 1000).count();
            assert!(within <= 41, "{within} from {from} ms on");
        }
    }

    #[test]
    fn few_connections_need_little_time_and_no_time_means_at_once() {
        let longest = u64::try_from(LONGEST_PAUSE.as_millis()).unwrap();
        assert!(moments(4, 30_000, 5_000).last().unwrap() <= &(4 * longest));
        assert_eq!(moments(100, 0, 5_000), [0; 100]);
        assert!(moments(100, 1_000, 5_000).last().unwrap() <= &500, "no time is left to answer");
        assert!(moments(0, 1_000, 1).is_empty());
    }
}
