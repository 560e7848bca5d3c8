//! What can be asked of a hub.

use std::hash::Hash;
use std::sync::Arc;

use super::room::Room;
use super::{Hub, Id, Message, Namespaces, Presence, Recovery, Since};

/// Who is in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Persons; 0 where that is not told.
    pub people: usize,
    /// Connections; 0 where that is not told.
    pub connections: usize,
    /// Who they are, by name, with the number of their connections; `None` where that is not told.
    pub users: Option<Vec<(Arc<str>, usize)>>,
}

/// What there is to know of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its name.
    pub name: Arc<str>,
    /// Persons in it.
    pub people: usize,
    /// Connections in it.
    pub connections: usize,
    /// The id of its last message.
    pub position: Id,
    /// How many messages it keeps.
    pub kept: usize,
    /// What those take, in bytes.
    pub bytes: usize,
    /// How many messages wait to be stored.
    pub unstored: usize,
}

/// Which messages of those that are kept are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The newest.
    Newest,
    /// Those right before this one.
    Before(Id),
    /// Those right behind this one.
    After(Id),
}

impl<M: Copy + Eq + Hash, A> Hub<M, A> {
    /// The settings of rooms.
    #[must_use]
    pub const fn namespaces(&self) -> &Arc<Namespaces> {
        &self.namespaces
    }

    /// How many rooms there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether there is no room.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// How many messages wait to be stored.
    #[must_use]
    pub const fn unstored(&self) -> usize {
        self.unstored
    }

    /// The rooms, in no particular order.
    pub fn rooms(&self) -> impl Iterator<Item = RoomInfo> {
        self.rooms.keys().filter_map(|name| self.room(name))
    }

    /// A room, if it is there.
    #[must_use]
    pub fn room(&self, name: &str) -> Option<RoomInfo> {
        let (name, room) = self.rooms.get_key_value(name)?;
        let log = room.log.as_ref();
        Some(RoomInfo {
            name: Arc::clone(name),
            people: room.members.people(),
            connections: room.members.len(),
            position: self.position(name),
            kept: log.map_or(0, |log| log.len()),
            bytes: log.map_or(0, |log| log.weight()),
            unstored: log.map_or(0, |log| log.unstored.len()),
        })
    }

    /// The id of the last message of a room, also of one that is not there.
    #[must_use]
    pub fn position(&self, room: &str) -> Id {
        let kind = match self.namespaces.find(room).1.persist {
            true => self.stored,
            false => self.memory,
        };
        let room = self.rooms.get(room);
        let offset = room.map_or(kind.floor, |room| room.last);
        Id { epoch: room.and_then(Room::epoch).unwrap_or(kind.epoch), offset }
    }

    /// Who is in a room, as far as its namespace tells.
    #[must_use]
    pub fn people(&self, room: &str) -> People {
        let Some(found) = self.rooms.get(room) else {
            let is_on = self.namespaces.find(room).1.presence == Presence::On;
            return People { users: is_on.then(Vec::new), ..People::default() };
        };
        let presence = self.namespaces.get(found.namespace).presence;
        if presence == Presence::Off {
            return People::default();
        }
        let mut users = found.members.all();
        users.sort_unstable();
        People {
            people: users.len(),
            connections: found.members.len(),
            users: (presence == Presence::On).then_some(users),
        }
    }

    /// Some of those who are in a room, at most so many, in no particular order; `None` where that is not told.
    #[must_use]
    pub fn names(&self, room: &str, most: usize) -> Option<Vec<Arc<str>>> {
        let found = self.rooms.get(room)?;
        let is_on = self.namespaces.get(found.namespace).presence == Presence::On;
        is_on.then(|| found.members.names(most))
    }

    /// What a reader of a room gets that names `since`, without joining it: the room's position, the answer to
    /// what it named, and messages as a joiner would get them.
    #[must_use]
    pub fn read(&self, room: &str, since: Since) -> (Id, Option<Recovery>, Vec<Arc<Message>>) {
        let position = self.position(room);
        let is_epoch = matches!(since, Since::After(id) if id.epoch == position.epoch);
        let namespace = self.namespaces.find(room).1;
        let most = self.limits.replay_bytes;
        let (recovery, messages) = match self.rooms.get(room) {
            Some(room) => room.replay(since, is_epoch, namespace, most),
            None => {
                let nobody = Room::<M, A>::new(position.offset, 0);
                nobody.replay(since, is_epoch, namespace, most)
            }
        };
        (position, recovery, messages)
    }

    /// All members of all rooms, in no particular order: which connection, in which room, and who it is.
    pub fn members(&self) -> impl Iterator<Item = (M, Arc<str>, Arc<str>)> {
        self.rooms.iter().flat_map(|(name, room)| {
            room.members.seats().map(|(member, user)| (member, Arc::clone(name), user))
        })
    }

    /// The connections of a person, in all rooms.
    #[must_use]
    pub fn connections(&self, user: &str) -> &[M] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    /// The connections of a person in a room.
    #[must_use]
    pub fn connections_in(&self, room: &str, user: &str) -> Vec<M> {
        self.rooms.get(room).map_or_else(Vec::new, |room| room.members.of(user).collect())
    }

    /// Whether a connection is in a room.
    #[must_use]
    pub fn is_in(&self, room: &str, member: M) -> bool {
        self.rooms.get(room).is_some_and(|room| room.members.contains(member))
    }

    /// At most `most` messages of those that a room keeps, in order, and whether there are more beyond them. An
    /// id that is not of the room, or of what it keeps, comes to no messages.
    #[must_use]
    pub fn history(
        &self,
        room: &str,
        page: Page,
        most: usize,
        now: u64,
    ) -> (Vec<Arc<Message>>, bool) {
        let Some(found) = self.rooms.get(room) else { return (Vec::new(), false) };
        let Some(log) = &found.log else { return (Vec::new(), false) };
        let age = self.namespaces.get(found.namespace).history_age.as_millis();
        let age = u64::try_from(age).unwrap_or(u64::MAX);
        let epoch = self.position(room).epoch;
        let is_young = |message: &Arc<Message>| now.saturating_sub(message.at) < age;
        let kept = log.kept().skip(log.kept().position(is_young).unwrap_or(log.len()));
        let one_more = most.saturating_add(1);
        let mut messages: Vec<_> = match page {
            Page::Newest => kept.rev().take(one_more).map(Arc::clone).collect(),
            Page::Before(id) => {
                let before = |m: &&Arc<Message>| id.epoch == epoch && m.id.offset < id.offset;
                kept.rev().filter(before).take(one_more).map(Arc::clone).collect()
            }
            Page::After(id) => {
                let after = |m: &&Arc<Message>| id.epoch == epoch && m.id.offset > id.offset;
                kept.filter(after).take(one_more).map(Arc::clone).collect()
            }
        };
        let more = messages.len() > most;
        messages.truncate(most);
        if !matches!(page, Page::After(_)) {
            messages.reverse();
        }
        (messages, more)
    }
}
