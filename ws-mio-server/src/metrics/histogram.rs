//! How often something took how long.

use std::array;
use std::time::Duration;

use super::Counter;

/// Upper bounds of the buckets, in microseconds.
pub(super) const BOUNDS: [u32; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000,
];

/// Durations by size.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// One for each bound, and one for all that is longer.
    buckets: [Counter; BOUNDS.len() + 1],
    /// All of them together, in nanoseconds.
    sum: Counter,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: array::from_fn(|_| Counter::default()), sum: Counter::default() }
    }
}

impl Histogram {
    pub(crate) fn observe(&self, took: Duration) {
        // Not `as_nanos`: a division of its 128 bits is a call, and this is in every turn.
        let nanos = took.as_secs().saturating_mul(1_000_000_000);
        let nanos = nanos.saturating_add(took.subsec_nanos().into());
        let micros = u32::try_from(nanos.div_ceil(1000)).unwrap_or(u32::MAX);
        // Most are short.
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.add_one();
        }
        self.sum.add(nanos);
    }

    /// How many were in each bucket, the last one that without a bound.
    pub(super) fn buckets(&self) -> [u64; BOUNDS.len() + 1] {
        array::from_fn(|i| self.buckets.get(i).map_or(0, Counter::get))
    }

    /// In nanoseconds.
    pub(super) fn sum(&self) -> u64 {
        self.sum.get()
    }
}

#[cfg(test)]
mod tests {
    use super::{BOUNDS, Histogram};
    use std::time::Duration;

    #[test]
    fn each_duration_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for nanos in [0, 1, 50_000, 50_001, 100_000, 2_500_000_000, 2_500_000_001, u64::MAX / 2] {
            histogram.observe(Duration::from_nanos(nanos));
        }
        let mut due = [0; BOUNDS.len() + 1];
        (due[0], due[1], due[14], due[15]) = (3, 2, 1, 2);
        assert_eq!(histogram.buckets(), due);
        assert!(BOUNDS.is_sorted());
    }
}
