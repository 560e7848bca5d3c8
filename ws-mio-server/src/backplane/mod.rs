//! Rooms of several nodes that share a log, such as Redis: the part that decides, without sockets, threads, clock or
//! entropy of its own.
//!
//! The log numbers the messages of each room and keeps them; every node gives its own members the messages of a room
//! in that order and without gaps, whichever way they came: by subscription, or by reading what is missing.
//! What does on the log what is asked is an [`Engine`]; [`wire`] has all that is said between the two.

mod directory;
mod lease;
#[cfg(any(test, feature = "_fuzzing"))]
#[doc(hidden)]
pub mod model;
pub mod node;
#[cfg(feature = "redis")]
pub mod redis;
pub mod wire;

pub use directory::{Directory, Found};
pub use lease::{Lease, Peers};
pub use node::{Act, Node, Now, Out, Policy, Settings, Stats};
pub use wire::{Engine, OnEvent};

/// The longest name of a node, in bytes.
pub const MAX_NODE: usize = 64;

/// Whether a text may name a node: 1 to [`MAX_NODE`] ASCII letters, digits, `-`, `_` and `.`.
#[must_use]
pub fn check_node(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_NODE).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests;
