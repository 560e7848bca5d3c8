//! Pings of this end, and how long their answers take.

use std::time::Duration;

use ws_proto::keepalive::Instant;

/// Which ping is not answered, and when the next is due.
#[derive(Debug)]
pub(super) struct Pings {
    /// How often; `None`: only when the user wants one.
    interval: Option<Duration>,
    timeout: Duration,
    next: Option<Instant>,
    sent: u64,
    /// When the last was sent, if it is not answered.
    waiting: Option<Duration>,
}

impl Pings {
    pub(super) fn new(interval: Option<Duration>, timeout: Duration, now: Instant) -> Self {
        let next = interval.map(|interval| now.after(interval));
        Self { interval, timeout, next, sent: 0, waiting: None }
    }

    /// A ping is to be sent with this payload. `running` is how long the program runs.
    pub(super) fn start(&mut self, running: Duration) -> [u8; 8] {
        self.sent = self.sent.wrapping_add(1);
        self.waiting = Some(running);
        self.sent.to_be_bytes()
    }

    /// How long it took, if this is the answer to the last ping.
    pub(super) fn answered(&mut self, payload: &[u8], running: Duration) -> Option<Duration> {
        let awaited = payload == self.sent.to_be_bytes();
        let at = self.waiting.take_if(|_| awaited)?;
        Some(running.saturating_sub(at))
    }

    /// Whether a ping is due. One that is not answered is waited for.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = self.interval.map(|interval| now.after(interval));
        }
        due && self.waiting.is_none()
    }

    /// Whether an answer has taken too long.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        self.answer_by().is_some_and(|by| by <= now)
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.next, self.answer_by()].into_iter().flatten().min()
    }

    fn answer_by(&self) -> Option<Instant> {
        Some(Instant::from_millis(0).after(self.waiting?).after(self.timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::Pings;
    use std::time::Duration;
    use ws_proto::keepalive::Instant;

    #[test]
    fn only_the_last_ping_is_timed_and_waited_for() {
        let (at, ms) = (Instant::from_millis, Duration::from_millis);
        let mut pings = Pings::new(Some(ms(10)), ms(100), at(0));
        assert_eq!((pings.is_due(at(9)), pings.deadline()), (false, Some(at(10))));
        assert!(pings.is_due(at(10)));
        let first = pings.start(ms(10));
        // The next waits for the answer.
        assert!(!pings.is_due(at(20)));
        assert_eq!((pings.is_dead(at(109)), pings.is_dead(at(110))), (false, true));
        let second = pings.start(ms(25));
        assert_eq!(pings.answered(&first, ms(30)), None);
        assert_eq!(pings.answered(b"", ms(30)), None);
        assert_eq!(pings.answered(&second, ms(30)), Some(ms(5)));
        assert_eq!(pings.answered(&second, ms(31)), None);
        assert!(pings.is_due(at(30)) && !pings.is_dead(at(1000)));
        assert_eq!(Pings::new(None, ms(1), at(0)).deadline(), None);
    }
}
