//! What applications draw at random: nothing that a seed would not give again.

use std::hash::{BuildHasher, DefaultHasher};

#[derive(Clone, Copy, Debug)]
pub(crate) struct RandomState;

impl RandomState {
    pub(crate) const fn new() -> Self {
        Self
    }
}

impl BuildHasher for RandomState {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        DefaultHasher::new()
    }
}
