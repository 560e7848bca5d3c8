//! What the messages of several hubs may take together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of messages hubs that share it may keep.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, used: AtomicUsize::new(0) }
    }

    /// How many bytes are used.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// By how many bytes it is overdrawn.
    pub(super) fn excess(&self) -> usize {
        self.used().saturating_sub(self.most)
    }

    /// What a room keeps takes another number of bytes than before.
    pub(super) fn change(&self, before: usize, after: usize) {
        // Each adds what it later takes away, so the sum is right again at the end, whatever the order.
        self.used.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }
}

impl Default for Budget {
    /// 256 MiB.
    fn default() -> Self {
        Self::new(256 * 1024 * 1024)
    }
}
