//! Token buckets, pure in time: so much a second, and what a second brings at once.

use std::time::Duration;

/// How much may be saved up.
const SAVED: u64 = 1_000_000;

/// One bucket: when it will be full again, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket(u64);

impl Bucket {
    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, rate: u32, now: Duration) -> bool {
        let mut after = *self;
        let allowed = after.charge(1, rate.into(), now).is_zero();
        if allowed {
            *self = after;
        }
        allowed
    }

    /// Takes so many, whether they are there or not; how long until there is something again.
    pub(crate) fn charge(&mut self, count: u64, rate: u64, now: Duration) -> Duration {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let cost = count.saturating_mul(1_000_000).div_ceil(rate.max(1));
        self.0 = self.0.max(now).saturating_add(cost);
        Duration::from_micros(self.0.saturating_sub(now.saturating_add(SAVED)))
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use std::time::Duration;

    #[test]
    fn a_second_is_saved_up_and_debts_are_paid_by_time() {
        let mut bucket = Bucket::default();
        let second = Duration::from_secs(1);
        assert_eq!(bucket.charge(100, 100, second), Duration::ZERO);
        assert_eq!(bucket.charge(1, 100, second), Duration::from_millis(10));
        assert_eq!(bucket.charge(200, 100, second), 2 * second + Duration::from_millis(10));
        assert_eq!(bucket.charge(0, 100, 4 * second), Duration::ZERO);
        // No more than a second's worth, however long it was quiet.
        assert_eq!(bucket.charge(100, 100, 100 * second), Duration::ZERO);
        assert_eq!(bucket.charge(50, 100, 100 * second), second / 2);
        assert!(bucket.charge(u64::MAX, 1, second) > 1000 * second);
        assert!(!bucket.take(0, second));
    }
}
