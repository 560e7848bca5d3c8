//! What others than members ask of rooms: the HTTP API, those who run the server.

use std::sync::Arc;

use ws_mio_server::hub::{Id, Message, Page, People, Recovery, RoomInfo, Since};
use ws_mio_server::store::{Store, StoreStats};
use ws_mio_server::{CallId, CloseCode, Handle, PeerId, Shared};

use super::others::NOTICE;
use super::waiting::Waited;
use super::{Rooms, Shard, lock};
use crate::app::chat::wire::{self, Complaint};
use crate::clock;

/// How many may wait for messages of a shard's rooms.
const MOST_WAITING: usize = 10_000;

/// What a reader of a room gets at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// The room's last message.
    pub(crate) position: Id,
    /// The answer to the message that the reader named.
    pub(crate) recovery: Option<Recovery>,
    /// What it missed, or the newest messages.
    pub(crate) messages: Vec<Arc<Message>>,
}

impl Rooms {
    /// Who is in a room, as far as that is told.
    pub(crate) fn people(&self, room: &str) -> People {
        self.shard(room).hub.people(room)
    }

    /// A room, if it is there.
    pub(crate) fn room(&self, room: &str) -> Option<RoomInfo> {
        let shard = self.shard(room);
        shard.hub.room(room).map(|room| self.as_seen(&shard, room))
    }

    /// All rooms, in no particular order.
    pub(crate) fn rooms(&self) -> Vec<RoomInfo> {
        let of = |shard| {
            let shard = &*lock(shard);
            let all = shard.hub.rooms();
            all.map(|room| self.as_seen(shard, room)).collect::<Vec<_>>()
        };
        self.0.shards.iter().flat_map(of).collect()
    }

    /// Messages that a room keeps, in order, and whether there are more beyond them.
    pub(crate) fn history(&self, room: &str, page: Page, most: usize) -> (Vec<Arc<Message>>, bool) {
        self.shard(room).hub.history(room, page, most, clock::unix_millis())
    }

    /// The room's last message.
    pub(crate) fn position(&self, room: &str) -> Id {
        self.shard(room).hub.position(room)
    }

    /// Messages as a joiner would get them.
    pub(crate) fn read(&self, room: &str, since: Since) -> Read {
        let (position, recovery, messages) = self.shard(room).hub.read(room, since);
        Read { position, recovery, messages }
    }

    /// Messages as a joiner would get them. If it missed none, `tell` is called with the next one, or, when
    /// that moment is over, with nothing.
    ///
    /// # Errors
    /// Too many wait already.
    pub(crate) fn wait(
        &self,
        room: &str,
        since: Since,
        call: CallId,
        until: u64,
        tell: Box<dyn FnOnce(Waited) + Send>,
    ) -> Result<Option<Read>, Complaint> {
        let mut shard = self.shard(room);
        let (position, recovery, messages) = shard.hub.read(room, since);
        if recovery.is_none_or(|recovery| !recovery.is_complete()) || !messages.is_empty() {
            return Ok(Some(Read { position, recovery, messages }));
        }
        if shard.waiting.len() >= MOST_WAITING {
            return Err(Complaint::busy("too many wait; try again later"));
        }
        shard.waiting.add(room, call, until, tell);
        Ok(None)
    }

    /// A call that waited for a room does so no more.
    pub(crate) fn wait_no_more(&self, room: &str, call: CallId) {
        self.shard(room).waiting.remove(room, call);
    }

    /// The server, once it is bound.
    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.0.handle.get()
    }

    /// Some of those who are in rooms, at most so many: which connection, in which room, and who it is.
    pub(crate) fn members(&self, most: usize) -> Vec<(PeerId, Arc<str>, Arc<str>)> {
        let mut members = Vec::new();
        for shard in self.0.shards.iter() {
            let left = most.saturating_sub(members.len());
            members.extend(lock(shard).hub.members().take(left));
        }
        members
    }

    /// The same of one room.
    pub(crate) fn members_of(&self, room: &str, most: usize) -> Vec<(PeerId, Arc<str>, Arc<str>)> {
        let shard = self.shard(room);
        shard.hub.members().filter(|(_, name, _)| **name == *room).take(most).collect()
    }

    /// How the store does, if there is one.
    pub(crate) fn store_stats(&self) -> Option<StoreStats> {
        self.0.store.as_ref().map(Store::stats)
    }

    /// How many rooms there are.
    pub(crate) fn count(&self) -> usize {
        self.0.shards.iter().map(|shard| lock(shard).hub.len()).sum()
    }

    /// The connections of a user, in all rooms.
    pub(crate) fn connections(&self, user: &str) -> Vec<PeerId> {
        let of = |shard| lock(shard).hub.connections(user).to_vec();
        self.0.shards.iter().flat_map(of).collect()
    }

    /// Closes all connections of a user; how many there were.
    pub(crate) fn disconnect(&self, user: &str, code: CloseCode, reason: &str) -> usize {
        self.shout_disconnect(user, code, reason);
        self.disconnect_here(user, code, reason)
    }

    pub(super) fn disconnect_here(&self, user: &str, code: CloseCode, reason: &str) -> usize {
        let connections = self.connections(user);
        for peer in &connections {
            self.with(|handle| handle.close(*peer, code, reason));
        }
        connections.len()
    }

    /// Sends a message to all connections of a user, which no room keeps; how many there were.
    ///
    /// # Errors
    /// The server is busy.
    pub(crate) fn direct(&self, user: &str, from: &str, content: &str) -> Result<usize, Complaint> {
        self.send_to_user(user, &wire::direct(from, content, clock::unix_millis()))
    }

    /// Tells all in a room something in the server's own name; how many connections there were.
    ///
    /// # Errors
    /// The server is busy.
    pub(crate) fn notify_room(&self, room: &str, said: &str) -> Result<usize, Complaint> {
        self.has_room()?;
        let shard = self.shard(room);
        let text = Self::notice(&shard, room, said, clock::unix_millis());
        drop(shard);
        self.deliver(room, &Shared::new(text.as_str()), None);
        // Others say how many are there as they know it.
        self.whisper(room, NOTICE, said.as_bytes());
        let shard = self.shard(room);
        Ok(shard.hub.room(room).map_or(0, |room| room.connections))
    }

    /// What is said in a room in the server's own name, with how many are there, as far as this node knows.
    pub(super) fn notice(shard: &Shard, room: &str, said: &str, now: u64) -> String {
        let seen = shard.node.as_ref().map(|node| node.seen_people(&shard.hub, room));
        let people = match seen {
            Some(seen) => seen.unwrap_or_default(),
            None => shard.hub.people(room),
        };
        wire::system(said, people.people, now, "notification", None)
    }

    /// Tells a user something in the server's own name, in each room that it is in; how many connections there
    /// were.
    ///
    /// # Errors
    /// The server is busy.
    pub(crate) fn notify_user(&self, user: &str, said: &str) -> Result<usize, Complaint> {
        // The number of people is that of no room.
        self.send_to_user(user, &wire::system(said, 0, clock::unix_millis(), "notification", None))
    }

    fn send_to_user(&self, user: &str, text: &str) -> Result<usize, Complaint> {
        self.has_room()?;
        self.shout_to_user(user, text);
        Ok(self.send_to_user_here(user, text))
    }

    pub(super) fn send_to_user_here(&self, user: &str, text: &str) -> usize {
        let message = Shared::new(text);
        let connections = self.connections(user);
        for peer in &connections {
            self.with(|handle| handle.send_shared(*peer, &message));
        }
        connections.len()
    }
}
