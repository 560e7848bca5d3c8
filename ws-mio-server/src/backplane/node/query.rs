//! What others than members ask of rooms, on whichever node they are.

use std::hash::Hash;
use std::sync::Arc;

use super::presence::told;
use super::{Act, Asked, Node, Out};
use crate::backplane::wire::{Answer, Ask, Entry, Failure, Page as Found};
use crate::hub::{self, Effect, Hub, Id, Message, People, Refused};

/// A page of what a room keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The room's last message.
    pub position: Id,
    /// How many messages it keeps.
    pub kept: u64,
    /// The messages, in order.
    pub messages: Vec<Arc<Message>>,
    /// Whether there are more beyond them.
    pub more: bool,
}

/// A room that is attached here, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: Arc<str>,
    /// Who is in it, on all nodes.
    pub people: People,
    /// The connections to it here.
    pub here: usize,
}

impl<M: Copy + Eq + Hash, A> Node<M, A> {
    /// Asks for messages that a room keeps: [`Act::History`], or a refusal.
    pub fn history(
        &mut self,
        room: &Arc<str>,
        page: hub::Page,
        most: usize,
        answer: A,
        out: &mut Out<M, A>,
    ) {
        if !self.is_up || self.asked.len() >= self.settings.most_waiting {
            return out.acts.push(Act::Hub(Effect::Refused { answer, why: Refused::LogAway }));
        }
        let one_more = most.saturating_add(1);
        let (from, to, newest) = match page {
            hub::Page::Newest => (1, u64::MAX, true),
            hub::Page::Before(id) => (1, id.offset.saturating_sub(1), true),
            hub::Page::After(id) => (id.offset.saturating_add(1), u64::MAX, false),
        };
        let epoch = self.entropy();
        let ask = Ask::Read { room: Arc::clone(room), from, to, most: one_more, newest, epoch };
        self.ask(Asked::History(answer, page, most), ask, out);
    }

    pub(super) fn told_history(
        answer: A,
        (page, most): (hub::Page, usize),
        result: Result<Answer, Failure>,
        out: &mut Out<M, A>,
    ) {
        let Ok(Answer::Page(Found { position, first, mut messages })) = result else {
            return out.acts.push(Act::Hub(Effect::Refused { answer, why: Refused::LogAway }));
        };
        let kept = position.offset.saturating_add(1).saturating_sub(first);
        let named = match page {
            hub::Page::Newest => None,
            hub::Page::Before(id) | hub::Page::After(id) => Some(id.epoch),
        };
        // Of another epoch, nothing is before or behind.
        if named.is_some_and(|epoch| epoch != position.epoch) {
            messages.clear();
        }
        let more = messages.len() > most;
        if matches!(page, hub::Page::After(_)) {
            messages.truncate(most);
        } else {
            messages.drain(..messages.len().saturating_sub(most));
        }
        let messages = messages.into_iter().map(Arc::new).collect();
        let history = History { position, kept, messages, more };
        out.acts.push(Act::History { answer, history });
    }

    /// Asks who is in a room, on all nodes: [`Act::People`], or a refusal.
    pub fn people(&mut self, hub: &Hub<M, A>, room: &Arc<str>, answer: A, out: &mut Out<M, A>) {
        if let Some(people) = self.seen_people(hub, room) {
            return out.acts.push(Act::People { answer, people });
        }
        if !self.is_up || self.asked.len() >= self.settings.most_waiting {
            return out.acts.push(Act::Hub(Effect::Refused { answer, why: Refused::LogAway }));
        }
        let ask = Ask::People { room: Arc::clone(room) };
        self.ask(Asked::People(answer, Arc::clone(room)), ask, out);
    }

    pub(super) fn told_people(
        &self,
        hub: &Hub<M, A>,
        answer: A,
        room: &str,
        result: Result<Answer, Failure>,
        out: &mut Out<M, A>,
    ) {
        let Ok(Answer::People(entries)) = result else {
            return out.acts.push(Act::Hub(Effect::Refused { answer, why: Refused::LogAway }));
        };
        let mut users = std::collections::BTreeMap::<Arc<str>, usize>::new();
        for Entry { node, user, connections } in entries {
            // Those of nodes that are gone are not swept where nobody is attached.
            if self.alive.is_empty() || self.alive.contains(&node) {
                let sum = users.entry(user).or_default();
                *sum = sum.saturating_add(usize::try_from(connections).unwrap_or(usize::MAX));
            }
        }
        let presence = hub.namespaces().find(room).1.presence;
        let people = told(presence, users.into_iter().collect());
        out.acts.push(Act::People { answer, people });
    }

    /// The rooms that are attached here, in no particular order.
    pub fn seen<'a>(&'a self, hub: &'a Hub<M, A>) -> impl Iterator<Item = Seen> + 'a {
        self.rooms.keys().filter_map(|name| {
            let people = self.seen_people(hub, name)?;
            let here = hub.room(name).map_or(0, |room| room.connections);
            Some(Seen { name: Arc::clone(name), people, here })
        })
    }
}
