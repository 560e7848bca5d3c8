//! What names a connection.

use std::fmt;
use std::str::FromStr;

use slotmap::{Key as _, KeyData, new_key_type};

new_key_type! {
    /// A connection's place in its worker; the place's next connection has another key.
    pub(crate) struct Key;
}

/// Names a connection, also from other threads ([`Handle`](crate::Handle)). No two connections of a
/// server share one, not even one after the other. As a text it is two numbers, `0-4294967297`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    pub(crate) worker: u16,
    pub(crate) key: Key,
}

/// A text names no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdError;

impl fmt::Display for PeerIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a connection is due, such as 0-4294967297")
    }
}

impl std::error::Error for PeerIdError {}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.worker, self.key.data().as_ffi())
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        let numbers = text.split_once('-').and_then(|(worker, key)| {
            Some((worker.parse().ok()?, KeyData::from_ffi(key.parse().ok()?)))
        });
        let id = numbers.map(|(worker, key)| Self { worker, key: key.into() });
        // There is one way to write each.
        id.filter(|id| id.to_string() == text).ok_or(PeerIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, PeerId, PeerIdError};
    use slotmap::SlotMap;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let mut slots = SlotMap::<Key, ()>::with_key();
        let first = slots.insert(());
        slots.remove(first);
        for key in [first, slots.insert(()), slots.insert(())] {
            let id = PeerId { worker: 7, key };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "-",
            "7",
            "7-",
            "-1",
            "7-x",
            "+7-4294967297",
            "7-04294967297",
            "70000-4294967297",
            "7-1",
        ] {
            assert_eq!(text.parse::<PeerId>(), Err(PeerIdError), "{text}");
        }
    }
}
