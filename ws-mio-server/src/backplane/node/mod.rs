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
mod out;
mod presence;
mod publish;
mod query;
mod settings;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::wire::{Answer, Append, Ask, Entry, Event, Failure, Push, Request};
use crate::hub::{self, Effect, Hub, Refused, Since};
use order::Ahead;
pub use out::{Act, Out, Stats};
pub use query::{History, Seen};
pub use settings::{Now, Policy, Settings};
use view::View;

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
