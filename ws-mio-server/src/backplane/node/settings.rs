//! What a node is set to.

use std::sync::Arc;

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970-01-01 UTC, which may be set back: what messages are marked with.
    pub unix: u64,
    /// Milliseconds since any moment, which never go back: what is waited by.
    pub steady: u64,
}

/// What becomes of what is published while the log is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is refused, and nobody gets it.
    #[default]
    Refuse,
    /// Members of this node get it, without an id; it is kept nowhere.
    Degrade,
}

/// What a node is set to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name: no other that lives, or has lived a moment ago, has the same.
    pub name: Arc<str>,
    /// What becomes of what is published while the log is away.
    pub policy: Policy,
    /// How long somebody may wait to join, or to know what became of a publication, in milliseconds. Default: 10 s
    /// and 30 s.
    pub join_wait: u64,
    /// See there.
    pub publish_wait: u64,
    /// How long a room stays attached that nobody needs any more, in milliseconds. Default: 15 s.
    pub linger: u64,
    /// For how long nodes have their leases, in milliseconds. Default: 7 s.
    pub lease: u64,
    /// How many publications may wait for the log, of all rooms, and how many may wait to join. Default: 10,000.
    pub most_waiting: usize,
    /// How many rooms are attached anew at once, as the log is back, so that the log also has time for what is
    /// published; those that somebody waits for come first, and are not counted. So many rooms are also told of again in
    /// a tick at most. Default: 32.
    pub at_once: usize,
}

impl Settings {
    /// The default of a node with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: Arc::from(name),
            policy: Policy::default(),
            join_wait: 10_000,
            publish_wait: 30_000,
            linger: 15_000,
            lease: 7_000,
            most_waiting: 10_000,
            at_once: 32,
        }
    }
}
