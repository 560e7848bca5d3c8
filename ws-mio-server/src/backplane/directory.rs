//! The list of all rooms that somebody is in, on all nodes: each node tells how many connections its own rooms have.
//!
//! It is told a moment later, many rooms at once, and never in the path of those who come and go. A node that is silent
//! for too long is taken from the list by the others, a part at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::wire::{Answer, Ask, Event, Request, RoomList};

/// How many rooms are told of, or taken from the list, at once: a log like Redis does nothing else meanwhile.
const AT_ONCE: usize = 50;
/// How many times that of a node that is gone, each time that it is told of.
const TIMES: usize = 20;
/// How many questions may wait.
const MOST_ASKED: usize = 1_000;

/// What has become of questions, and what is to be asked of the log.
#[derive(Debug)]
pub struct Found<A> {
    /// Requests, in order.
    pub requests: Vec<Request>,
    /// Answers; nothing where the log is away.
    pub answers: Vec<(A, Option<RoomList>)>,
}

impl<A> Default for Found<A> {
    fn default() -> Self {
        Self { requests: Vec::new(), answers: Vec::new() }
    }
}

/// What a node has told of its rooms, and what it asks of those of all. `A` is what the caller needs to answer.
#[derive(Debug)]
pub struct Directory<A> {
    name: Arc<str>,
    /// For how long what it has told counts, in milliseconds, and how often it says that it is there.
    lease: u64,
    every: u64,
    is_up: bool,
    /// The tag of what is told; those of questions are `step` apart from it.
    tag: u64,
    step: u64,
    next_tag: u64,
    /// Rooms in which somebody has come or gone.
    changed: HashSet<Arc<str>>,
    /// What the list has of this node.
    told: HashMap<Arc<str>, u32>,
    /// What it is to have.
    due: BTreeMap<Arc<str>, u32>,
    /// What is being told.
    telling: Option<Vec<(Arc<str>, u32)>>,
    next: u64,
    asked: HashMap<u64, A>,
}

impl<A> Directory<A> {
    /// A node that has told nothing. What it has told counts for `lease`. The tags of its requests are `first`, which
    /// is not 0, and every further `step`.
    #[must_use]
    pub fn new(name: &str, lease: Duration, (first, step): (u64, u64)) -> Self {
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let (first, step) = (first.max(1), step.max(1));
        Self {
            name: Arc::from(name),
            lease,
            every: (lease / 4).max(1),
            is_up: false,
            tag: first,
            step,
            next_tag: first.saturating_add(step),
            changed: HashSet::new(),
            told: HashMap::new(),
            due: BTreeMap::new(),
            telling: None,
            next: 0,
            asked: HashMap::new(),
        }
    }

    /// Somebody has come to a room here, or has left it.
    pub fn changed(&mut self, room: &Arc<str>) {
        if !self.changed.contains(room) {
            self.changed.insert(Arc::clone(room));
        }
    }

    /// The rooms in which somebody has come or gone since this was called: for each, [`Directory::set`] is due.
    #[must_use]
    pub fn take_changed(&mut self) -> Vec<Arc<str>> {
        self.changed.drain().collect()
    }

    /// A room has so many connections here.
    pub fn set(&mut self, room: Arc<str>, connections: u32) {
        self.due.insert(room, connections);
    }

    /// Tells what is due at `now`, in milliseconds that never go back. To be called a few times a second.
    pub fn tick(&mut self, now: u64, found: &mut Found<A>) {
        if self.is_up && self.telling.is_none() && (!self.due.is_empty() || now >= self.next) {
            self.tell(now, found);
        }
    }

    fn tell(&mut self, now: u64, found: &mut Found<A>) {
        let mut rooms = Vec::new();
        while let Some((room, connections)) = self.due.pop_first() {
            // Who comes and goes at once has changed nothing.
            if self.told.get(&room) == Some(&connections) {
                continue;
            }
            rooms.push((room, connections));
            if rooms.len() >= AT_ONCE {
                break;
            }
        }
        if rooms.is_empty() && now < self.next {
            return;
        }
        self.next = now.saturating_add(self.every);
        self.telling = Some(rooms.clone());
        let (node, lease) = (Arc::clone(&self.name), Duration::from_millis(self.lease));
        found.requests.push(Request { tag: self.tag, ask: Ask::List { node, lease, rooms } });
    }

    /// Which rooms there are, in all: of those with the most connections, some are left out and at most so many told.
    pub fn rooms(&mut self, (skip, most): (usize, usize), answer: A, found: &mut Found<A>) {
        self.ask(Ask::Rooms { skip, most }, answer, found);
    }

    /// The same of one room.
    pub fn room(&mut self, room: &str, answer: A, found: &mut Found<A>) {
        self.ask(Ask::Listed { room: Arc::from(room) }, answer, found);
    }

    fn ask(&mut self, ask: Ask, answer: A, found: &mut Found<A>) {
        if !self.is_up || self.asked.len() >= MOST_ASKED {
            return found.answers.push((answer, None));
        }
        let tag = self.next_tag;
        self.next_tag = tag.checked_add(self.step).unwrap_or(self.tag.saturating_add(self.step));
        self.asked.insert(tag, answer);
        found.requests.push(Request { tag, ask });
    }

    /// Takes what the engine tells, if it is of this.
    pub fn handle(&mut self, event: &Event, now: u64, found: &mut Found<A>) {
        match event {
            Event::Up => {
                // It may have lost something, or all.
                self.tell_all();
                (self.is_up, self.next) = (true, now);
            }
            Event::Down { .. } => {
                self.is_up = false;
                self.not_told();
                found.answers.extend(self.asked.drain().map(|(_, answer)| (answer, None)));
            }
            Event::Reply { tag, result } if *tag == self.tag => match result {
                Ok(Answer::Listed { is_known, silent }) => {
                    self.listed(*is_known, silent, now, found);
                }
                _ => self.not_told(),
            },
            Event::Reply { tag, result } => {
                let Some(answer) = self.asked.remove(tag) else { return };
                let rooms = match result {
                    Ok(Answer::Rooms(rooms)) => Some(rooms.clone()),
                    _ => None,
                };
                found.answers.push((answer, rooms));
            }
            Event::Push(_) => {}
        }
    }

    /// An engine had no room for a request: it is as if it had failed.
    pub fn not_taken(&mut self, request: &Request, found: &mut Found<A>) {
        if request.tag == self.tag {
            self.not_told();
        } else if let Some(answer) = self.asked.remove(&request.tag) {
            found.answers.push((answer, None));
        }
    }

    fn listed(&mut self, is_known: bool, silent: &[Arc<str>], now: u64, found: &mut Found<A>) {
        let telling = self.telling.take();
        if !is_known {
            self.tell_all();
        }
        for (room, connections) in telling.into_iter().flatten() {
            match connections {
                0 => self.told.remove(&room),
                _ => self.told.insert(room, connections),
            };
        }
        for node in silent.iter().filter(|node| **node != self.name) {
            for _ in 0..TIMES {
                let ask = Ask::Unlist { node: Arc::clone(node), most: AT_ONCE };
                found.requests.push(Request { tag: 0, ask });
            }
            // It is asked soon what is left.
            self.next = now;
        }
        if !self.due.is_empty() {
            self.tell(now, found);
        }
    }

    /// What was being told may not be known: it is told again, unless it is another by now.
    fn not_told(&mut self) {
        for (room, connections) in self.telling.take().into_iter().flatten() {
            self.told.remove(&room);
            self.due.entry(room).or_insert(connections);
        }
    }

    /// Nobody knows what was told.
    fn tell_all(&mut self) {
        self.not_told();
        for (room, connections) in self.told.drain() {
            self.due.entry(room).or_insert(connections);
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::{AT_ONCE, Directory, Found};
    use crate::backplane::model::Model;
    use crate::backplane::wire::{Event, RoomList};
    use std::sync::Arc;
    use std::time::Duration;

    struct World {
        model: Model,
        nodes: Vec<Directory<u32>>,
        answers: Vec<(u32, Option<RoomList>)>,
        now: u64,
    }

    impl World {
        fn new(nodes: usize) -> Self {
            let node =
                |number| Directory::new(&format!("n{number}"), Duration::from_secs(10), (3, 5));
            let nodes = (0..nodes).map(node).collect::<Vec<_>>();
            let (answers, now) = (Vec::new(), 1_000);
            Self { model: Model::new(nodes.len()), nodes, answers, now }
        }

        fn act(&mut self, at: usize, act: impl FnOnce(&mut Directory<u32>, u64, &mut Found<u32>)) {
            let mut found = Found::default();
            act(&mut self.nodes[at], self.now, &mut found);
            self.answers.extend(found.answers);
            found.requests.into_iter().for_each(|request| self.model.ask(at, request));
        }

        fn event(&mut self, at: usize, event: Option<Event>) {
            let Some(event) = event else { return };
            self.act(at, |node, now, found| node.handle(&event, now, found));
        }

        /// So many ticks of half a second, in which all that is asked is answered.
        fn run(&mut self, ticks: usize, nodes: &[usize]) {
            for _ in 0..ticks {
                self.now += 500;
                for at in nodes.iter().copied() {
                    self.act(at, |node, now, found| node.tick(now, found));
                    while self.model.waiting(at).0 {
                        let now = self.now;
                        self.model.work(at, now);
                        while let Some(event) = self.model.reply(at) {
                            self.event(at, Some(event));
                        }
                    }
                }
            }
        }

        fn up(&mut self, at: usize) {
            let up = self.model.connect(at);
            self.event(at, up);
        }

        fn down(&mut self, at: usize) {
            let down = self.model.cut(at);
            self.event(at, down);
        }

        fn set(&mut self, at: usize, room: &str, connections: u32) {
            self.nodes[at].set(room.into(), connections);
        }

        fn listed(&self) -> Vec<(String, u64)> {
            self.model.listed().into_iter().map(|(room, n)| (room.to_string(), n)).collect()
        }
    }

    fn is(rooms: &[(&str, u64)]) -> Vec<(String, u64)> {
        rooms.iter().map(|(room, n)| ((*room).to_owned(), *n)).collect()
    }

    #[test]
    fn rooms_of_all_nodes_are_listed_by_their_connections() {
        let mut world = World::new(2);
        world.set(0, "a", 1);
        (0..2).for_each(|at| world.up(at));
        world.set(1, "a", 2);
        world.set(1, "b", 2);
        world.set(1, "c", 9);
        world.set(1, "c", 0);
        world.run(2, &[0, 1]);
        assert_eq!(world.listed(), is(&[("a", 3), ("b", 2)]));
        world.act(0, |node, _, found| {
            node.rooms((1, 5), 7, found);
            node.room("a", 8, found);
            node.room("nowhere", 9, found);
        });
        world.run(1, &[0]);
        let list = |total, room: &str, connections| {
            Some(RoomList { total, rooms: vec![(Arc::from(room), connections)] })
        };
        let due = [(7, list(2, "b", 2)), (8, list(1, "a", 3)), (9, Some(RoomList::default()))];
        assert_eq!(world.answers, due);
        world.set(1, "a", 0);
        world.run(1, &[1]);
        assert_eq!(world.listed(), is(&[("b", 2), ("a", 1)]));
    }

    #[test]
    fn a_node_that_is_gone_is_taken_from_the_list_a_part_at_a_time() {
        let mut world = World::new(2);
        (0..2).for_each(|at| world.up(at));
        let many = 8 * super::TIMES * AT_ONCE;
        for number in 0..many {
            world.set(0, &format!("{number}"), 1);
        }
        world.set(1, "here", 1);
        world.run(1, &[0, 1]);
        assert_eq!(
            world.listed().len(),
            many + 1,
            "all are told in one go, one part after the other"
        );
        world.run(19, &[1]);
        assert_eq!(world.listed().len(), many + 1, "it may still live");
        world.run(6, &[1]);
        let left = world.listed().len();
        assert!((2..many).contains(&left), "{left} are left");
        // It has only been silent, and what is gone is told again.
        world.run(1, &[0]);
        assert_eq!(world.listed().len(), many + 1);
        world.run(40, &[1]);
        assert_eq!(world.listed(), is(&[("here", 1)]));
        world.run(2, &[0]);
        assert_eq!(world.listed().len(), many + 1);
    }

    #[test]
    fn all_is_told_again_when_the_list_may_have_lost_it() {
        let mut world = World::new(1);
        world.up(0);
        world.set(0, "a", 1);
        world.set(0, "b", 1);
        world.run(1, &[0]);
        world.down(0);
        world.act(0, |node, _, found| node.rooms((0, 9), 1, found));
        assert_eq!(world.answers, [(1, None)]);
        world.model.restart(None);
        world.set(0, "a", 0);
        world.set(0, "c", 1);
        world.run(1, &[0]);
        world.up(0);
        world.run(1, &[0]);
        assert_eq!(world.listed(), is(&[("b", 1), ("c", 1)]));
        // What is on its way as the link is lost is told again, as it is then.
        world.set(0, "b", 2);
        world.set(0, "d", 1);
        world.act(0, |node, now, found| node.tick(now, found));
        world.act(0, |node, _, found| node.rooms((0, 9), 2, found));
        world.down(0);
        assert_eq!(world.answers.pop(), Some((2, None)));
        world.set(0, "d", 0);
        world.up(0);
        world.run(1, &[0]);
        assert_eq!(world.listed(), is(&[("b", 2), ("c", 1)]));
    }

    #[test]
    fn what_is_not_taken_is_told_later() {
        let mut directory = Directory::new("n", Duration::from_secs(10), (3, 5));
        let mut found = Found::default();
        directory.handle(&Event::Up, 0, &mut found);
        directory.set("a".into(), 1);
        directory.tick(0, &mut found);
        directory.rooms((0, 1), 5, &mut found);
        let requests = std::mem::take(&mut found.requests);
        assert_eq!(requests.iter().map(|request| request.tag).collect::<Vec<_>>(), [3, 8]);
        requests.iter().for_each(|request| directory.not_taken(request, &mut found));
        assert_eq!(std::mem::take(&mut found.answers), [(5, None)]);
        directory.tick(500, &mut found);
        assert_eq!(found.requests, requests[..1]);
    }
}
