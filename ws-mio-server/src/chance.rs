//! What is drawn at random for rooms.

pub(crate) use std::hash::RandomState;

/// A number that nobody can guess.
pub(crate) fn entropy() -> Result<u64, String> {
    getrandom::u64().map_err(|error| format!("no random numbers: {error}"))
}
