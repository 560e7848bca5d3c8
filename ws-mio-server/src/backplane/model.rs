//! A log in memory, which does what an engine is asked as late as one likes: for tests and simulations.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::type_complexity,
    missing_docs,
    reason = "it is part of tests"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::wire::{
    Answer, Append, Ask, Attached, Entry, Event, Failure, Page, Push, Request, RoomList,
};
use crate::hub::{Epoch, Id, Message};

/// The log, and the links of all nodes to it.
#[derive(Debug, Default)]
pub struct Model {
    rooms: BTreeMap<Arc<str>, Room>,
    leases: BTreeMap<Arc<str>, u64>,
    /// Until when what a node has told of its rooms counts, and that.
    lists: BTreeMap<Arc<str>, (u64, BTreeMap<Arc<str>, u32>)>,
    links: Vec<Link>,
    /// How often it was started.
    run: u64,
}

#[derive(Clone, Debug, Default)]
struct Room {
    epoch: Option<Epoch>,
    last: u64,
    /// Where the room was when the log was started.
    boundary: u64,
    kept: VecDeque<Message>,
    keys: HashMap<(Arc<str>, Arc<str>), (u64, Arc<[u8]>)>,
    names: HashMap<Arc<str>, u64>,
    people: BTreeMap<(Arc<str>, Arc<str>), u32>,
    /// How often that was told of.
    version: u64,
}

/// One node's link: what it has asked, and what it has not been told yet.
#[derive(Debug, Default)]
pub struct Link {
    is_up: bool,
    asked: VecDeque<Request>,
    replies: VecDeque<Event>,
    pushes: VecDeque<Event>,
    subscribed: BTreeSet<Arc<str>>,
}

impl Room {
    fn position(&mut self, entropy: u64) -> Id {
        let epoch = *self.epoch.get_or_insert(Epoch::from_entropy(entropy));
        Id { epoch, offset: self.last }
    }

    fn page(&self, position: Id, from: u64, to: u64, most: usize, newest: bool) -> Page {
        let found = self.kept.iter().filter(|m| (from..=to).contains(&m.id.offset)).cloned();
        let mut messages: Vec<_> = found.collect();
        if newest {
            messages.drain(..messages.len().saturating_sub(most));
        } else {
            messages.truncate(most);
        }
        let first = self.kept.front().map_or(position.offset + 1, |oldest| oldest.id.offset);
        Page { position, first, messages }
    }

    fn renumber(&mut self, entropy: u64) {
        self.epoch = Some(Epoch::from_entropy(entropy));
        (self.last, self.boundary) = (0, 0);
        self.kept.clear();
        self.keys.clear();
        self.names.clear();
    }
}

impl Model {
    /// With so many links, all of them down.
    #[must_use]
    pub fn new(links: usize) -> Self {
        let links = (0..links).map(|_| Link::default()).collect();
        Self { links, run: 1, ..Self::default() }
    }

    /// Takes a request of a node; without a link it is lost.
    pub fn ask(&mut self, node: usize, request: Request) {
        if self.links[node].is_up {
            self.links[node].asked.push_back(request);
        }
    }

    /// The link of a node is there from now on.
    pub fn connect(&mut self, node: usize) -> Option<Event> {
        let link = &mut self.links[node];
        (!link.is_up).then(|| {
            *link = Link { is_up: true, ..Link::default() };
            Event::Up
        })
    }

    /// The link of a node is lost, with all that was on its way.
    pub fn cut(&mut self, node: usize) -> Option<Event> {
        let link = &mut self.links[node];
        let was_up = link.is_up;
        *link = Link::default();
        was_up.then(|| Event::Down { why: "cut".into() })
    }

    /// The log is stopped and started, and has lost that many messages of each room, or everything. All links must be
    /// cut by the caller.
    pub fn restart(&mut self, lost: Option<u64>) {
        self.run += 1;
        let Some(lost) = lost else {
            self.rooms.clear();
            self.lists.clear();
            return self.leases.clear();
        };
        for room in self.rooms.values_mut() {
            room.last -= lost.min(room.last);
            let last = room.last;
            room.kept.retain(|message| message.id.offset <= last);
            room.keys.retain(|_, (offset, _)| *offset <= last);
            room.names.retain(|_, offset| *offset <= last);
            room.boundary = last;
        }
    }

    /// Whether a node has something that waits: to be done, to be told as a reply, as a push.
    #[must_use]
    pub fn waiting(&self, node: usize) -> (bool, bool, bool) {
        let Link { asked, replies, pushes, .. } = &self.links[node];
        (!asked.is_empty(), !replies.is_empty(), !pushes.is_empty())
    }

    /// The next reply for a node.
    pub fn reply(&mut self, node: usize) -> Option<Event> {
        self.links[node].replies.pop_front()
    }

    /// The next push for a node.
    pub fn push(&mut self, node: usize) -> Option<Event> {
        self.links[node].pushes.pop_front()
    }

    /// The next push for a node is lost, though the link is there, if it is a message.
    pub fn lose_push(&mut self, node: usize) {
        let pushes = &mut self.links[node].pushes;
        if let Some(Event::Push(Push::Message { .. })) = pushes.front() {
            pushes.pop_front();
        }
    }

    /// Does what a node has asked next; `now` is in milliseconds.
    pub fn work(&mut self, node: usize, now: u64) {
        let Some(Request { tag, ask }) = self.links[node].asked.pop_front() else { return };
        let result = self.answer(node, ask, now);
        if tag != 0 {
            self.links[node].replies.push_back(Event::Reply { tag, result });
        }
    }

    fn tell(&mut self, room: Option<&Arc<str>>, push: &Push) {
        for link in self.links.iter_mut().filter(|link| link.is_up) {
            if room.is_none_or(|room| link.subscribed.contains(room)) {
                link.pushes.push_back(Event::Push(push.clone()));
            }
        }
    }

    fn answer(&mut self, node: usize, ask: Ask, now: u64) -> Result<Answer, Failure> {
        match ask {
            Ask::Append(append) => return self.append(append),
            Ask::Attach { room, after, run, most, epoch } => {
                self.links[node].subscribed.insert(Arc::clone(&room));
                let found = self.rooms.entry(room).or_default();
                let position = found.position(epoch);
                let is_lost = after.is_some_and(|after| {
                    after.epoch == position.epoch
                        && ((run != self.run && after.offset > found.boundary)
                            || after.offset > found.last)
                });
                if is_lost {
                    found.renumber(epoch);
                }
                let position = found.position(epoch);
                let after = after.filter(|after| after.epoch == position.epoch);
                let from = after.map_or(1, |after| after.offset + 1);
                let page = found.page(position, from, u64::MAX, most, after.is_none());
                let people = found.people.iter().map(|((node, user), connections)| Entry {
                    node: Arc::clone(node),
                    user: Arc::clone(user),
                    connections: *connections,
                });
                let (people, version, run) = (people.collect(), found.version, self.run);
                return Ok(Answer::Attached(Attached { page, people, version, run }));
            }
            Ask::Listen { room } => _ = self.links[node].subscribed.insert(room),
            Ask::Detach { room } => _ = self.links[node].subscribed.remove(&room),
            Ask::Read { room, from, to, most, newest, epoch } => {
                let found = self.rooms.entry(room).or_default();
                let position = found.position(epoch);
                return Ok(Answer::Page(found.page(position, from, to, most, newest)));
            }
            Ask::Whisper { room, from, payload } => {
                let to = Arc::clone(&room);
                self.tell(Some(&to), &Push::Whisper { room, from, payload });
            }
            Ask::Present { room, node, users } => {
                let noted = self.rooms.entry(Arc::clone(&room)).or_default();
                noted.version += 1;
                let version = noted.version;
                for (user, connections) in users {
                    let people = &mut self.rooms.entry(Arc::clone(&room)).or_default().people;
                    let key = (Arc::clone(&node), Arc::clone(&user));
                    match connections {
                        0 => people.remove(&key),
                        _ => people.insert(key, connections),
                    };
                    let (to, node) = (Arc::clone(&room), Arc::clone(&node));
                    let room = Arc::clone(&to);
                    let push = Push::Present { room, node, user, connections, version };
                    self.tell(Some(&to), &push);
                }
            }
            Ask::People { room } => {
                let people = self.people(&room);
                let people = people.into_iter().map(|((node, user), connections)| Entry {
                    node,
                    user,
                    connections,
                });
                return Ok(Answer::People(people.collect()));
            }
            Ask::Sweep { room, node } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.people.retain(|(known, _), _| *known != node);
                }
            }
            Ask::Renew { node, lease } => {
                let lease = u64::try_from(lease.as_millis()).unwrap();
                self.leases.insert(node, now + lease);
                let left = |until: &u64| Duration::from_millis(until.saturating_sub(now));
                let nodes = self.leases.iter().map(|(node, until)| (Arc::clone(node), left(until)));
                return Ok(Answer::Nodes(nodes.collect()));
            }
            Ask::Resign { node } => _ = self.leases.remove(&node),
            Ask::List { node, lease, rooms } => {
                let is_known = self.lists.get(&node).is_some_and(|(until, _)| *until > now);
                let (until, known) = self.lists.entry(node).or_default();
                *until = now + u64::try_from(lease.as_millis()).unwrap();
                known.extend(rooms);
                known.retain(|_, connections| *connections > 0);
                let silent = self.lists.iter().filter(|(_, (until, _))| *until <= now);
                let silent = silent.map(|(node, _)| Arc::clone(node)).take(8).collect();
                return Ok(Answer::Listed { is_known, silent });
            }
            Ask::Unlist { node, most } => {
                if let Some((until, rooms)) = self.lists.get_mut(&node)
                    && *until <= now
                {
                    let some: Vec<_> = rooms.keys().take(most).map(Arc::clone).collect();
                    some.iter().for_each(|room| _ = rooms.remove(room));
                    if rooms.is_empty() {
                        self.lists.remove(&node);
                    }
                }
            }
            Ask::Rooms { skip, most } => {
                let rooms = self.listed();
                let total = rooms.len();
                let rooms = rooms.into_iter().skip(skip).take(most).collect();
                return Ok(Answer::Rooms(RoomList { total, rooms }));
            }
            Ask::Listed { room } => {
                let rooms = self.listed();
                let rooms: Vec<_> = rooms.into_iter().filter(|(name, _)| *name == room).collect();
                return Ok(Answer::Rooms(RoomList { total: rooms.len(), rooms }));
            }
            Ask::Shout { from, payload } => self.tell(None, &Push::Shout { from, payload }),
        }
        Ok(Answer::Done)
    }

    fn append(&mut self, append: Append) -> Result<Answer, Failure> {
        let Append { room: name, user, key, name: once, content, at, keep, epoch } = append;
        let room = self.rooms.entry(Arc::clone(&name)).or_default();
        let Id { epoch, offset } = room.position(epoch);
        if let Some(key) = &key
            && let Some((offset, known)) = room.keys.get(&(Arc::clone(&user), Arc::clone(key)))
        {
            return match *known == content {
                true => Ok(Answer::Appended { id: Id { epoch, offset: *offset } }),
                false => Err(Failure::KeyReused),
            };
        }
        if let Some(offset) = once.as_ref().and_then(|once| room.names.get(once)) {
            return Ok(Answer::Appended { id: Id { epoch, offset: *offset } });
        }
        let id = Id { epoch, offset: offset + 1 };
        room.last = id.offset;
        if let Some(key) = &key {
            let known = (id.offset, Arc::clone(&content));
            room.keys.insert((Arc::clone(&user), Arc::clone(key)), known);
        }
        if let Some(once) = once {
            room.names.insert(once, id.offset);
        }
        let message = Message { id, at, user, key, content };
        room.kept.push_back(message.clone());
        while room.kept.len() > keep.count {
            room.kept.pop_front();
        }
        self.tell(Some(&name), &Push::Message { room: Arc::clone(&name), message });
        Ok(Answer::Appended { id })
    }

    /// All rooms that somebody is in, as nodes have told, and their connections, those with the most first.
    #[must_use]
    pub fn listed(&self) -> Vec<(Arc<str>, u64)> {
        let mut rooms = BTreeMap::<Arc<str>, u64>::new();
        for (room, connections) in self.lists.values().flat_map(|(_, rooms)| rooms) {
            *rooms.entry(Arc::clone(room)).or_default() += u64::from(*connections);
        }
        let mut rooms: Vec<_> = rooms.into_iter().collect();
        rooms.sort_by_key(|(_, connections)| u64::MAX - connections);
        rooms
    }

    /// The last message of a room, if it has an epoch.
    #[must_use]
    pub fn position(&self, room: &str) -> Option<Id> {
        let room = self.rooms.get(room)?;
        Some(Id { epoch: room.epoch?, offset: room.last })
    }

    /// The messages that a room keeps.
    #[must_use]
    pub fn kept(&self, room: &str) -> Vec<Message> {
        self.rooms.get(room).map_or_else(Vec::new, |room| room.kept.iter().cloned().collect())
    }

    /// Who is noted in a room, by node and user.
    #[must_use]
    pub fn people(&self, room: &str) -> BTreeMap<(Arc<str>, Arc<str>), u32> {
        self.rooms.get(room).map_or_else(BTreeMap::new, |room| room.people.clone())
    }
}
