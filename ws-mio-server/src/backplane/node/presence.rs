//! Who is in rooms, on all nodes, as far as this one knows.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::view::Change;
use super::{Act, Asked, Node, Now, Out, State};
use crate::backplane::wire::{Ask, Entry, Request};
use crate::hub::{Effect, Hub, People, Presence};

/// How many users are told of at once.
const CHUNK: usize = 1000;
/// The longest time until the log is told again who is in a room in which nothing changes, in milliseconds: a day.
const TELL_AGAIN: u64 = 24 * 60 * 60 * 1000;

/// What is told of those who are in a room, by what its namespace tells.
pub(super) fn told(presence: Presence, mut users: Vec<(Arc<str>, usize)>) -> People {
    if presence == Presence::Off {
        return People::default();
    }
    users.sort_unstable();
    let connections = users.iter().map(|(_, n)| *n).fold(0, usize::saturating_add);
    let people = users.len();
    People { people, connections, users: (presence == Presence::On).then_some(users) }
}

impl<M: Copy + Eq + Hash, A> Node<M, A> {
    /// How many persons are in a room, on all nodes; 0 where that is not told.
    pub(super) fn count(&self, hub: &Hub<M, A>, room: &str) -> usize {
        match hub.namespaces().find(room).1.presence {
            Presence::Off => 0,
            Presence::On | Presence::Count => self.rooms.get(room).map_or(0, |r| r.view.len()),
        }
    }

    /// Some of those who are in a room, on all nodes, at most so many; `None` where that is not told.
    #[must_use]
    pub fn names(&self, hub: &Hub<M, A>, room: &str, most: usize) -> Option<Vec<Arc<str>>> {
        let is_on = hub.namespaces().find(room).1.presence == Presence::On;
        let found = self.rooms.get(room).filter(|_| is_on)?;
        Some(found.view.users().take(most).map(Arc::clone).collect())
    }

    /// Who is in a room that is attached, on all nodes, as far as that is told.
    #[must_use]
    pub fn seen_people(&self, hub: &Hub<M, A>, room: &str) -> Option<People> {
        let found = self.rooms.get(room).filter(|room| room.state == State::Attached)?;
        Some(told(hub.namespaces().find(room).1.presence, found.view.people()))
    }

    /// A member has joined: it is welcomed with what is known of all nodes.
    pub(super) fn entered(
        &mut self,
        hub: &Hub<M, A>,
        name: &Arc<str>,
        user: &Arc<str>,
        member: M,
        effects: Vec<Effect<M, A>>,
        out: &mut Out<M, A>,
    ) {
        let change = self.change(hub, name, user, 1, out);
        let people = self.count(hub, name);
        for effect in effects {
            out.acts.push(Act::Hub(match effect {
                Effect::Welcome(welcome) => {
                    Effect::Welcome(crate::hub::Welcome { people, ..welcome })
                }
                // Whether the person has been there on another node, the hub does not know.
                Effect::Entered { .. } => continue,
                other => other,
            }));
        }
        if change == Change::Came && self.is_told(hub, name) {
            let (room, user) = (Arc::clone(name), Arc::clone(user));
            out.acts.push(Act::Hub(Effect::Entered { room, user, people, except: Some(member) }));
        }
    }

    /// A member has left.
    pub(super) fn left(
        &mut self,
        hub: &Hub<M, A>,
        name: &str,
        user: &Arc<str>,
        out: &mut Out<M, A>,
    ) {
        let Some((name, _)) = self.rooms.get_key_value(name) else { return };
        let name = Arc::clone(name);
        let change = self.change(hub, &name, user, -1, out);
        self.tell(hub, &name, user, change, out);
    }

    fn is_told(&self, hub: &Hub<M, A>, room: &str) -> bool {
        hub.namespaces().find(room).1.presence == Presence::On
    }

    fn tell(
        &self,
        hub: &Hub<M, A>,
        name: &Arc<str>,
        user: &Arc<str>,
        change: Change,
        out: &mut Out<M, A>,
    ) {
        if change == Change::None || !self.is_told(hub, name) {
            return;
        }
        let (room, user, people) = (Arc::clone(name), Arc::clone(user), self.count(hub, name));
        out.acts.push(Act::Hub(match change {
            Change::Came => Effect::Entered { room, user, people, except: None },
            _ => Effect::Left { room, user, people },
        }));
    }

    /// The number of connections of a user here changes.
    fn change(
        &mut self,
        hub: &Hub<M, A>,
        name: &Arc<str>,
        user: &Arc<str>,
        by: i32,
        out: &mut Out<M, A>,
    ) -> Change {
        if hub.namespaces().find(name).1.presence == Presence::Off {
            return Change::None;
        }
        let Some(room) = self.rooms.get_mut(name) else { return Change::None };
        let node = &self.settings.name;
        let connections = room.view.get(user, node).saturating_add_signed(by);
        let change = room.view.set(user, node, connections);
        // Otherwise it is told when the room is attached.
        if self.is_up && room.state == State::Attached {
            self.note(name, vec![(Arc::clone(user), connections)], out);
        }
        change
    }

    /// Has the log note who is here. If it does not, the room is attached again, which finds what is missing.
    fn note(&mut self, name: &Arc<str>, users: Vec<(Arc<str>, u32)>, out: &mut Out<M, A>) {
        let (room, node) = (Arc::clone(name), Arc::clone(&self.settings.name));
        self.ask(Asked::Present(Arc::clone(name)), Ask::Present { room, node, users }, out);
    }

    /// A node tells who has come or gone there.
    pub(super) fn present(
        &mut self,
        hub: &Hub<M, A>,
        name: &Arc<str>,
        entry: Entry,
        version: u64,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        // What is here, this node knows best.
        if entry.node == self.settings.name {
            return;
        }
        let Some(room) = self.rooms.get_mut(name) else { return };
        if room.state != State::Attached {
            room.heard.push((version, entry));
        } else if version > room.version {
            self.elsewhere(hub, name, entry, now, out);
        }
        // Otherwise an older subscription was told of it, and what the room was attached with is newer.
    }

    /// Somebody has come, gone, or another number of connections, on another node.
    fn elsewhere(
        &mut self,
        hub: &Hub<M, A>,
        name: &Arc<str>,
        Entry { node, user, connections }: Entry,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        if connections > 0 {
            self.suspect(&node, now);
        }
        let Some(room) = self.rooms.get_mut(name) else { return };
        let change = room.view.set(&user, &node, connections);
        self.tell(hub, name, &user, change, out);
    }

    /// A room is attached: these are in it, on all nodes.
    pub(super) fn met(
        &mut self,
        hub: &Hub<M, A>,
        name: &Arc<str>,
        people: Vec<Entry>,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let own = Arc::clone(&self.settings.name);
        let Some(room) = self.rooms.get(name) else { return };
        let mut changes = Vec::new();
        let mut noted = HashMap::new();
        let mut others = HashSet::new();
        for Entry { node, user, connections } in people {
            if node == own {
                noted.insert(user, connections);
            } else {
                others.insert((Arc::clone(&user), Arc::clone(&node)));
                changes.push((user, node, connections));
            }
        }
        // Of this node's own, what the log does not know.
        let mut users = Vec::new();
        for (user, node, connections) in room.view.entries() {
            if *node != own {
                if !others.contains(&(Arc::clone(user), Arc::clone(node))) {
                    changes.push((Arc::clone(user), Arc::clone(node), 0));
                }
            } else if noted.remove(user) != Some(connections) {
                users.push((Arc::clone(user), connections));
            }
        }
        users.extend(noted.into_keys().map(|user| (user, 0)));
        users.sort_unstable();
        changes.sort_unstable();
        for users in users.chunks(CHUNK) {
            self.note(name, users.to_vec(), out);
        }
        // Who has come first: who is on another node now has not gone.
        changes.sort_by_key(|(_, _, connections)| *connections == 0);
        for (user, node, connections) in changes {
            self.elsewhere(hub, name, Entry { node, user, connections }, now, out);
        }
        let heard = self.rooms.get_mut(name).map(|room| std::mem::take(&mut room.heard));
        for (version, entry) in heard.into_iter().flatten() {
            self.present(hub, name, entry, version, now, out);
        }
    }

    /// These nodes live, as their leases say, and these don't any more.
    pub fn peers(
        &mut self,
        hub: &Hub<M, A>,
        alive: &HashSet<Arc<str>>,
        gone: &[Arc<str>],
        now: Now,
        out: &mut Out<M, A>,
    ) {
        self.alive.clone_from(alive);
        self.suspects.retain(|node, _| !alive.contains(node));
        for node in gone {
            self.gone(hub, node, out);
        }
        self.expire_suspects(hub, now, out);
    }

    /// Others may have taken this node for gone: what is here is told again, a part in each tick.
    pub fn reassert(&mut self) {
        for room in self.rooms.values_mut() {
            room.tell_at = 0;
        }
    }

    /// When the log is to be told again who is in a room: before it forgets that (a week), and not of all rooms at once.
    pub(super) const fn tell_at(&mut self, now: Now) -> u64 {
        let half = TELL_AGAIN / 2;
        let part = self.entropy() % half;
        now.steady.saturating_add(half).saturating_add(part)
    }

    /// Tells the log again who is in a room here, if that is due; whether it was.
    pub(super) fn tell_again(&mut self, name: &Arc<str>, now: Now, out: &mut Out<M, A>) -> bool {
        let is_due =
            |room: &&super::Room<M, A>| room.state == State::Attached && room.tell_at <= now.steady;
        let Some(room) = self.rooms.get(name).filter(is_due).filter(|_| self.is_up) else {
            return false;
        };
        let own = &self.settings.name;
        let here = room.view.entries().filter(|(_, node, _)| *node == own);
        let mut users: Vec<_> = here.map(|(user, _, n)| (Arc::clone(user), n)).collect();
        users.sort_unstable();
        let tell_at = self.tell_at(now);
        if let Some(room) = self.rooms.get_mut(name) {
            room.tell_at = tell_at;
        }
        for users in users.chunks(CHUNK) {
            self.note(name, users.to_vec(), out);
        }
        true
    }

    /// A node is named somewhere: if it does not live, it is let pass for as long as a lease.
    fn suspect(&mut self, node: &Arc<str>, now: Now) {
        if !self.alive.contains(node) && !self.suspects.contains_key(node) {
            let until = now.steady.saturating_add(self.settings.lease);
            self.suspects.insert(Arc::clone(node), until);
        }
    }

    /// Without a link, nobody knows who lives.
    pub(super) fn keep_suspects(&mut self, now: Now) {
        if !self.is_up {
            for until in self.suspects.values_mut() {
                *until = now.steady.saturating_add(self.settings.lease);
            }
        }
    }

    /// Suspects that still don't live when it is known who does are gone.
    fn expire_suspects(&mut self, hub: &Hub<M, A>, now: Now, out: &mut Out<M, A>) {
        let mut late: Vec<_> = self
            .suspects
            .extract_if(|_, until| *until <= now.steady)
            .map(|(node, _)| node)
            .collect();
        late.sort_unstable();
        for node in late {
            self.gone(hub, &node, out);
        }
    }

    /// Whoever was on a node is not there any more.
    fn gone(&mut self, hub: &Hub<M, A>, node: &Arc<str>, out: &mut Out<M, A>) {
        if *node == self.settings.name {
            return;
        }
        self.suspects.remove(node);
        let mut names: Vec<_> = self.rooms.keys().map(Arc::clone).collect();
        names.sort_unstable();
        for name in names {
            let Some(room) = self.rooms.get_mut(&name) else { continue };
            let there = room.view.entries().filter(|(_, known, _)| *known == node);
            let mut users: Vec<_> = there.map(|(user, _, _)| Arc::clone(user)).collect();
            if users.is_empty() {
                continue;
            }
            users.sort_unstable();
            for user in users {
                let Some(room) = self.rooms.get_mut(&name) else { break };
                let change = room.view.set(&user, node, 0);
                self.tell(hub, &name, &user, change, out);
            }
            if self.is_up {
                let (room, node) = (name, Arc::clone(node));
                out.requests.push(Request { tag: 0, ask: Ask::Sweep { room, node } });
            }
        }
    }
}
