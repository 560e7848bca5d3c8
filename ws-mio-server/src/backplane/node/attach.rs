//! Rooms come and go, with who needs them here.

use std::hash::Hash;
use std::sync::Arc;

use super::order::Ahead;
use super::view::View;
use super::{Act, Asked, Node, Now, Out, Room, State};
use crate::backplane::wire::{Ask, Attached, Request};
use crate::hub::{Effect, Hub, Id, Message, Recovery, Refused, Since, Welcome};

/// After how long something is tried again that the log has refused, in milliseconds.
pub(super) const AGAIN: u64 = 1_000;
/// How many messages a room begins with here, or gets at once as it catches up.
pub(super) const MOST: usize = 200;

impl<M: Copy + Eq + Hash, A> Node<M, A> {
    /// Somebody is interested in a room without being a member, and wants it to be attached.
    pub fn hold(&mut self, hub: &mut Hub<M, A>, room: &str, now: Now, out: &mut Out<M, A>) {
        let name = self.open(room, now, out);
        if let Some(room) = self.rooms.get_mut(&name) {
            room.holds = room.holds.saturating_add(1);
            room.vacant = None;
        }
        self.go_on(hub, &name, now, out);
    }

    /// Ends what [`Node::hold`] began.
    pub fn release(&mut self, room: &str) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.holds = room.holds.saturating_sub(1);
        }
    }

    /// Somebody listens to what is whispered under a name that is no room's.
    pub fn listen(&mut self, name: &Arc<str>, out: &mut Out<M, A>) {
        let count = self.listened.entry(Arc::clone(name)).or_default();
        *count = count.saturating_add(1);
        if *count == 1 && self.is_up {
            self.ask_to_listen(name, out);
        }
    }

    pub(super) fn ask_to_listen(&mut self, name: &Arc<str>, out: &mut Out<M, A>) {
        let ask = Ask::Listen { room: Arc::clone(name) };
        self.ask(Asked::Listen(Arc::clone(name)), ask, out);
        self.attaching = self.attaching.saturating_add(1);
    }

    /// Ends what [`Node::listen`] began.
    pub fn unlisten(&mut self, name: &Arc<str>, out: &mut Out<M, A>) {
        let Some(count) = self.listened.get_mut(name) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.listened.remove(name);
            if self.is_up {
                out.requests.push(Request { tag: 0, ask: Ask::Detach { room: Arc::clone(name) } });
            }
        }
    }

    /// Tells the other nodes something that is not kept; nothing happens while the log is away.
    pub fn whisper(&self, room: &Arc<str>, payload: Arc<[u8]>, out: &mut Out<M, A>) {
        if self.is_up {
            let (room, from) = (Arc::clone(room), Arc::clone(&self.settings.name));
            out.requests.push(Request { tag: 0, ask: Ask::Whisper { room, from, payload } });
        }
    }

    /// The name of a room that is there, or is now.
    pub(super) fn open(&mut self, room: &str, now: Now, out: &mut Out<M, A>) -> Arc<str> {
        if let Some((name, _)) = self.rooms.get_key_value(room) {
            return Arc::clone(name);
        }
        let name: Arc<str> = Arc::from(room);
        let state = Room {
            state: State::Due(now.steady),
            run: 0,
            ahead: Ahead::default(),
            reading: None,
            first: 0,
            view: View::default(),
            version: 0,
            heard: Vec::new(),
            arriving: Vec::new(),
            holds: 0,
            vacant: None,
            tell_at: 0,
        };
        self.rooms.insert(Arc::clone(&name), state);
        self.attach(&name, None, out);
        name
    }

    /// What is known of a room may not be true any more: it is attached again.
    pub(super) fn reattach(&mut self, hub: &Hub<M, A>, room: &str, now: Now, out: &mut Out<M, A>) {
        if let Some((name, _)) = self.rooms.get_key_value(room) {
            let name = Arc::clone(name);
            if let Some(room) = self.rooms.get_mut(&name) {
                (room.state, room.reading) = (State::Due(now.steady), None);
            }
            self.attach_in_turn(hub, &name, out);
        }
    }

    /// Attaches a room that is due, now if somebody waits for it or few others are being attached.
    fn attach_in_turn(&mut self, hub: &Hub<M, A>, name: &Arc<str>, out: &mut Out<M, A>) {
        let is_awaited = self.rooms.get(name).is_some_and(|room| !room.arriving.is_empty());
        if is_awaited || self.attaching < self.settings.at_once {
            self.put_off.remove(name);
            self.attach(name, hub.numbered(name), out);
        } else {
            self.put_off.insert(Arc::clone(name));
        }
    }

    /// Goes on with what was put off: rooms to attach, and names to listen to.
    pub(super) fn attach_next(&mut self, hub: &Hub<M, A>, now: Now, out: &mut Out<M, A>) {
        while self.is_up && self.attaching < self.settings.at_once {
            if let Some(name) = self.put_off.pop_first() {
                let state = self.rooms.get(&name).map(|room| room.state);
                if matches!(state, Some(State::Due(at)) if at <= now.steady) {
                    self.attach(&name, hub.numbered(&name), out);
                }
            } else if let Some(name) = self.unheard.pop_first() {
                if self.listened.contains_key(&name) {
                    self.ask_to_listen(&name, out);
                }
            } else {
                return;
            }
        }
    }

    fn attach(&mut self, room: &Arc<str>, after: Option<Id>, out: &mut Out<M, A>) {
        let Some(run) = self.rooms.get(room).filter(|_| self.is_up).map(|room| room.run) else {
            return;
        };
        let epoch = self.entropy();
        let ask = Ask::Attach { room: Arc::clone(room), after, run, most: MOST, epoch };
        let tag = self.ask(Asked::Attach(Arc::clone(room)), ask, out);
        self.attaching = self.attaching.saturating_add(1);
        if let Some(room) = self.rooms.get_mut(room) {
            room.state = State::Attaching(tag);
            room.heard.clear();
        }
    }

    pub(super) fn attached(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        tag: u64,
        attached: Attached,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if room.state != State::Attaching(tag) {
            return;
        }
        let tell_at = self.tell_at(now);
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.tell_at = tell_at;
        let Attached { page, people, version, run } = attached;
        (room.state, room.run, room.version) = (State::Attached, run, version);
        let position = page.position;
        let known = hub.numbered(name);
        match known {
            Some(known) if known.epoch == position.epoch && known.offset <= position.offset => {
                room.ahead.saw(position.offset);
                self.met(hub, name, people, now, out);
                self.turn_page(hub, name, page, now, out);
            }
            _ => {
                room.first = page.first;
                room.ahead.restart();
                if let Err(why) = hub.number(name, position) {
                    return self.refuse(hub, name, why, out);
                }
                hub.remember(name, page.messages, now.unix);
                self.met(hub, name, people, now, out);
                if known.is_some() {
                    self.stats.resets = self.stats.resets.saturating_add(1);
                    self.tell_members(hub, name, None, out);
                }
                self.drain(hub, name, now, out);
            }
        }
        self.go_on(hub, name, now, out);
    }

    /// What the log has noted of who is here may be wrong: it is looked at again a little later.
    pub(super) fn not_noted(&mut self, room: &str, now: Now) {
        if let Some(room) = self.rooms.get_mut(room)
            && room.state == State::Attached
        {
            (room.state, room.reading) = (State::Due(now.steady.saturating_add(AGAIN)), None);
        }
    }

    pub(super) fn not_attached(&mut self, room: &str, tag: u64, now: Now) {
        if let Some(room) = self.rooms.get_mut(room)
            && room.state == State::Attaching(tag)
        {
            room.state = State::Due(now.steady.saturating_add(AGAIN));
        }
    }

    /// A room can't be: those who wait for it are told.
    fn refuse(&mut self, hub: &mut Hub<M, A>, room: &Arc<str>, why: Refused, out: &mut Out<M, A>) {
        let Some(found) = self.rooms.remove(room) else { return };
        self.arriving = self.arriving.saturating_sub(found.arriving.len());
        for arriving in found.arriving {
            Self::refuse_one(room, arriving, why, out);
        }
        hub.close(room);
        out.requests.push(Request { tag: 0, ask: Ask::Detach { room: Arc::clone(room) } });
    }

    /// Does what a room waits for, if it may be done now.
    pub(super) fn go_on(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(room) = self.rooms.get(name) else { return };
        match room.state {
            State::Due(at) if self.is_up && at <= now.steady => {
                self.attach_in_turn(hub, name, out);
            }
            State::Detaching(_) if !room.arriving.is_empty() || room.holds > 0 => {
                self.reattach(hub, name, now, out);
            }
            State::Due(_) | State::Attaching(_) | State::Detaching(_) => {}
            State::Attached => self.read_if_behind(hub, name, out),
        }
        self.serve_arriving(hub, name, now, out);
    }

    /// Lets go of a room that nobody needs any more.
    pub(super) fn detach_if_vacant(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if room.holds > 0 || !room.arriving.is_empty() || hub.has_members(name) {
            room.vacant = None;
            return;
        }
        let since = *room.vacant.get_or_insert(now.steady);
        // Before it is attached, the log may still have somebody noted here who has gone.
        let is_attached = self.is_up && room.state == State::Attached;
        if is_attached && since.saturating_add(self.settings.linger) <= now.steady {
            let ask = Ask::Detach { room: Arc::clone(name) };
            let tag = self.ask(Asked::Detach(Arc::clone(name)), ask, out);
            if let Some(room) = self.rooms.get_mut(name) {
                room.state = State::Detaching(tag);
            }
        }
    }

    /// A room is detached, and all that was asked of it before is done.
    pub(super) fn detached(&mut self, hub: &mut Hub<M, A>, name: &Arc<str>, tag: u64) {
        let is_it = |room: &Room<M, A>| room.state == State::Detaching(tag);
        if self.rooms.get(name).is_some_and(is_it) {
            self.rooms.remove(name);
            hub.close(name);
        }
    }

    /// Tells all members of a room that they missed so many messages, or that nobody knows how many.
    pub(super) fn tell_members(
        &self,
        hub: &Hub<M, A>,
        name: &Arc<str>,
        gap: Option<u64>,
        out: &mut Out<M, A>,
    ) {
        let Some(position) = hub.numbered(name) else { return };
        let people = self.count(hub, name);
        let messages: Vec<Arc<Message>> = match gap {
            // They begin anew, as who has never been here.
            None => hub.read(name, Since::Nothing).2,
            Some(_) => Vec::new(),
        };
        for (member, user) in hub.members_of(name) {
            let (room, recovery) = (Arc::clone(name), Some(Recovery { missed: 0, gap }));
            let messages = messages.clone();
            out.acts.push(Act::Hub(Effect::Welcome(Welcome {
                room,
                member,
                user,
                position,
                people,
                recovery,
                messages,
            })));
        }
    }
}
