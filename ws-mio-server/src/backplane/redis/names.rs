//! Names of keys and channels.

use std::fmt;

use super::slots::slot_of;

/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 64;

/// What all keys and channels begin with, so that several uses of one Redis don't meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// A text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixError;

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a prefix is 1 to {MAX_PREFIX} ASCII letters, digits, '-', '_', '.' or ':'")
    }
}

impl std::error::Error for PrefixError {}

impl Default for Prefix {
    fn default() -> Self {
        Self("ws".to_owned())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        let is_good = (1..=MAX_PREFIX).contains(&text.len()) && text.bytes().all(is_plain);
        if is_good { Ok(Self(text.to_owned())) } else { Err(PrefixError) }
    }
}

/// The keys and the channel of a room: `PREFIX:{ROOM}:PART` and `PREFIX:{ROOM}`, all of them in one slot.
#[derive(Debug)]
pub(super) struct RoomNames {
    pub(super) channel: Vec<u8>,
}

/// A part of what is kept of a room.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Room,
    Log,
    Keys,
    Sent,
    Who,
}

impl RoomNames {
    pub(super) fn key(&self, part: Part) -> Vec<u8> {
        let part: &[u8] = match part {
            Part::Room => b":room",
            Part::Log => b":log",
            Part::Keys => b":keys",
            Part::Sent => b":sent",
            Part::Who => b":who",
        };
        [&self.channel, part].concat()
    }
}

/// A room's name as it stands between braces: its own braces would make it another slot.
fn escaped(room: &str) -> String {
    let mut text = String::with_capacity(room.len());
    for char in room.chars() {
        match char {
            '{' => text.push_str("%7B"),
            '}' => text.push_str("%7D"),
            '%' => text.push_str("%25"),
            _ => text.push(char),
        }
    }
    text
}

/// The slot of all that is of a room, in a Cluster.
pub(super) fn slot_of_room(room: &str) -> u16 {
    slot_of(escaped(room).as_bytes())
}

impl Prefix {
    pub(super) fn room(&self, room: &str) -> RoomNames {
        RoomNames { channel: format!("{}:{{{}}}", self.0, escaped(room)).into_bytes() }
    }

    /// The key of all nodes.
    pub(super) fn nodes(&self) -> Vec<u8> {
        format!("{}:nodes", self.0).into_bytes()
    }

    /// Its slot, in a Cluster.
    pub(super) fn slot_of_nodes(&self) -> u16 {
        slot_of(&self.nodes())
    }

    /// The keys of the list of all rooms: the rooms, the nodes that have told of them, and those of one node. All are in
    /// one slot.
    pub(super) fn list(&self, node: &str) -> [Vec<u8>; 3] {
        let key = |part: &str| format!("{{{}:rooms}}:{part}", self.0).into_bytes();
        [key("all"), key("nodes"), key(&format!("of:{node}"))]
    }

    /// Their slot, in a Cluster.
    pub(super) fn slot_of_list(&self) -> u16 {
        slot_of(format!("{}:rooms", self.0).as_bytes())
    }

    /// The channel that all nodes hear.
    pub(super) fn all(&self) -> Vec<u8> {
        format!("{}:all", self.0).into_bytes()
    }

    /// The channel by which a link of this engine is woken, and seen to work.
    pub(super) fn link(&self, number: u64) -> Vec<u8> {
        format!("{}:link:{number:016x}", self.0).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Prefix, PrefixError, slot_of_room};
    use crate::backplane::redis::slots::slot_of;
    use proptest::prelude::*;

    #[test]
    fn prefixes_are_plain() {
        assert_eq!("a:b".parse::<Prefix>().unwrap().room("r").channel, b"a:b:{r}");
        for text in ["", "a{", "a b", "é", &"x".repeat(65)] {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError));
        }
    }

    #[test]
    fn the_list_of_rooms_is_in_one_slot() {
        let prefix: Prefix = "a:b".parse().unwrap();
        let keys = prefix.list("n.1").map(|key| String::from_utf8(key).unwrap());
        assert_eq!(keys, ["{a:b:rooms}:all", "{a:b:rooms}:nodes", "{a:b:rooms}:of:n.1"]);
        assert_eq!(prefix.slot_of_list(), slot_of(b"a:b:rooms"));
    }

    proptest! {
        #[test]
        fn all_of_a_room_is_in_one_slot_and_no_other_room_has_it(
            room in "[{}%a-cé]{1,6}",
            other in "[{}%a-cé]{1,6}",
        ) {
            let prefix = Prefix::default();
            for part in [Part::Room, Part::Log, Part::Keys, Part::Sent, Part::Who] {
                let key = prefix.room(&room).key(part);
                // As Redis finds the tag: from the first brace to the first closing one behind it.
                let mut parts = key.splitn(2, |byte| *byte == b'{').nth(1).unwrap().split(|byte| *byte == b'}');
                prop_assert_eq!(slot_of(parts.next().unwrap()), slot_of_room(&room));
                let others = prefix.room(&other).key(part);
                prop_assert_eq!(key == others, room == other);
            }
        }
    }
}
