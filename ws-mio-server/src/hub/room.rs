//! One room: its members and its messages.

use std::hash::Hash;
use std::sync::Arc;

use super::log::Log;
use super::members::Members;
use super::{Epoch, Message, Namespace, Recovery, Since};

/// A room. Without messages it is its members and little more.
#[derive(Debug)]
pub(super) struct Room<M, A> {
    pub(super) members: Members<M>,
    /// Once there has been a message.
    pub(super) log: Option<Box<Log<M, A>>>,
    /// The offset of the last message that was delivered.
    pub(super) last: u64,
    /// The offset that it began with: earlier ones are of a room of the same name before it.
    pub(super) base: u64,
    /// The number of its namespace.
    pub(super) namespace: usize,
}

impl<M: Copy + Eq + Hash, A> Room<M, A> {
    pub(super) fn new(base: u64, namespace: usize) -> Self {
        Self { members: Members::default(), log: None, last: base, base, namespace }
    }

    /// Whether nothing is lost if it is forgotten.
    pub(super) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.log.as_ref().is_none_or(|log| log.is_empty())
    }

    /// The epoch that others number its messages in, if they do.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.log.as_ref().and_then(|log| log.epoch)
    }

    /// The offset of the next message.
    pub(super) fn next(&self) -> u64 {
        let waiting = self.log.as_ref().map_or(0, |log| log.unstored.len());
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        self.last.saturating_add(waiting).saturating_add(1)
    }

    /// What somebody gets that joins now, and the answer to what it names.
    pub(super) fn replay(
        &self,
        since: Since,
        is_epoch: bool,
        namespace: &Namespace,
        most: usize,
    ) -> (Option<Recovery>, Vec<Arc<Message>>) {
        let newest = |n| self.log.as_ref().map_or_else(Vec::new, |log| log.newest(n, most));
        let after = match since {
            Since::Nothing => return (None, newest(namespace.join_history)),
            Since::After(id) if is_epoch => Some(id.offset),
            Since::After(_) | Since::Unreadable => None,
        };
        // Of this room, since it is there, and given.
        match after.filter(|offset| *offset >= self.base) {
            Some(offset) if offset <= self.last => {
                let due = self.last.saturating_sub(offset);
                let messages = newest(usize::try_from(due).unwrap_or(usize::MAX));
                let missed = messages.len();
                let gap = due.saturating_sub(u64::try_from(missed).unwrap_or(u64::MAX));
                (Some(Recovery { missed, gap: Some(gap) }), messages)
            }
            _ => (Some(Recovery { missed: 0, gap: None }), newest(namespace.join_history)),
        }
    }
}
