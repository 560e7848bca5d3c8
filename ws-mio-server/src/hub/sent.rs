//! What users have called their messages, so that one that is sent again is known.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::Message;

/// How many names are known beyond those of messages that are kept.
const RECENT: usize = 128;
/// For how long, in milliseconds.
const RECENT_AGE: u64 = 5 * 60 * 1000;

/// The keys of messages, each of which a user has given.
#[derive(Debug, Default)]
pub(super) struct Sent {
    known: HashMap<Arc<str>, Known>,
    /// From the oldest on.
    order: VecDeque<(Arc<str>, u64)>,
}

#[derive(Debug)]
struct Known {
    offset: u64,
    at: u64,
    content: u64,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The message with this offset is the same.
    Same(u64),
    /// The key was given to another message.
    Other,
}

impl Sent {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn find(&self, user: &str, key: &str, content: &[u8]) -> Option<Found> {
        if self.known.is_empty() {
            return None;
        }
        let known = self.known.get(joined(user, key).as_str())?;
        Some(if known.content == digest(content) {
            Found::Same(known.offset)
        } else {
            Found::Other
        })
    }

    pub(super) fn insert(&mut self, message: &Message) {
        let Some(key) = &message.key else { return };
        let name: Arc<str> = joined(&message.user, key).into();
        let known =
            Known { offset: message.id.offset, at: message.at, content: digest(&message.content) };
        self.order.push_back((Arc::clone(&name), known.offset));
        self.known.insert(name, known);
    }

    /// Forgets a message that could not be stored.
    pub(super) fn remove(&mut self, message: &Message) {
        let Some(key) = &message.key else { return };
        let name = joined(&message.user, key);
        if self.known.get(name.as_str()).is_some_and(|known| known.offset == message.id.offset) {
            self.known.remove(name.as_str());
        }
    }

    /// Forgets what is neither among the messages from offset `kept` on, nor recent.
    pub(super) fn trim(&mut self, kept: u64, now: u64) {
        while let Some((name, offset)) = self.order.front() {
            let known = self.known.get(name).filter(|known| known.offset == *offset);
            let is_recent = known.is_some_and(|known| {
                *offset >= kept
                    || (self.order.len() <= RECENT && now.saturating_sub(known.at) <= RECENT_AGE)
            });
            if is_recent {
                break;
            }
            if known.is_some() {
                self.known.remove(name);
            }
            self.order.pop_front();
        }
        if self.known.is_empty() {
            *self = Self::default();
        }
    }
}

/// No name has a control character, so no two pairs come to the same.
fn joined(user: &str, key: &str) -> String {
    [user, key].join("\0")
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
