//! Who comes to a room: members, and those who read it once.

use std::hash::Hash;
use std::sync::Arc;

use super::{Act, Arriving, Asked, Node, Now, Out, Policy, State, Who};
use crate::backplane::wire::{Ask, Page};
use crate::hub::{Effect, Epoch, Hub, Id, Join, Refused, Since};

/// How many messages are read for those who come back.
const MOST: usize = 1000;

/// What somebody waits for.
enum Waits {
    Nothing,
    /// The room is not attached.
    Room,
    /// Messages from this offset on, which are not kept here.
    Older(u64),
    /// What is newer than what is known here.
    Newer,
}

impl<M: Copy + Eq + Hash, A> Node<M, A> {
    /// A connection joins a room. It is welcomed, now or when the room can tell what it missed, or
    /// [`Act::NotJoined`] says why not.
    ///
    /// # Errors
    /// It is there already, or too many wait.
    pub fn join(
        &mut self,
        hub: &mut Hub<M, A>,
        join: Join<'_, M>,
        now: Now,
        out: &mut Out<M, A>,
    ) -> Result<(), Refused> {
        let Join { room, member, user, since } = join;
        if self.arriving >= self.settings.most_waiting {
            return Err(Refused::LogAway);
        }
        if hub.is_in(room, member) || self.is_arriving(room, member) {
            return Err(Refused::AlreadyIn);
        }
        self.arrive(hub, room, Who::Member(member, Arc::from(user)), since, now, out);
        Ok(())
    }

    /// Somebody wants what a joiner would get, without joining: [`Act::Read`], or a refusal.
    pub fn read(
        &mut self,
        hub: &mut Hub<M, A>,
        room: &str,
        since: Since,
        answer: A,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        if self.arriving >= self.settings.most_waiting {
            let why = Refused::LogAway;
            return out.acts.push(Act::Hub(Effect::Refused { answer, why }));
        }
        self.arrive(hub, room, Who::Reader(answer), since, now, out);
    }

    /// A connection leaves a room, or is no more, or does not want to join any longer.
    pub fn leave(&mut self, hub: &mut Hub<M, A>, name: &str, member: M, out: &mut Out<M, A>) {
        if let Some(room) = self.rooms.get_mut(name) {
            let before = room.arriving.len();
            let is_it = |who: &Who<M, A>| matches!(who, Who::Member(known, _) if *known == member);
            room.arriving.retain(|arriving| !is_it(&arriving.who));
            let gone = before.saturating_sub(room.arriving.len());
            self.arriving = self.arriving.saturating_sub(gone);
        }
        let Some(user) = hub.who(name, member) else { return };
        // Whom it leaves behind is told by what is known of all nodes.
        hub.leave(name, member, &mut Vec::new());
        self.left(hub, name, &user, out);
    }

    fn is_arriving(&self, room: &str, member: M) -> bool {
        let is_it = |arriving: &Arriving<M, A>| match arriving.who {
            Who::Member(known, _) => known == member,
            Who::Reader(_) => false,
        };
        self.rooms.get(room).is_some_and(|room| room.arriving.iter().any(is_it))
    }

    fn arrive(
        &mut self,
        hub: &mut Hub<M, A>,
        room: &str,
        who: Who<M, A>,
        since: Since,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let name = self.open(room, now, out);
        let Some(room) = self.rooms.get_mut(&name) else { return };
        room.vacant = None;
        room.arriving.push(Arriving { who, since, at: now.steady, is_tried: false });
        self.arriving = self.arriving.saturating_add(1);
        self.go_on(hub, &name, now, out);
    }

    /// Lets in those who need not wait any more.
    pub(super) fn serve_arriving(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(room) = self.rooms.get_mut(name).filter(|room| !room.arriving.is_empty()) else {
            return;
        };
        let mut left = Vec::new();
        let (mut older, mut is_newer) = (None::<u64>, false);
        for mut arriving in std::mem::take(&mut room.arriving) {
            match self.waits(hub, name, &arriving) {
                Waits::Nothing => {
                    self.arriving = self.arriving.saturating_sub(1);
                    self.let_in(hub, name, arriving, now, out);
                    continue;
                }
                Waits::Room => {}
                Waits::Older(from) => {
                    older = Some(older.map_or(from, |known| known.min(from)));
                    arriving.is_tried = true;
                }
                Waits::Newer => {
                    is_newer = true;
                    // Both at once can't be.
                    arriving.is_tried = older.is_none();
                }
            }
            left.push(arriving);
        }
        let last = hub.numbered(name).map_or(0, |last| last.offset);
        if let Some(from) = older {
            let to = hub.oldest(name).unwrap_or(last).saturating_sub(1);
            let epoch = self.entropy();
            let room = Arc::clone(name);
            let ask = Ask::Read { room, from, to, most: MOST, newest: true, epoch };
            let tag = self.ask(Asked::Older(Arc::clone(name)), ask, out);
            if let Some(room) = self.rooms.get_mut(name) {
                room.reading = Some(tag);
            }
        } else if is_newer {
            self.read_on(name, last, u64::MAX, out);
        }
        if let Some(room) = self.rooms.get_mut(name) {
            left.append(&mut room.arriving);
            room.arriving = left;
        }
    }

    fn waits(&self, hub: &mut Hub<M, A>, name: &Arc<str>, arriving: &Arriving<M, A>) -> Waits {
        let Some(room) = self.rooms.get(name) else { return Waits::Room };
        let known = hub.numbered(name);
        let oldest = hub.oldest(name).unwrap_or(0);
        let is_kept = |id: Id| {
            known.is_some_and(|last| id.epoch == last.epoch && id.offset <= last.offset)
                && id.offset.saturating_add(1) >= oldest
        };
        if !self.is_up {
            let is_kept = match arriving.since {
                Since::Nothing | Since::Unreadable => known.is_some(),
                Since::After(id) => is_kept(id),
            };
            if is_kept || self.settings.policy == Policy::Degrade {
                return Waits::Nothing;
            }
        }
        let Some(last) = known else { return Waits::Room };
        let is_behind = room.ahead.seen() > last.offset;
        if room.state != State::Attached || room.reading.is_some() || is_behind {
            return Waits::Room;
        }
        match arriving.since {
            Since::After(id) if !is_kept(id) && !arriving.is_tried => {
                if id.epoch != last.epoch || id.offset > last.offset {
                    Waits::Newer
                } else if oldest > room.first {
                    Waits::Older(id.offset.saturating_add(1))
                } else {
                    Waits::Nothing
                }
            }
            _ => Waits::Nothing,
        }
    }

    fn let_in(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        arriving: Arriving<M, A>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        if hub.numbered(name).is_none() {
            // The log is away, and nothing is known of the room: it begins anew when the log is back.
            let epoch = Epoch::from_entropy(self.entropy());
            if let Err(why) = hub.number(name, Id { epoch, offset: 0 }) {
                return Self::refuse_one(name, arriving, why, out);
            }
        }
        let Arriving { who, since, .. } = arriving;
        match who {
            Who::Reader(answer) => {
                let (position, recovery, messages) = hub.read(name, since);
                out.acts.push(Act::Read { answer, position, recovery, messages });
            }
            Who::Member(member, user) => {
                let mut effects = Vec::new();
                let join = Join { room: name, member, user: &user, since };
                match hub.join(join, now.unix, &mut effects) {
                    Ok(()) => self.entered(hub, name, &user, member, effects, out),
                    Err(why) => {
                        let room = Arc::clone(name);
                        out.acts.push(Act::NotJoined { room, member, why });
                    }
                }
            }
        }
    }

    /// Messages that are older than those that are kept here have been read.
    pub(super) fn read_older(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        tag: u64,
        page: Page,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(room) = self.rooms.get_mut(name).filter(|room| room.reading == Some(tag)) else {
            return;
        };
        room.reading = None;
        if hub.numbered(name).is_some_and(|last| last.epoch != page.position.epoch) {
            return self.reattach(hub, name, now, out);
        }
        room.first = room.first.max(page.first);
        hub.remember(name, page.messages, now.unix);
        self.go_on(hub, name, now, out);
    }

    /// Those who have waited too long are told.
    pub(super) fn expire_arriving(&mut self, name: &Arc<str>, now: Now, out: &mut Out<M, A>) {
        let Some(room) = self.rooms.get_mut(name).filter(|room| !room.arriving.is_empty()) else {
            return;
        };
        let wait = self.settings.join_wait;
        let is_late =
            |arriving: &mut Arriving<M, A>| arriving.at.saturating_add(wait) <= now.steady;
        let late: Vec<_> = room.arriving.extract_if(.., is_late).collect();
        self.arriving = self.arriving.saturating_sub(late.len());
        for arriving in late {
            Self::refuse_one(name, arriving, Refused::LogAway, out);
        }
    }

    pub(super) fn refuse_one(
        room: &Arc<str>,
        arriving: Arriving<M, A>,
        why: Refused,
        out: &mut Out<M, A>,
    ) {
        let room = Arc::clone(room);
        out.acts.push(match arriving.who {
            Who::Member(member, _) => Act::NotJoined { room, member, why },
            Who::Reader(answer) => Act::Hub(Effect::Refused { answer, why }),
        });
    }
}
