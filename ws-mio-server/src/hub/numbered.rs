//! Rooms whose messages are numbered elsewhere, such as by a log that several nodes share: the hub is told of
//! each message with its id, and keeps the last ones for those who come.

use std::hash::Hash;
use std::sync::Arc;

use super::log::Unstored;
use super::{Effect, Hub, Id, Message, Refused};

impl<M: Copy + Eq + Hash, A> Hub<M, A> {
    /// The id of the last message of a room that is numbered elsewhere.
    #[must_use]
    pub fn numbered(&self, room: &str) -> Option<Id> {
        let room = self.rooms.get(room)?;
        Some(Id { epoch: room.epoch()?, offset: room.last })
    }

    /// The offset of the oldest message of a room that is kept here, or of the next one.
    #[must_use]
    pub fn oldest(&self, room: &str) -> Option<u64> {
        let room = self.rooms.get(room)?;
        let next = room.last.saturating_add(1);
        Some(room.log.as_ref().map_or(next, |log| log.first(room.last)))
    }

    /// A room is numbered elsewhere, and this is its last message; what was kept of it is not any more. It is there
    /// until [`Hub::close`].
    ///
    /// # Errors
    /// There are too many rooms.
    pub fn number(&mut self, name: &str, position: Id) -> Result<(), Refused> {
        let namespaces = Arc::clone(&self.namespaces);
        let (number, namespace) = namespaces.find(name);
        let name = self.open(name, number, namespace)?;
        let Some(room) = self.rooms.get_mut(&name) else { return Err(Refused::TooManyRooms) };
        (room.base, room.last) = (0, position.offset);
        let log = room.log.get_or_insert_default();
        self.limits.memory.change(log.weight(), 0);
        log.clear();
        log.epoch = Some(position.epoch);
        Ok(())
    }

    /// A room's next message has come: it is delivered. Nothing happens if it is not the next one.
    pub fn take(
        &mut self,
        room: &str,
        message: Message,
        now: u64,
        effects: &mut Vec<Effect<M, A>>,
    ) {
        let next = self
            .numbered(room)
            .map(|Id { epoch, offset }| Id { epoch, offset: offset.saturating_add(1) });
        let Some((name, _)) = self.rooms.get_key_value(room) else { return };
        if next == Some(message.id) {
            let name = Arc::clone(name);
            let message = Arc::new(message);
            let unstored = Unstored { message, except: None, answers: Vec::new() };
            self.deliver(&name, unstored, now, effects);
        }
    }

    /// Older messages of a room, in order and without gaps, which end right before [`Hub::oldest`], are kept for
    /// those who come; nobody gets them now. Others are not taken.
    pub fn remember(&mut self, room: &str, older: Vec<Message>, now: u64) {
        let Some((name, _)) = self.rooms.get_key_value(room) else { return };
        let name = Arc::clone(name);
        let Some(room) = self.rooms.get_mut(&name) else { return };
        let epoch = room.epoch();
        let Some(log) = &mut room.log else { return };
        let mut due = log.first(room.last);
        let mut fits = true;
        for message in older.iter().rev() {
            due = due.saturating_sub(1);
            fits &= message.id.offset == due && Some(message.id.epoch) == epoch;
        }
        if fits {
            let before = log.weight();
            log.push_front(older.into_iter().map(Arc::new));
            self.limits.memory.change(before, log.weight());
            // Of messages that are not stored, nobody need be told.
            self.trim(&name, now, &mut Vec::new());
        }
    }

    /// The messages of a room up to this one never come: the next is the one behind it.
    pub fn skip(&mut self, room: &str, to: u64) {
        if let Some(Id { epoch, offset }) = self.numbered(room)
            && offset < to
        {
            // It is there.
            let _ = self.number(room, Id { epoch, offset: to });
        }
    }

    /// A room is numbered no more, and forgotten, if nobody is in it.
    pub fn close(&mut self, room: &str) {
        let Some(found) = self.rooms.get_mut(room) else { return };
        if !found.members.is_empty() {
            return;
        }
        let weight = found.log.as_ref().map_or(0, |log| log.weight());
        self.limits.memory.change(weight, 0);
        found.log = None;
        self.forget_if_vacant(room);
    }

    /// The members of a room, with who they are.
    #[must_use]
    pub fn members_of(&self, room: &str) -> Vec<(M, Arc<str>)> {
        self.rooms.get(room).map_or_else(Vec::new, |room| room.members.seats().collect())
    }

    /// Whether anybody is in a room.
    #[must_use]
    pub fn has_members(&self, room: &str) -> bool {
        self.rooms.get(room).is_some_and(|room| !room.members.is_empty())
    }

    /// Who a member of a room is.
    #[must_use]
    pub fn who(&self, room: &str, member: M) -> Option<Arc<str>> {
        self.rooms.get(room)?.members.user(member)
    }
}
