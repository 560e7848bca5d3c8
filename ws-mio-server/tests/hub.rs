//! The channel engine on a virtual clock, driven from a seed: members come, go and are cut off, messages are
//! published, stored late or not at all, and every member's stream is checked.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may panic"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ws_mio_server::hub::{
    Budget, Effect, Epoch, Hub, Id, Join, Limits, Message, Namespace, Namespaces, Page, Publish,
    Refused, Since,
};

const START: u64 = 1_767_225_600_000;
const MEMORY: u64 = 1;
const STORED: u64 = 2;

/// Numbers that one seed determines (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// What a client has seen of its room, across its connections.
struct Client {
    room: &'static str,
    user: String,
    /// Its connection, if it has one: a number that is used once.
    member: Option<u32>,
    subscribed: bool,
    /// The last id that it knows.
    last: Option<Id>,
    /// How many persons it was told of last.
    people: usize,
}

struct World {
    hub: Hub<u32, u64>,
    memory: Arc<Budget>,
    namespaces: Arc<Namespaces>,
    now: u64,
    dice: Dice,
    clients: Vec<Client>,
    connections: u32,
    /// Every message of a room that was delivered to anybody, by its id: what it said.
    delivered: HashMap<(&'static str, String), Arc<[u8]>>,
    /// What the store has been given, and what it has.
    queue: VecDeque<(&'static str, Arc<Message>)>,
    disk: BTreeMap<&'static str, Vec<Arc<Message>>>,
    /// Rooms of which nothing is stored until nothing waits any more.
    failing: BTreeSet<&'static str>,
    /// The highest offset of the rooms that the store has forgotten.
    floor: u64,
    /// The first offset that is kept on the disk.
    kept: BTreeMap<&'static str, u64>,
    /// Publications that are not answered: what they said, and where.
    asked: HashMap<u64, (&'static str, Arc<[u8]>)>,
    publications: u64,
    accepted: Vec<(&'static str, Arc<[u8]>, Id)>,
    recovered: usize,
    lost: usize,
    failed: usize,
}

const ROOMS: [&str; 5] = ["a", "b", "keep:a", "keep:b", "brief:a"];

fn name(room: &str) -> &'static str {
    ROOMS.iter().find(|known| **known == room).unwrap()
}

fn namespaces() -> Namespaces {
    let small = Namespace {
        history: 12,
        history_age: Duration::from_secs(60),
        join_history: 5,
        ..Namespace::default()
    };
    let mut namespaces = Namespaces::new(small.clone());
    let keep = Namespace { persist: true, max_unstored: 8, ..small.clone() };
    namespaces.add("keep:*".parse().unwrap(), keep);
    namespaces.add("brief:*".parse().unwrap(), Namespace { history: 0, ..small });
    namespaces
}

fn hub(namespaces: &Arc<Namespaces>, process: u64, memory: &Arc<Budget>) -> Hub<u32, u64> {
    let stored = Some(Epoch::from_entropy(STORED));
    Hub::new(
        Arc::clone(namespaces),
        Limits { unstored: 12, memory: Arc::clone(memory), ..Limits::default() },
        Epoch::from_entropy(MEMORY + 1000 * process),
        stored,
    )
}

impl World {
    fn new(seed: u64) -> Self {
        let namespaces = Arc::new(namespaces());
        let clients = (0..12).map(|n: usize| Client {
            room: ROOMS[n % ROOMS.len()],
            user: format!("user {}", n / 7),
            member: None,
            subscribed: false,
            last: None,
            people: 0,
        });
        // Not enough for all.
        let memory = Arc::new(Budget::new(5000));
        Self {
            hub: hub(&namespaces, 0, &memory),
            memory,
            namespaces,
            now: START,
            dice: Dice(seed | 1),
            clients: clients.collect(),
            connections: 0,
            delivered: HashMap::new(),
            queue: VecDeque::new(),
            disk: BTreeMap::new(),
            failing: BTreeSet::new(),
            floor: 0,
            kept: BTreeMap::new(),
            asked: HashMap::new(),
            publications: 0,
            accepted: Vec::new(),
            recovered: 0,
            lost: 0,
            failed: 0,
        }
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let who = self.dice.roll(self.clients.len() as u64) as usize;
            match self.dice.roll(100) {
                0..30 => match self.clients[who].member {
                    None => self.join(who),
                    Some(_) => self.publish(who),
                },
                30..70 => self.publish(who),
                70..80 => self.leave(who),
                80..92 => self.store(),
                92..95 => self.now += self.dice.roll(30_000),
                95..97 => {
                    let mut effects = Vec::new();
                    self.hub.expire(self.now, &mut effects);
                    self.obey(effects);
                }
                97..99 => self.clock_back(),
                _ => self.crash(),
            }
            self.check_counts();
            self.check_memory();
        }
        while !self.queue.is_empty() {
            self.store();
        }
        assert!(self.asked.is_empty(), "everyone is answered");
        assert_eq!(self.hub.unstored(), 0);
        self.check_acknowledged();
        for who in 0..self.clients.len() {
            self.leave(who);
        }
        // A year later nothing is left.
        self.now += 365 * 24 * 60 * 60 * 1000;
        let mut effects = Vec::new();
        self.hub.expire(self.now, &mut effects);
        self.obey(effects);
        assert!(self.hub.is_empty(), "{:?}", self.hub.rooms().collect::<Vec<_>>());
        assert_eq!((self.memory.used(), self.hub.connections("user 0").len()), (0, 0));
    }

    /// Clocks are set back a little now and then.
    fn clock_back(&mut self) {
        self.now -= self.dice.roll(1000);
    }

    fn join(&mut self, who: usize) {
        self.connections += 1;
        let member = self.connections;
        let client = &mut self.clients[who];
        (client.member, client.subscribed) = (Some(member), false);
        let since = client.last.map_or(Since::Nothing, Since::After);
        let (room, user) = (client.room, client.user.clone());
        let mut effects = Vec::new();
        let join = Join { room, member, user: &user, since };
        self.hub.join(join, self.now, &mut effects).unwrap();
        assert!(self.hub.is_in(room, member));
        let again = self.hub.join(join, self.now, &mut Vec::new());
        assert_eq!(again, Err(Refused::AlreadyIn));
        assert!(matches!(effects.last(), Some(Effect::Subscribe { .. } | Effect::Entered { .. })));
        self.obey(effects);
        assert!(self.clients[who].subscribed);
    }

    fn leave(&mut self, who: usize) {
        let client = &mut self.clients[who];
        let Some(member) = client.member.take() else { return };
        client.subscribed = false;
        let (room, mut effects) = (client.room, Vec::new());
        self.hub.leave(room, member, &mut effects);
        assert!(!self.hub.is_in(room, member));
        self.obey(effects);
    }

    fn publish(&mut self, who: usize) {
        let (room, user) = (self.clients[who].room, self.clients[who].user.clone());
        // What was asked before is sent again now and then.
        let number = match self.dice.roll(5) {
            0 => self.dice.roll(self.publications + 1).max(self.publications.saturating_sub(9)),
            _ => self.publications,
        };
        self.publications += 1;
        let answer = self.publications;
        let key = format!("{who}/{number}");
        let content: Arc<[u8]> = key.as_bytes().into();
        self.asked.insert(answer, (room, Arc::clone(&content)));
        let publish = Publish { room, user: &user, content, key: Some(&key), except: None, answer };
        let mut effects = Vec::new();
        self.hub.publish(publish, self.now, &mut effects);
        self.obey(effects);
    }

    /// The store comes to the next message, or finds its disk full.
    fn store(&mut self) {
        let Some((room, message)) = self.queue.pop_front() else { return };
        let offset = message.id.offset;
        // With one that fails, all fail that wait behind it.
        let is_stored = !self.failing.contains(room) && self.dice.roll(8) > 0;
        if is_stored {
            let stored = self.disk.entry(room).or_default();
            // The store takes no hole.
            assert!(stored.last().is_none_or(|last| last.id.offset + 1 == offset));
            stored.push(message);
        } else {
            self.failed += 1;
            self.failing.insert(room);
        }
        if !self.queue.iter().any(|(waiting, _)| *waiting == room) {
            self.failing.remove(room);
        }
        self.tell_stored(room, offset, is_stored);
    }

    fn tell_stored(&mut self, room: &'static str, offset: u64, is_stored: bool) {
        let mut effects = Vec::new();
        self.hub.stored(room, offset, is_stored, self.now, &mut effects);
        self.obey(effects);
    }

    fn obey(&mut self, effects: Vec<Effect<u32, u64>>) {
        for effect in effects {
            match effect {
                Effect::Welcome(welcome) => {
                    let room = name(&welcome.room);
                    let client = self.client(welcome.member);
                    assert!(!client.subscribed);
                    client.people = welcome.people;
                    let (before, epoch) = (client.last, welcome.position.epoch);
                    let offsets: Vec<_> = welcome.messages.iter().map(|m| m.id.offset).collect();
                    assert!(offsets.is_sorted_by(|a, b| a + 1 == *b), "{offsets:?}");
                    assert!(welcome.messages.iter().all(|m| m.id.epoch == epoch));
                    assert!(offsets.last().is_none_or(|last| *last == welcome.position.offset));
                    match (before, welcome.recovery) {
                        (None, None) => assert!(offsets.len() <= 5),
                        (Some(before), Some(recovery)) => {
                            let due = welcome.position.offset.wrapping_sub(before.offset);
                            match recovery.gap {
                                Some(gap) => {
                                    assert_eq!(before.epoch, epoch);
                                    assert_eq!(recovery.missed, offsets.len());
                                    assert_eq!(due, gap + offsets.len() as u64);
                                }
                                None => assert_eq!(recovery.missed, 0),
                            }
                            if recovery.is_complete() {
                                self.recovered += 1;
                            } else {
                                self.lost += 1;
                            }
                        }
                        pair => panic!("{pair:?}"),
                    }
                    self.client(welcome.member).last = Some(welcome.position);
                    for message in &welcome.messages {
                        self.saw(room, message);
                    }
                }
                Effect::Subscribe { member, .. } => self.client(member).subscribed = true,
                Effect::Entered { room, people, except, .. } => {
                    self.told(&room, people, except);
                }
                Effect::Left { room, people, .. } => self.told(&room, people, None),
                Effect::Deliver { room, message, except } => {
                    let room = name(&room);
                    assert_eq!(except, None);
                    self.saw(room, &message);
                    for client in &mut self.clients {
                        if client.room == room && client.subscribed {
                            let last = client.last.unwrap();
                            assert_eq!(message.id.epoch, last.epoch);
                            assert_eq!(message.id.offset, last.offset + 1, "no gap, no double");
                            client.last = Some(message.id);
                        }
                    }
                }
                Effect::Store { room, message } => {
                    let room = name(&room);
                    if self.dice.roll(20) == 0 {
                        let mut effects = Vec::new();
                        self.hub.not_taken(room, message.id.offset, &mut effects);
                        self.failed += 1;
                        self.obey(effects);
                    } else {
                        self.queue.push_back((room, message));
                    }
                }
                Effect::Trim { room, from } => {
                    let room = name(&room);
                    let kept = self.kept.entry(room).or_default();
                    assert!(from >= *kept, "what is gone does not come back");
                    *kept = from;
                    // Where nothing is left, the store forgets the room.
                    let last = self.disk.get(room).unwrap().last().unwrap().id.offset;
                    if last < from {
                        self.disk.remove(room);
                        self.kept.remove(room);
                        self.floor = self.floor.max(last);
                    }
                }
                Effect::Accepted { answer, id } => {
                    let (room, content) = self.asked.remove(&answer).unwrap();
                    let said = self.delivered.entry((room, id.to_string()));
                    let said = said.or_insert_with(|| Arc::clone(&content));
                    assert_eq!(*said, content, "the id is that of this message");
                    self.accepted.push((room, content, id));
                }
                Effect::Refused { answer, why } => {
                    self.asked.remove(&answer).unwrap();
                    assert!(matches!(why, Refused::StoreBusy | Refused::StoreFailed), "{why}");
                }
            }
        }
    }

    fn client(&mut self, member: u32) -> &mut Client {
        self.clients.iter_mut().find(|client| client.member == Some(member)).unwrap()
    }

    fn told(&mut self, room: &str, people: usize, except: Option<u32>) {
        for client in &mut self.clients {
            if client.room == room && client.subscribed && client.member != except {
                client.people = people;
            }
        }
    }

    /// An id stands for one message, for ever.
    fn saw(&mut self, room: &'static str, message: &Message) {
        let id = message.id.to_string();
        let known = self.delivered.entry((room, id)).or_insert_with(|| message.content.clone());
        assert_eq!(*known, message.content);
        if room.starts_with("keep") {
            let stored = self.disk.get(room).into_iter().flatten();
            assert!(stored.rev().any(|m| m.id == message.id), "stored before it is seen");
        }
    }

    /// Everyone knows how many persons are there.
    fn check_counts(&self) {
        for room in ROOMS {
            let mut users: Vec<_> = self.clients.iter().filter(|c| c.room == room).collect();
            users.retain(|client| client.member.is_some());
            let members = users.len();
            for client in &users {
                assert_eq!(client.people, self.hub.people(room).people);
            }
            users.sort_by(|a, b| a.user.cmp(&b.user));
            users.dedup_by(|a, b| a.user == b.user);
            let people = self.hub.people(room);
            assert_eq!((people.people, people.connections), (users.len(), members));
            assert_eq!(people.users.unwrap().len(), users.len());
        }
    }

    /// What is kept does not take more than it may, but for one message a room.
    fn check_memory(&self) {
        let kept: usize = self.hub.rooms().map(|room| room.bytes).sum();
        assert_eq!(kept, self.memory.used());
        assert!(kept <= 5000 + ROOMS.len() * 200, "{kept}");
    }

    /// What was acknowledged can still be had, as far as a room keeps it.
    fn check_acknowledged(&self) {
        for room in ROOMS {
            let (kept, more) = self.hub.history(room, Page::Newest, 1000, self.now);
            assert!(!more);
            let Some(first) = kept.first() else { continue };
            let position = self.hub.position(room);
            for (_, content, id) in self.accepted.iter().filter(|(r, ..)| *r == room) {
                if id.epoch == position.epoch && id.offset >= first.id.offset {
                    let found = kept.iter().filter(|m| m.content == *content).count();
                    assert!(found >= 1 && kept.iter().any(|m| m.id == *id), "{id}");
                }
            }
        }
    }

    /// The process is killed and starts again: what was not stored is gone, and nobody saw it.
    fn crash(&mut self) {
        for client in &mut self.clients {
            (client.member, client.subscribed) = (None, false);
        }
        self.asked.clear();
        // The store may have come to some of what it was given.
        for _ in 0..self.dice.roll(4) {
            let Some((room, message)) = self.queue.pop_front() else { break };
            if !self.failing.contains(room) {
                self.disk.entry(room).or_default().push(message);
            }
        }
        self.queue.clear();
        self.failing.clear();
        self.connections += 1;
        self.memory = Arc::new(Budget::new(5000));
        self.hub = hub(&self.namespaces, self.connections.into(), &self.memory);
        self.hub.restore_floor(self.floor);
        let mut effects = Vec::new();
        for (room, messages) in &self.disk {
            let Some(last) = messages.last() else { continue };
            let kept = self.kept.get(room).copied().unwrap_or_default();
            let messages = messages.iter().filter(|m| m.id.offset >= kept);
            let messages = messages.map(|m| Message::clone(m));
            self.hub.restore(room, last.id.offset, messages, self.now, &mut effects);
        }
        self.obey(effects);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn nobody_misses_a_message_or_gets_one_twice_unless_told(seed: u64) {
        World::new(seed).run(1000);
    }
}

#[test]
fn the_worlds_of_the_property_are_worth_it() {
    let mut world = World::new(7);
    world.run(20_000);
    let figures = (world.recovered, world.lost, world.failed, world.accepted.len());
    assert!(world.recovered > 300 && world.lost > 100 && world.failed > 300, "{figures:?}");
    assert!(world.accepted.len() > 3000, "{figures:?}");
}
