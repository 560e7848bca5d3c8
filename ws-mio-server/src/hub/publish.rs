//! Messages on their way: numbered, stored where that is due, delivered.

use std::hash::Hash;
use std::sync::Arc;

use super::log::{Log, Unstored};
use super::sent::Found;
use super::{Effect, Hub, Id, Message, Refused};

/// A message that is to be published.
#[derive(Debug)]
pub struct Publish<'a, M, A> {
    /// The room's name.
    pub room: &'a str,
    /// Who publishes.
    pub user: &'a str,
    /// What is published.
    pub content: Arc<[u8]>,
    /// What the user calls the message: one that is sent again has the same id, and is delivered once.
    pub key: Option<&'a str>,
    /// The member that does not get it.
    pub except: Option<M>,
    /// Comes back as [`Effect::Accepted`] or [`Effect::Refused`], now or when the message is stored.
    pub answer: A,
}

impl<M: Copy + Eq + Hash, A> Hub<M, A> {
    /// Publishes a message in a room, which need have no members. It is answered in any case.
    ///
    /// A key is known as long as its message is kept, and for the newest 128 messages for 5 minutes.
    pub fn publish(
        &mut self,
        publish: Publish<'_, M, A>,
        now: u64,
        effects: &mut Vec<Effect<M, A>>,
    ) {
        let Publish { room: name, user, content, key, except, answer } = publish;
        let namespaces = Arc::clone(&self.namespaces);
        let (number, namespace) = namespaces.find(name);
        let mut refuse = |answer, why| effects.push(Effect::Refused { answer, why });
        if content.len() > namespace.max_message {
            return refuse(answer, Refused::TooLong(namespace.max_message));
        }
        let name = match self.open(name, number, namespace) {
            Ok(name) => name,
            Err(why) => return refuse(answer, why),
        };
        let user = match self.users.get_key_value(user) {
            Some((user, _)) => Arc::clone(user),
            None => Arc::from(user),
        };
        let epoch = self.kind(namespace).epoch;
        let Some(room) = self.rooms.get_mut(&name) else {
            return refuse(answer, Refused::TooManyRooms);
        };
        let (last, next) = (room.last, room.next());
        let log = room.log.get_or_insert_default();
        match key.and_then(|key| log.sent.find(&user, key, &content)) {
            Some(Found::Same(offset)) if offset <= last => {
                return effects.push(Effect::Accepted { answer, id: Id { epoch, offset } });
            }
            Some(Found::Same(offset)) => {
                let waiting = log.unstored.iter_mut().find(|m| m.message.id.offset == offset);
                return match waiting {
                    Some(unstored) => unstored.answers.push(answer),
                    None => refuse(answer, Refused::StoreFailed),
                };
            }
            Some(Found::Other) => return refuse(answer, Refused::KeyReused),
            None => {}
        }
        if namespace.persist {
            let is_full = log.unstored.len() >= namespace.max_unstored;
            let why = match log.failing {
                true => Some(Refused::StoreFailed),
                false if is_full || self.unstored >= self.limits.unstored => {
                    Some(Refused::StoreBusy)
                }
                false => None,
            };
            if let Some(why) = why {
                effects.push(Effect::Refused { answer, why });
                return self.forget_if_vacant(&name);
            }
        }
        let id = Id { epoch, offset: next };
        let message = Message { id, at: now, user, key: key.map(Arc::from), content };
        log.sent.insert(&message);
        let message = Arc::new(message);
        let unstored =
            Unstored { message: Arc::clone(&message), except, answers: Vec::from([answer]) };
        if namespace.persist {
            log.unstored.push_back(unstored);
            self.unstored = self.unstored.saturating_add(1);
            effects.push(Effect::Store { room: name, message });
        } else {
            self.deliver(&name, unstored, now, effects);
            self.forget_if_vacant(&name);
        }
    }

    /// The store has done with a message: it is stored, and with it all before it, or it is not and never will
    /// be. The messages of a room must be told of in order, all of them, and none may be stored behind one
    /// that failed.
    pub fn stored(
        &mut self,
        room: &str,
        offset: u64,
        is_stored: bool,
        now: u64,
        effects: &mut Vec<Effect<M, A>>,
    ) {
        let Some((name, log)) = self.log(room) else { return };
        if log.unstored.front().is_none_or(|next| next.message.id.offset != offset) {
            return;
        }
        let Some(unstored) = log.unstored.pop_front() else { return };
        log.failing |= !is_stored;
        log.failing &= !log.unstored.is_empty();
        self.unstored = self.unstored.saturating_sub(1);
        if is_stored {
            self.deliver(&name, unstored, now, effects);
        } else {
            self.refuse(&name, unstored, Refused::StoreFailed, effects);
        }
        self.forget_if_vacant(&name);
    }

    /// The store has no room for the message that it was given last, of this room: the next one gets its
    /// offset.
    pub fn not_taken(&mut self, room: &str, offset: u64, effects: &mut Vec<Effect<M, A>>) {
        let Some((name, log)) = self.log(room) else { return };
        if log.unstored.back().is_none_or(|last| last.message.id.offset != offset) {
            return;
        }
        let Some(unstored) = log.unstored.pop_back() else { return };
        log.failing &= !log.unstored.is_empty();
        self.unstored = self.unstored.saturating_sub(1);
        self.refuse(&name, unstored, Refused::StoreBusy, effects);
        self.forget_if_vacant(&name);
    }

    fn log(&mut self, room: &str) -> Option<(Arc<str>, &mut Log<M, A>)> {
        let name = self.rooms.get_key_value(room).map(|(name, _)| Arc::clone(name))?;
        let log = self.rooms.get_mut(&name)?.log.as_deref_mut()?;
        Some((name, log))
    }

    /// Gives a message to all, and answers those who sent it.
    pub(super) fn deliver(
        &mut self,
        name: &Arc<str>,
        unstored: Unstored<M, A>,
        now: u64,
        effects: &mut Vec<Effect<M, A>>,
    ) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let Unstored { message, except, answers } = unstored;
        let id = message.id;
        room.last = id.offset;
        let log = room.log.get_or_insert_default();
        let before = log.weight();
        log.push(Arc::clone(&message));
        self.limits.memory.change(before, log.weight());
        effects.extend(answers.into_iter().map(|answer| Effect::Accepted { answer, id }));
        effects.push(Effect::Deliver { room: Arc::clone(name), message, except });
        self.shed(name, effects);
        self.trim(name, now, effects);
    }

    /// Drops the oldest messages of a room where all together take more than they may.
    fn shed(&mut self, name: &Arc<str>, effects: &mut Vec<Effect<M, A>>) {
        let excess = self.limits.memory.excess();
        let Some(room) = self.rooms.get_mut(name).filter(|_| excess > 0) else { return };
        let Some(log) = &mut room.log else { return };
        let before = log.weight();
        if log.shed(excess) {
            self.limits.memory.change(before, log.weight());
            if self.namespaces.get(room.namespace).persist {
                let from = log.first(room.last);
                effects.push(Effect::Trim { room: Arc::clone(name), from });
            }
        }
    }

    fn refuse(
        &mut self,
        name: &str,
        unstored: Unstored<M, A>,
        why: Refused,
        effects: &mut Vec<Effect<M, A>>,
    ) {
        if let Some(log) = self.rooms.get_mut(name).and_then(|room| room.log.as_mut()) {
            log.sent.remove(&unstored.message);
        }
        let refused = |answer| Effect::Refused { answer, why };
        effects.extend(unstored.answers.into_iter().map(refused));
    }
}
