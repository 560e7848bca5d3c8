//! What names a connection.

use slotmap::new_key_type;

new_key_type! {
    /// A connection's place in its worker; the place's next connection has another key.
    pub(crate) struct Key;
}

/// Names a connection, also from other threads ([`Handle`](crate::Handle)). No two connections of a
/// server share one, not even one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    pub(crate) worker: u16,
    pub(crate) key: Key,
}
