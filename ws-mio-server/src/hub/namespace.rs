//! Settings of rooms, by patterns of their names.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What is told of those who are in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// Who they are, how many they are, and who comes and goes.
    #[default]
    On,
    /// How many they are.
    Count,
    /// Nothing: their number is told as 0.
    Off,
}

/// Settings of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// How many messages a room keeps. Default: 1,000.
    pub history: usize,
    /// How long a message is kept. Default: 24 h.
    pub history_age: Duration,
    /// How many bytes of messages a room keeps, as they are sent; the newest message is kept if it is larger.
    /// Default: 512 KiB.
    pub history_bytes: usize,
    /// How many of them a joiner gets that does not name the last message it saw. Default: 20.
    pub join_history: usize,
    /// The largest message, in bytes of its content. Default: 64 KiB.
    pub max_message: usize,
    /// How many connections may be in a room. Default: 100,000.
    pub max_members: usize,
    /// What is told of those who are in a room. Default: everything.
    pub presence: Presence,
    /// Whether messages are stored before they are delivered. Default: no.
    pub persist: bool,
    /// How many messages of a room may wait to be stored. Default: 10,000.
    pub max_unstored: usize,
}

impl Default for Namespace {
    fn default() -> Self {
        Self {
            history: 1000,
            history_age: Duration::from_secs(24 * 60 * 60),
            history_bytes: 512 * 1024,
            join_history: 20,
            max_message: 64 * 1024,
            max_members: 100_000,
            presence: Presence::On,
            persist: false,
            max_unstored: 10_000,
        }
    }
}

/// Which names of rooms a namespace has: `*` stands for any characters, or none; all else for itself.
///
/// ```
/// use ws_mio_server::hub::Pattern;
/// let pattern: Pattern = "game:*".parse()?;
/// assert!(pattern.matches("game:7") && !pattern.matches("a game:7"));
/// # Ok::<(), ws_mio_server::hub::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Whether a room of this name belongs to it.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            // Where it stands first leaves the most for those behind it.
            match rest.split_once(part) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl FromStr for Pattern {
    type Err = super::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        super::check_name(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All namespaces. The first whose pattern a room's name matches has its settings.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    named: Vec<(Pattern, Namespace)>,
    other: Namespace,
}

impl Namespaces {
    /// Rooms that match no pattern have these settings.
    #[must_use]
    pub const fn new(other: Namespace) -> Self {
        Self { named: Vec::new(), other }
    }

    /// Rooms that match this pattern, and none that was added before, have these settings.
    pub fn add(&mut self, pattern: Pattern, namespace: Namespace) {
        self.named.push((pattern, namespace));
    }

    /// The settings of a room of this name, and their number in the order they were added; those of other
    /// rooms have the last one.
    #[must_use]
    pub fn find(&self, room: &str) -> (usize, &Namespace) {
        let found = self.named.iter().enumerate().find(|(_, (pattern, _))| pattern.matches(room));
        match found {
            Some((number, (_, namespace))) => (number, namespace),
            None => (self.named.len(), &self.other),
        }
    }

    /// Whether any namespace stores messages.
    #[must_use]
    pub fn persist(&self) -> bool {
        self.other.persist || self.named.iter().any(|(_, namespace)| namespace.persist)
    }

    pub(super) fn get(&self, number: usize) -> &Namespace {
        self.named.get(number).map_or(&self.other, |(_, namespace)| namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::{Namespace, Namespaces, Pattern};

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn stars_stand_for_anything() {
        for (text, matching, other) in [
            ("a", &["a"][..], &["", "aa", "b"][..]),
            ("*", &["", "a", "가*"], &[]),
            ("a*", &["a", "ab", "a*"], &["", "ba"]),
            ("*a", &["a", "ba", "aaa"], &["", "ab"]),
            ("a*b*c", &["abc", "axbxc", "abbc", "abcbc"], &["ac", "abcx", "acb", "xabc"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("**", &["", "a"], &[]),
            ("공지:*", &["공지:", "공지:1"], &["공", "지:"]),
        ] {
            for name in matching {
                assert!(pattern(text).matches(name), "{text} {name}");
            }
            for name in other {
                assert!(!pattern(text).matches(name), "{text} {name}");
            }
        }
        assert!("".parse::<Pattern>().is_err());
    }

    #[test]
    fn the_first_that_matches_counts() {
        let of = |history| Namespace { history, ..Namespace::default() };
        let mut namespaces = Namespaces::new(of(3));
        namespaces.add(pattern("a:*"), of(1));
        namespaces.add(pattern("a*"), of(2));
        for (room, number, history) in [("a:b", 0, 1), ("ab", 1, 2), ("b", 2, 3)] {
            assert_eq!(namespaces.find(room), (number, &of(history)), "{room}");
            assert_eq!(namespaces.get(number), &of(history));
        }
    }
}
