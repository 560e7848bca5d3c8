//! The messages of a room: those that are kept, and those that wait to be stored.

use std::collections::VecDeque;
use std::sync::Arc;

use super::sent::Sent;
use super::{Epoch, Message, Namespace};

/// What a room has once it has had a message.
#[derive(Debug)]
pub(super) struct Log<M, A> {
    /// From the oldest on, without a gap up to the last one that was delivered.
    kept: VecDeque<Arc<Message>>,
    /// What those weigh.
    weight: usize,
    /// Those that wait, in order, behind the last one that was delivered.
    pub(super) unstored: VecDeque<Unstored<M, A>>,
    /// Whether one of those that waited has failed: none is taken until it is known of all.
    pub(super) failing: bool,
    pub(super) sent: Sent,
    /// Where others number its messages: the epoch that they do it in.
    pub(super) epoch: Option<Epoch>,
}

/// A message that is to be stored before it is delivered.
#[derive(Debug)]
pub(super) struct Unstored<M, A> {
    pub(super) message: Arc<Message>,
    pub(super) except: Option<M>,
    /// Whom to tell: more than one if it was sent again meanwhile.
    pub(super) answers: Vec<A>,
}

impl<M, A> Default for Log<M, A> {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            weight: 0,
            unstored: VecDeque::new(),
            failing: false,
            sent: Sent::default(),
            epoch: None,
        }
    }
}

impl<M, A> Log<M, A> {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
            && self.unstored.is_empty()
            && self.sent.is_empty()
            && self.epoch.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn kept(
        &self,
    ) -> impl DoubleEndedIterator<Item = &Arc<Message>> + ExactSizeIterator {
        self.kept.iter()
    }

    pub(super) fn push(&mut self, message: Arc<Message>) {
        self.weight = self.weight.saturating_add(message.weight());
        self.kept.push_back(message);
    }

    /// Puts older messages in front, in order; they end right before the oldest that is kept.
    pub(super) fn push_front(&mut self, older: impl DoubleEndedIterator<Item = Arc<Message>>) {
        for message in older.rev() {
            self.weight = self.weight.saturating_add(message.weight());
            self.kept.push_front(message);
        }
    }

    /// Drops all messages.
    pub(super) fn clear(&mut self) {
        self.kept = VecDeque::new();
        self.weight = 0;
    }

    /// The newest `n`, in order, but no more of them than weigh so much.
    pub(super) fn newest(&self, n: usize, most: usize) -> Vec<Arc<Message>> {
        let mut left = most;
        let fitting = self.kept.iter().rev().take(n).take_while(|message| {
            let rest = left.checked_sub(message.weight());
            left = rest.unwrap_or(0);
            rest.is_some()
        });
        let mut newest: Vec<_> = fitting.map(Arc::clone).collect();
        newest.reverse();
        newest
    }

    /// Drops the oldest messages that a room of these settings does not keep; whether there were any.
    pub(super) fn trim(&mut self, last: u64, namespace: &Namespace, now: u64) -> bool {
        let age = u64::try_from(namespace.history_age.as_millis()).unwrap_or(u64::MAX);
        let before = self.kept.len();
        while let Some(oldest) = self.kept.front() {
            let is_kept = self.kept.len() <= namespace.history
                && (self.weight <= namespace.history_bytes || self.kept.len() == 1)
                && now.saturating_sub(oldest.at) < age;
            if is_kept {
                break;
            }
            self.drop_oldest();
        }
        self.sent.trim(self.first(last), now);
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
        self.kept.len() < before
    }

    /// Drops the oldest messages, but the newest one, until so much weight is gone; whether there were any.
    pub(super) fn shed(&mut self, mut excess: usize) -> bool {
        let before = self.kept.len();
        while excess > 0 && self.kept.len() > 1 {
            excess = excess.saturating_sub(self.drop_oldest());
        }
        self.kept.len() < before
    }

    fn drop_oldest(&mut self) -> usize {
        let weight = self.kept.pop_front().map_or(0, |message| message.weight());
        self.weight = self.weight.saturating_sub(weight);
        weight
    }

    /// The offset of the oldest that is kept, or of the next message.
    pub(super) fn first(&self, last: u64) -> u64 {
        match self.kept.front() {
            Some(oldest) => oldest.id.offset,
            None => last.saturating_add(1),
        }
    }
}
