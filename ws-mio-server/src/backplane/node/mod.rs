//! The rooms of a node, or a part of them: what is asked of the log, and what comes of what it says.
//!
//! A room is attached while somebody is interested in it here, and a little longer. Members join when it is
//! attached: they are told where it is, what they missed, and who is there. From then on they get its messages as
//! the log numbers them, without gaps; where one can't be filled, all members are told how much is missing, as
//! those are who come back too late.
//!
//! While the log is away, rooms stay as they are, and whoever has joined goes on; [`Policy`] says what becomes of what
//! is published. When it is back, every room is attached anew, and catches up.

mod arrive;
mod attach;
mod order;
mod presence;
mod publish;
mod query;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::wire::{Answer, Append, Ask, Entry, Event, Failure, Push, Request};
use crate::hub::{self, Effect, Hub, Id, Message, Recovery, Refused, Since};
use order::Ahead;
use presence::View;
pub use query::{History, Seen};

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970-01-01 UTC, which may be set back: what messages are marked with.
    pub unix: u64,
    /// Milliseconds since any moment, which never go back: what is waited by.
    pub steady: u64,
}

/// What becomes of what is published while the log is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is refused, and nobody gets it.
    #[default]
    Refuse,
    /// Members of this node get it, without an id; it is kept nowhere.
    Degrade,
}

/// What a node is set to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name: no other that lives, or has lived a moment ago, has the same.
    pub name: Arc<str>,
    /// What becomes of what is published while the log is away.
    pub policy: Policy,
    /// How long somebody may wait to join, or to know what became of a publication, in milliseconds. Default: 10 s
    /// and 30 s.
    pub join_wait: u64,
    /// See there.
    pub publish_wait: u64,
    /// How long a room stays attached that nobody needs any more, in milliseconds. Default: 15 s.
    pub linger: u64,
    /// For how long nodes have their leases, in milliseconds. Default: 7 s.
    pub lease: u64,
    /// How many publications may wait for the log, of all rooms, and how many may wait to join. Default: 10,000.
    pub most_waiting: usize,
    /// How many rooms are attached anew at once, as the log is back, so that the log also has time for what is
    /// published; those that somebody waits for come first, and are not counted. So many rooms are also told of again in
    /// a tick at most. Default: 32.
    pub at_once: usize,
}

impl Settings {
    /// The default of a node with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: Arc::from(name),
            policy: Policy::default(),
            join_wait: 10_000,
            publish_wait: 30_000,
            linger: 15_000,
            lease: 7_000,
            most_waiting: 10_000,
            at_once: 32,
        }
    }
}

/// What is to be done, in this order.
#[derive(Debug)]
pub enum Act<M, A> {
    /// What the channel engine wants done.
    Hub(Effect<M, A>),
    /// A member that waited to join can't.
    NotJoined {
        /// The room.
        room: Arc<str>,
        /// Who.
        member: M,
        /// Why.
        why: Refused,
    },
    /// Give a message to the members here; it has no id, and is kept nowhere.
    Transient {
        /// The room.
        room: Arc<str>,
        /// The message; its id means nothing.
        message: Message,
    },
    /// A publication was given to the members here, and nobody else.
    AcceptedHere {
        /// What the caller gave to answer with.
        answer: A,
    },
    /// Another node has whispered.
    Whispered {
        /// The room, or the name that is listened to.
        room: Arc<str>,
        /// What it says.
        payload: Arc<[u8]>,
    },
    /// The answer to [`Node::read`].
    Read {
        /// What the caller gave to answer with.
        answer: A,
        /// The room's last message.
        position: Id,
        /// How the reader comes back.
        recovery: Option<Recovery>,
        /// What it missed, or the newest messages.
        messages: Vec<Arc<Message>>,
    },
    /// The answer to [`Node::history`].
    History {
        /// What the caller gave to answer with.
        answer: A,
        /// What was found.
        history: History,
    },
    /// The answer to [`Node::people`].
    People {
        /// What the caller gave to answer with.
        answer: A,
        /// Who is there.
        people: hub::People,
    },
}

/// What comes of a call: acts, and what is to be asked of the log, each in order.
#[derive(Debug)]
pub struct Out<M, A> {
    /// What is to be done here.
    pub acts: Vec<Act<M, A>>,
    /// What is to be asked of the log.
    pub requests: Vec<Request>,
}

impl<M, A> Default for Out<M, A> {
    fn default() -> Self {
        Self { acts: Vec::new(), requests: Vec::new() }
    }
}

/// What a node has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that the log has numbered for this node.
    pub appended: u64,
    /// Publications that were sent to the log again.
    pub again: u64,
    /// Messages that were delivered here.
    pub delivered: u64,
    /// Messages that were read, for they did not come by themselves.
    pub filled: u64,
    /// Messages that were lost to members here.
    pub lost: u64,
    /// Times that a room had another epoch than before.
    pub resets: u64,
    /// Rooms that are attached, or about to be.
    pub rooms: usize,
    /// Publications that wait.
    pub waiting: usize,
}

impl Stats {
    /// The sum of what two parts of a node have done.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            appended: self.appended.saturating_add(other.appended),
            again: self.again.saturating_add(other.again),
            delivered: self.delivered.saturating_add(other.delivered),
            filled: self.filled.saturating_add(other.filled),
            lost: self.lost.saturating_add(other.lost),
            resets: self.resets.saturating_add(other.resets),
            rooms: self.rooms.saturating_add(other.rooms),
            waiting: self.waiting.saturating_add(other.waiting),
        }
    }
}

/// The rooms of a node, or a part of them. `M` names a member, `A` is what the caller needs to answer.
#[derive(Debug)]
pub struct Node<M, A> {
    settings: Settings,
    is_up: bool,
    rooms: HashMap<Arc<str>, Room<M, A>>,
    /// How many listen to what is no room.
    listened: HashMap<Arc<str>, usize>,
    /// What could not be listened to yet.
    unheard: BTreeSet<Arc<str>>,
    asked: HashMap<u64, Asked<A>>,
    /// How many of those are to attach a room, or to listen.
    attaching: usize,
    /// Rooms that are to be attached anew when others are.
    put_off: BTreeSet<Arc<str>>,
    /// Publications that are not answered, in the order they came.
    appends: BTreeMap<u64, Pending<A>>,
    /// Who waits to join or read.
    arriving: usize,
    tags: (u64, u64),
    seed: u64,
    /// Nodes that live, as far as is known; empty before that is known.
    alive: HashSet<Arc<str>>,
    /// Nodes that are somewhere but not known to live, and until when that is let pass.
    suspects: HashMap<Arc<str>, u64>,
    stats: Stats,
}

/// A room that somebody here is interested in.
#[derive(Debug)]
struct Room<M, A> {
    state: State,
    run: u64,
    ahead: Ahead,
    /// What is being read to go on.
    reading: Option<u64>,
    /// The log keeps nothing before this offset, as far as is known.
    first: u64,
    view: View,
    /// How new what it was attached with is.
    version: u64,
    /// Who has come or gone elsewhere since the room is being attached, and how new that is: what it is attached
    /// with may be older.
    heard: Vec<(u64, Entry)>,
    arriving: Vec<Arriving<M, A>>,
    /// Who is interested without being a member.
    holds: usize,
    /// Since when nobody is.
    vacant: Option<u64>,
    /// When the log is told again who is here.
    tell_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not before this moment, and not without a link.
    Due(u64),
    /// It is asked for.
    Attaching(u64),
    Attached,
    /// Nobody needs it any more.
    Detaching(u64),
}

/// Somebody who waits until a room can tell what it has.
#[derive(Debug)]
struct Arriving<M, A> {
    who: Who<M, A>,
    since: Since,
    at: u64,
    /// What it named is looked for, or was.
    is_tried: bool,
}

#[derive(Debug)]
enum Who<M, A> {
    Member(M, Arc<str>),
    Reader(A),
}

/// What a tag was asked for.
#[derive(Debug)]
enum Asked<A> {
    Attach(Arc<str>),
    /// To go on behind the last message.
    Next(Arc<str>),
    /// For those who come back to what is not kept here.
    Older(Arc<str>),
    History(A, hub::Page, usize),
    People(A, Arc<str>),
    Present(Arc<str>),
    Listen(Arc<str>),
    Detach(Arc<str>),
}

#[derive(Debug)]
struct Pending<A> {
    append: Append,
    answer: A,
    at: u64,
    /// Whether it is to be sent, and when.
    due: Option<u64>,
    /// Whether it was sent before: it may be done.
    is_again: bool,
}

impl<M: Copy + Eq + Hash, A> Node<M, A> {
    /// Without rooms and without a link. `seed` is drawn at random. The tags of its requests are `first`, which is
    /// not 0, and every further `step`.
    #[must_use]
    pub fn new(settings: Settings, seed: u64, (first, step): (u64, u64)) -> Self {
        Self {
            settings,
            is_up: false,
            rooms: HashMap::new(),
            listened: HashMap::new(),
            unheard: BTreeSet::new(),
            asked: HashMap::new(),
            attaching: 0,
            put_off: BTreeSet::new(),
            appends: BTreeMap::new(),
            arriving: 0,
            tags: (first.max(1), step.max(1)),
            seed,
            alive: HashSet::new(),
            suspects: HashMap::new(),
            stats: Stats::default(),
        }
    }

    /// Whether the log can be reached.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.is_up
    }

    /// What it has done, and what waits.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { rooms: self.rooms.len(), waiting: self.appends.len(), ..self.stats }
    }

    /// Takes what the engine tells.
    pub fn handle(&mut self, hub: &mut Hub<M, A>, event: Event, now: Now, out: &mut Out<M, A>) {
        match event {
            Event::Up => self.up(hub, now, out),
            Event::Down { .. } => self.down(now, out),
            Event::Reply { tag, result } => self.reply(hub, tag, result, now, out),
            Event::Push(push) => self.push(hub, push, now, out),
        }
    }

    fn push(&mut self, hub: &mut Hub<M, A>, push: Push, now: Now, out: &mut Out<M, A>) {
        match push {
            Push::Message { room, message } => self.arrived(hub, &room, message, now, out),
            Push::Present { room, node, user, connections, version } => {
                let entry = Entry { node, user, connections };
                self.present(hub, &room, entry, version, now, out);
            }
            Push::Whisper { room, from, payload } => {
                if from != self.settings.name {
                    out.acts.push(Act::Whispered { room, payload });
                }
            }
            Push::Lost { room } => {
                if self.listened.contains_key(&room) {
                    self.ask_to_listen(&room, out);
                } else {
                    self.reattach(hub, &room, now, out);
                }
            }
            Push::Shout { .. } => {}
        }
    }

    fn reply(
        &mut self,
        hub: &mut Hub<M, A>,
        tag: u64,
        result: Result<Answer, Failure>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        if self.appends.contains_key(&tag) {
            return self.appended(tag, result, now, out);
        }
        let Some(asked) = self.asked.remove(&tag) else { return };
        if matches!(asked, Asked::Attach(_) | Asked::Listen(_)) {
            self.attaching = self.attaching.saturating_sub(1);
            // What is refused is so for there is too much: that waits for the next tick.
            if result.is_ok() {
                self.attach_next(hub, now, out);
            }
        }
        match (asked, result) {
            (Asked::Attach(room), Ok(Answer::Attached(attached))) => {
                self.attached(hub, &room, tag, attached, now, out);
            }
            (Asked::Attach(room), _) => self.not_attached(&room, tag, now),
            (Asked::Next(room), Ok(Answer::Page(page))) => {
                self.read_next(hub, &room, tag, page, now, out);
            }
            (Asked::Older(room), Ok(Answer::Page(page))) => {
                self.read_older(hub, &room, tag, page, now, out);
            }
            (Asked::Next(room) | Asked::Older(room), _) => {
                // It is asked for again when somebody needs it.
                self.not_read(&room, tag);
            }
            (Asked::Present(_) | Asked::Listen(_), Ok(_)) => {}
            (Asked::Present(room), Err(_)) => self.not_noted(&room, now),
            (Asked::Listen(name), Err(_)) => _ = self.unheard.insert(name),
            (Asked::Detach(room), Ok(_)) => self.detached(hub, &room, tag),
            // As if it had not been asked for.
            (Asked::Detach(room), Err(_)) => self.reattach(hub, &room, now, out),
            (Asked::History(answer, page, most), result) => {
                Self::told_history(answer, (page, most), result, out);
            }
            (Asked::People(answer, room), result) => {
                self.told_people(hub, answer, &room, result, out);
            }
        }
    }

    /// To be called a few times a second.
    pub fn tick(&mut self, hub: &mut Hub<M, A>, now: Now, out: &mut Out<M, A>) {
        self.expire_appends(now, out);
        self.keep_suspects(now);
        self.attach_next(hub, now, out);
        let due: Vec<_> = self.rooms.keys().map(Arc::clone).collect();
        let mut to_tell = self.settings.at_once;
        for name in due {
            self.expire_arriving(&name, now, out);
            self.go_on(hub, &name, now, out);
            self.detach_if_vacant(hub, &name, now, out);
            if to_tell > 0 && self.tell_again(&name, now, out) {
                to_tell = to_tell.saturating_sub(1);
            }
        }
    }

    fn up(&mut self, hub: &mut Hub<M, A>, now: Now, out: &mut Out<M, A>) {
        self.is_up = true;
        self.unheard = self.listened.keys().map(Arc::clone).collect();
        let mut rooms: Vec<_> = self.rooms.keys().map(Arc::clone).collect();
        rooms.sort_unstable();
        for room in rooms {
            self.reattach(hub, &room, now, out);
        }
        self.attach_next(hub, now, out);
        self.send_appends(out);
    }

    fn down(&mut self, now: Now, out: &mut Out<M, A>) {
        self.is_up = false;
        self.attaching = 0;
        self.put_off.clear();
        for pending in self.appends.values_mut() {
            pending.due = Some(now.steady);
        }
        for room in self.rooms.values_mut() {
            (room.state, room.reading) = (State::Due(now.steady), None);
            room.ahead.clear();
            room.heard.clear();
        }
        for (_, asked) in std::mem::take(&mut self.asked) {
            if let Asked::History(answer, ..) | Asked::People(answer, _) = asked {
                let why = Refused::LogAway;
                out.acts.push(Act::Hub(Effect::Refused { answer, why }));
            }
        }
    }

    fn tag(&mut self) -> u64 {
        let (next, step) = self.tags;
        self.tags.0 = next.wrapping_add(step).max(1);
        next
    }

    fn ask(&mut self, asked: Asked<A>, ask: Ask, out: &mut Out<M, A>) -> u64 {
        let tag = self.tag();
        self.asked.insert(tag, asked);
        out.requests.push(Request { tag, ask });
        tag
    }

    /// Entropy that was not given before (splitmix64).
    const fn entropy(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// An engine had no room for a request: it is as if it had failed.
    pub fn not_taken(
        &mut self,
        hub: &mut Hub<M, A>,
        request: Request,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        if request.tag == 0 {
            return;
        }
        let is_again = self.appends.get(&request.tag).is_some_and(|pending| pending.is_again);
        let why = "too many requests wait".into();
        let failure = if is_again { Failure::Unknown(why) } else { Failure::Refused(why) };
        self.reply(hub, request.tag, Err(failure), now, out);
    }
}
