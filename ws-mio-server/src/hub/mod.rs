//! The channel engine: rooms with members, presence, history and recovery. It knows no sockets, no threads
//! and no clock, and nothing of how messages look on the wire.
//!
//! A [`Hub`] is told what happens and what time it is, and says what is to be done, as [`Effect`]s in order.
//! Who does that in order for each member, and tells the hub of the next thing only then, gives every member
//! each message of its room once and in order, from the position on that it was told of as it joined.
//!
//! Every message has an [`Id`], `epoch:offset`; the offsets of a room have no gaps. A member that comes back
//! names the last one it saw and gets exactly what it missed, or is told how much is gone.
//!
//! ```
//! use std::sync::Arc;
//! use ws_mio_server::hub::{Effect, Epoch, Hub, Join, Limits, Namespaces, Publish, Since};
//!
//! let epoch = Epoch::from_entropy(0x5eed);
//! let mut hub = Hub::new(Arc::new(Namespaces::default()), Limits::default(), epoch, None);
//! let (now, mut effects) = (1_767_225_600_000, Vec::new());
//! hub.join(Join { room: "a", member: 1, user: "alice", since: Since::Nothing }, now, &mut effects)?;
//! let publish = Publish {
//!     room: "a", user: "alice", content: b"hello".as_slice().into(), key: None, except: None, answer: (),
//! };
//! hub.publish(publish, now, &mut effects);
//! let [Effect::Welcome(welcome), Effect::Subscribe { .. }, Effect::Entered { .. },
//!     Effect::Accepted { id, .. }, Effect::Deliver { message, .. }] = effects.as_slice()
//! else { panic!("{effects:?}") };
//! assert_eq!((welcome.position.offset, message.id.offset, id.offset), (0, 1, 1));
//! # Ok::<(), ws_mio_server::hub::Refused>(())
//! ```
//!
//! Where a namespace persists, a message is numbered, handed out as [`Effect::Store`], and delivered and
//! acknowledged only when [`Hub::stored`] says so: an id that somebody has seen is never given twice.
//!
//! A room without members and without history is forgotten. The next one of its name begins with an offset
//! that none before has reached, so that an id from before it is not taken for one of its own.

mod budget;
mod id;
mod log;
mod members;
mod message;
mod name;
mod namespace;
mod numbered;
mod publish;
mod query;
mod room;
mod sent;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

pub use budget::Budget;
pub use id::{Epoch, Id, IdError};
pub use message::{Effect, Message, Recovery, Refused, Welcome};
pub use name::{MAX_NAME, NameError, check_name};
pub use namespace::{Namespace, Namespaces, Pattern, Presence};
pub use publish::Publish;
pub use query::{Page, People, RoomInfo};
use room::Room;

/// What a hub may hold at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rooms. Default: 1,000,000.
    pub rooms: usize,
    /// What messages that are kept may take in all; beyond, a room that gets one drops its oldest ones, all but
    /// the newest if need be. Hubs may share it.
    pub memory: Arc<Budget>,
    /// Messages that wait to be stored. Default: 100,000.
    pub unstored: usize,
    /// Bytes of messages that a joiner gets at once; what it missed beyond is a gap. That much may wait for a peer
    /// beside what is limited. Default: 768 KiB.
    pub replay_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 1_000_000,
            memory: Arc::default(),
            unstored: 100_000,
            replay_bytes: 768 * 1024,
        }
    }
}

/// The rooms of a server, or a part of them. `M` names a member, a connection; `A` is what the caller needs
/// to answer a publication.
#[derive(Debug)]
pub struct Hub<M, A> {
    rooms: HashMap<Arc<str>, Room<M, A>>,
    /// The connections of each person, one for each room it is in.
    users: HashMap<Arc<str>, Vec<M>>,
    namespaces: Arc<Namespaces>,
    limits: Limits,
    memory: Kind,
    /// For namespaces that persist.
    stored: Kind,
    unstored: usize,
}

/// What rooms have in common that end with the process, or that do not.
#[derive(Clone, Copy, Debug)]
struct Kind {
    epoch: Epoch,
    /// The highest offset of the rooms that are forgotten.
    floor: u64,
}

/// Who joins what.
#[derive(Clone, Copy, Debug)]
pub struct Join<'a, M> {
    /// The room's name.
    pub room: &'a str,
    /// The connection.
    pub member: M,
    /// The person that it is of.
    pub user: &'a str,
    /// The last message that it saw.
    pub since: Since,
}

/// The last message that a joiner saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// It names none: it has not been here before.
    #[default]
    Nothing,
    /// The one with this id, or the position that it was told of.
    After(Id),
    /// It names something that is no id.
    Unreadable,
}

impl Since {
    /// What a joiner named, if it did.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        match text.map(str::parse) {
            None => Self::Nothing,
            Some(Ok(id)) => Self::After(id),
            Some(Err(_)) => Self::Unreadable,
        }
    }
}

impl<M: Copy + Eq + Hash, A> Hub<M, A> {
    /// A hub without rooms. The ids of rooms that do not persist are of `epoch`, which must be another one
    /// each time; those of rooms that do, of `stored`, which is that of the store.
    #[must_use]
    pub fn new(
        namespaces: Arc<Namespaces>,
        limits: Limits,
        epoch: Epoch,
        stored: Option<Epoch>,
    ) -> Self {
        Self {
            rooms: HashMap::new(),
            users: HashMap::new(),
            namespaces,
            limits,
            memory: Kind { epoch, floor: 0 },
            stored: Kind { epoch: stored.unwrap_or(epoch), floor: 0 },
            unstored: 0,
        }
    }

    /// Puts a room back as the store has it: `last` is its highest offset, the messages are those that are
    /// kept, in order and without gaps up to it. Of those, some may be too old by now. Rooms that do not persist
    /// any more are not taken.
    pub fn restore(
        &mut self,
        room: &str,
        last: u64,
        messages: impl IntoIterator<Item = Message>,
        now: u64,
        effects: &mut Vec<Effect<M, A>>,
    ) {
        let (number, namespace) = self.namespaces.find(room);
        if !namespace.persist {
            return;
        }
        let mut log = log::Log::default();
        for message in messages {
            log.sent.insert(&message);
            log.push(Arc::new(message));
        }
        self.limits.memory.change(0, log.weight());
        let mut restored = Room::new(0, number);
        (restored.last, restored.log) = (last, Some(Box::new(log)));
        let name: Arc<str> = Arc::from(room);
        self.rooms.insert(Arc::clone(&name), restored);
        self.trim(&name, now, effects);
        self.forget_if_vacant(&name);
    }

    /// Offsets of rooms that persist and are not there begin behind this one: the highest of the rooms that the
    /// store has forgotten since it was made.
    pub fn restore_floor(&mut self, floor: u64) {
        self.stored.floor = self.stored.floor.max(floor);
    }

    /// A connection joins a room. It is welcomed first, then the others are told, if it is the person's first
    /// there and the namespace tells that.
    ///
    /// # Errors
    /// It is not in the room.
    pub fn join(
        &mut self,
        join: Join<'_, M>,
        now: u64,
        effects: &mut Vec<Effect<M, A>>,
    ) -> Result<(), Refused> {
        let Join { room: name, member, user, since } = join;
        let namespaces = Arc::clone(&self.namespaces);
        let (number, namespace) = namespaces.find(name);
        if let Some(room) = self.rooms.get(name) {
            if room.members.contains(member) {
                return Err(Refused::AlreadyIn);
            }
            if room.members.len() >= namespace.max_members {
                return Err(Refused::RoomFull);
            }
        } else if namespace.max_members == 0 {
            return Err(Refused::RoomFull);
        }
        let name = self.open(name, number, namespace)?;
        self.trim(&name, now, effects);
        let user = match self.users.get_key_value(user) {
            Some((user, _)) => Arc::clone(user),
            None => Arc::from(user),
        };
        let Kind { epoch, .. } = *self.kind(namespace);
        let Some(room) = self.rooms.get_mut(&name) else { return Err(Refused::TooManyRooms) };
        let epoch = room.epoch().unwrap_or(epoch);
        let connections = self.users.entry(Arc::clone(&user)).or_default();
        if connections.is_empty() {
            connections.reserve_exact(1);
        }
        connections.push(member);
        let is_first = room.members.add(member, Arc::clone(&user));
        let is_epoch = matches!(since, Since::After(id) if id.epoch == epoch);
        let (recovery, messages) =
            room.replay(since, is_epoch, namespace, self.limits.replay_bytes);
        let people = match namespace.presence {
            Presence::Off => 0,
            Presence::On | Presence::Count => room.members.people(),
        };
        let position = Id { epoch, offset: room.last };
        let room = Arc::clone(&name);
        effects.push(Effect::Welcome(Welcome {
            room,
            member,
            user: Arc::clone(&user),
            position,
            people,
            recovery,
            messages,
        }));
        effects.push(Effect::Subscribe { room: Arc::clone(&name), member });
        if is_first && namespace.presence == Presence::On {
            effects.push(Effect::Entered { room: name, user, people, except: Some(member) });
        }
        Ok(())
    }

    /// A connection leaves a room, or is no more; if it is not there, nothing happens. The others are told, if
    /// it was the person's last there and the namespace tells that.
    pub fn leave(&mut self, room: &str, member: M, effects: &mut Vec<Effect<M, A>>) {
        let Some((name, _)) = self.rooms.get_key_value(room) else { return };
        let name = Arc::clone(name);
        let Some(room) = self.rooms.get_mut(&name) else { return };
        let Some((user, is_last)) = room.members.remove(member) else { return };
        if let Some(connections) = self.users.get_mut(&user) {
            if let Some(place) = connections.iter().position(|known| *known == member) {
                connections.swap_remove(place);
            }
            if connections.is_empty() {
                self.users.remove(&user);
            }
        }
        if is_last && self.namespaces.get(room.namespace).presence == Presence::On {
            let people = room.members.people();
            effects.push(Effect::Left { room: Arc::clone(&name), user, people });
        }
        self.forget_if_vacant(&name);
    }

    /// Drops messages that are too old, and rooms that nothing is left of. To be called now and then: what is
    /// too old is not given to anybody, but takes memory until then.
    pub fn expire(&mut self, now: u64, effects: &mut Vec<Effect<M, A>>) {
        let names: Vec<_> = self.rooms.keys().map(Arc::clone).collect();
        for name in names {
            self.trim(&name, now, effects);
            self.forget_if_vacant(&name);
        }
    }

    /// The name of a room that is there, or is now.
    fn open(
        &mut self,
        room: &str,
        number: usize,
        namespace: &Namespace,
    ) -> Result<Arc<str>, Refused> {
        if let Some((name, _)) = self.rooms.get_key_value(room) {
            return Ok(Arc::clone(name));
        }
        if self.rooms.len() >= self.limits.rooms {
            return Err(Refused::TooManyRooms);
        }
        let name: Arc<str> = Arc::from(room);
        let Kind { floor, .. } = *self.kind(namespace);
        self.rooms.insert(Arc::clone(&name), Room::new(floor, number));
        Ok(name)
    }

    /// Drops messages of a room that are not kept any more.
    fn trim(&mut self, name: &Arc<str>, now: u64, effects: &mut Vec<Effect<M, A>>) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let Some(log) = &mut room.log else { return };
        let namespace = self.namespaces.get(room.namespace);
        let before = log.weight();
        let is_trimmed = log.trim(room.last, namespace, now);
        self.limits.memory.change(before, log.weight());
        if is_trimmed && namespace.persist {
            let from = log.first(room.last);
            effects.push(Effect::Trim { room: Arc::clone(name), from });
        }
    }

    fn forget_if_vacant(&mut self, name: &str) {
        let Some(room) = self.rooms.get(name).filter(|room| room.is_vacant()) else { return };
        let last = room.last;
        let namespaces = Arc::clone(&self.namespaces);
        let kind = self.kind(namespaces.get(room.namespace));
        kind.floor = kind.floor.max(last);
        self.rooms.remove(name);
        // What was needed for many is given back.
        if self.rooms.capacity() > 1024 && self.rooms.len() < self.rooms.capacity() / 8 {
            self.rooms.shrink_to_fit();
            self.users.shrink_to_fit();
        }
    }

    const fn kind(&mut self, namespace: &Namespace) -> &mut Kind {
        if namespace.persist { &mut self.stored } else { &mut self.memory }
    }
}
