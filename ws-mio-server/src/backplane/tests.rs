//! Several nodes on one log, with everything that can happen between them, in any order.
#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::model::Model;
use super::wire::{Event, Request};
use super::{Act, Lease, Node, Now, Out, Policy, Settings};
use crate::hub::{
    Effect, Epoch, Hub, Id, Join, Limits, Namespace, Namespaces, Publish, Refused, Since, Welcome,
};

mod many;

const NODES: usize = 3;
const ROOMS: [&str; 2] = ["a", "b"];
const USERS: [&str; 3] = ["x", "y", "z"];

/// What a member has seen.
#[derive(Clone, Debug, Default)]
struct Member {
    room: usize,
    is_in: bool,
    /// The last message, or the position that it was told of.
    last: Option<Id>,
}

struct One {
    hub: Hub<u32, u32>,
    node: Node<u32, u32>,
    lease: Lease,
    members: BTreeMap<u32, Member>,
    life: u32,
}

struct World {
    model: Model,
    nodes: Vec<One>,
    now: u64,
    serial: u32,
    /// What each id has meant.
    truth: HashMap<(usize, Id), Arc<[u8]>>,
    answers: HashMap<u32, Result<Option<Id>, Refused>>,
    /// Where publications went, and what they said.
    published: HashMap<u32, (usize, Arc<[u8]>)>,
    /// Whether the log has lost something that it had acknowledged.
    is_lossy: bool,
    /// Whether a push was lost while the link was there.
    has_lost_push: bool,
    resets: usize,
    gaps: usize,
}

fn one(number: usize, life: u32, history: usize, policy: Policy) -> One {
    let namespace = Namespace { history, join_history: 3, ..Namespace::default() };
    let namespaces = Arc::new(Namespaces::new(namespace));
    let hub = Hub::new(namespaces, Limits::default(), Epoch::from_entropy(1), None);
    let name = format!("n{number}.{life}");
    let settings = Settings { policy, linger: 3_000, at_once: 1, ..Settings::new(&name) };
    let seed = u64::try_from(number).unwrap() * 1000 + u64::from(life);
    let node = Node::new(settings, seed, (2, 2));
    let lease = Lease::new(&name, Duration::from_secs(10), 1);
    One { hub, node, lease, members: BTreeMap::new(), life }
}

impl World {
    fn new(history: usize, policy: Policy) -> Self {
        let nodes = (0..NODES).map(|number| one(number, 0, history, policy)).collect();
        Self {
            model: Model::new(NODES),
            nodes,
            now: 1_000_000,
            serial: 0,
            truth: HashMap::new(),
            answers: HashMap::new(),
            published: HashMap::new(),
            is_lossy: false,
            has_lost_push: false,
            resets: 0,
            gaps: 0,
        }
    }

    fn now(&self) -> Now {
        Now { unix: self.now, steady: self.now }
    }

    fn act<T>(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut Node<u32, u32>, &mut Hub<u32, u32>, Now, &mut Out<u32, u32>) -> T,
    ) -> T {
        let (now, mut out) = (self.now(), Out::default());
        let One { hub, node, .. } = &mut self.nodes[at];
        let result = act(node, hub, now, &mut out);
        let Out { acts, requests } = out;
        acts.into_iter().for_each(|act| self.done(at, act));
        requests.into_iter().for_each(|request| self.model.ask(at, request));
        result
    }

    fn event(&mut self, at: usize, event: Option<Event>) {
        let Some(event) = event else { return };
        let now = self.now;
        if let Some(peers) = self.nodes[at].lease.handle(&event, now) {
            return self.act(at, |node, hub, now, out| {
                node.peers(hub, &peers.alive, &peers.gone, now, out);
                if peers.was_late {
                    node.reassert();
                }
            });
        }
        self.act(at, |node, hub, now, out| node.handle(hub, event, now, out));
    }

    fn done(&mut self, at: usize, act: Act<u32, u32>) {
        match act {
            Act::Hub(Effect::Welcome(welcome)) => self.welcomed(at, welcome),
            Act::Hub(Effect::Deliver { room, message, .. }) => {
                let room = ROOMS.iter().position(|name| **name == *room).unwrap();
                let known = self.truth.entry((room, message.id)).or_insert(message.content.clone());
                assert_eq!(*known, message.content, "an id means two messages: {}", message.id);
                for (number, member) in &mut self.nodes[at].members {
                    if member.room != room || !member.is_in {
                        continue;
                    }
                    let last = member.last.unwrap();
                    let due = Id { offset: last.offset + 1, ..last };
                    assert_eq!(message.id, due, "member {number} of node {at}: not the next one");
                    member.last = Some(due);
                }
            }
            Act::Hub(Effect::Accepted { answer, id }) => {
                assert!(self.answers.insert(answer, Ok(Some(id))).is_none(), "answered twice");
                let (room, content) = self.published[&answer].clone();
                let known = self.truth.entry((room, id)).or_insert(content.clone());
                assert_eq!(*known, content, "acknowledged as another message: {id}");
            }
            Act::Hub(Effect::Refused { answer, why }) => {
                assert!(self.answers.insert(answer, Err(why)).is_none(), "answered twice");
            }
            Act::AcceptedHere { answer } => {
                assert!(self.answers.insert(answer, Ok(None)).is_none(), "answered twice");
            }
            Act::NotJoined { member, .. } => {
                assert!(!self.nodes[at].members.remove(&member).unwrap().is_in);
            }
            _ => {}
        }
    }

    fn welcomed(&mut self, at: usize, welcome: Welcome<u32>) {
        let Welcome { room, member, position, recovery, messages, .. } = welcome;
        let room = ROOMS.iter().position(|name| **name == *room).unwrap();
        let member = self.nodes[at].members.get_mut(&member).expect("a member is welcomed");
        let before = member.last.filter(|last| last.epoch == position.epoch);
        // What it gets now ends at the position, without gaps.
        let mut due = position.offset;
        for message in messages.iter().rev() {
            assert_eq!(message.id, Id { offset: due, ..position });
            let known = self.truth.entry((room, message.id)).or_insert(message.content.clone());
            assert_eq!(*known, message.content, "an id means two messages: {}", message.id);
            due -= 1;
        }
        match recovery {
            Some(recovery) if recovery.gap == Some(0) => {
                assert_eq!(before.unwrap().offset, due, "it is told that it has missed nothing");
            }
            Some(recovery) => match recovery.gap {
                Some(gap) => {
                    self.gaps += 1;
                    assert_eq!(before.unwrap().offset + gap, due, "the gap is another one");
                }
                None => self.resets += 1,
            },
            None => assert!(member.last.is_none(), "it had named one"),
        }
        (member.is_in, member.last) = (true, Some(position));
    }

    fn join(&mut self, at: usize, room: usize, user: usize, last: Option<Id>) {
        self.serial += 1;
        let member = self.serial;
        self.nodes[at].members.insert(member, Member { room, is_in: false, last });
        let since = last.map_or(Since::Nothing, Since::After);
        self.act(at, |node, hub, now, out| {
            let join = Join { room: ROOMS[room], member, user: USERS[user], since };
            node.join(hub, join, now, out).unwrap();
        });
    }

    fn leave(&mut self, at: usize, which: usize) -> Option<Member> {
        let members = &self.nodes[at].members;
        let number = *members.keys().nth(which % members.len().max(1))?;
        let member = self.nodes[at].members.remove(&number)?;
        self.act(at, |node, hub, _, out| node.leave(hub, ROOMS[member.room], number, out));
        Some(member)
    }

    fn publish(&mut self, at: usize, room: usize, with_key: bool) {
        self.serial += 1;
        let answer = self.serial;
        let content: Arc<[u8]> = answer.to_string().into_bytes().into();
        self.published.insert(answer, (room, content.clone()));
        let key = format!("k{answer}");
        let publish = Publish {
            room: ROOMS[room],
            user: USERS[room],
            content,
            key: with_key.then_some(key.as_str()),
            except: None,
            answer,
        };
        self.act(at, |node, hub, now, out| node.publish(hub, publish, now, out));
    }

    fn tick(&mut self, at: usize) {
        let now = self.now;
        if let Some(request) = self.nodes[at].lease.tick(now) {
            self.model.ask(at, request);
        }
        self.act(at, |node, hub, now, out| node.tick(hub, now, out));
    }

    fn cut(&mut self, at: usize) {
        let event = self.model.cut(at);
        self.event(at, event);
    }

    fn step(&mut self, step: &Step, history: usize, policy: Policy) {
        match *step {
            Step::Join(at, room, user) => self.join(at, room, user, None),
            // It comes back on any node.
            Step::Move(at, which, to, user) => {
                if let Some(Member { room, last, .. }) = self.leave(at, which) {
                    self.join(to, room, user, last);
                }
            }
            Step::Leave(at, which) => _ = self.leave(at, which),
            Step::Publish(at, room, with_key) => self.publish(at, room, with_key),
            Step::Work(at) => self.model.work(at, self.now),
            Step::Reply(at) => {
                let event = self.model.reply(at);
                self.event(at, event);
            }
            Step::Push(at) => {
                let event = self.model.push(at);
                self.event(at, event);
            }
            Step::LosePush(at) => {
                self.has_lost_push = true;
                self.model.lose_push(at);
            }
            Step::Cut(at) => self.cut(at),
            Step::Connect(at) => {
                let event = self.model.connect(at);
                self.event(at, event);
            }
            Step::Restart(lost) => {
                (0..NODES).for_each(|at| self.cut(at));
                self.model.restart(lost);
                self.is_lossy |= lost.is_none();
            }
            Step::Crash(at) => {
                self.model.cut(at);
                let life = self.nodes[at].life + 1;
                self.nodes[at] = one(at, life, history, policy);
            }
            Step::Pass(time) => {
                self.now += time;
                (0..NODES).for_each(|at| self.tick(at));
            }
        }
    }

    /// Nothing fails any more, and everything that is on its way comes.
    fn settle(&mut self) {
        for round in 0..40 {
            // Of a push that was lost while the link was there, the next one tells.
            if round == 20 && self.has_lost_push {
                (0..ROOMS.len()).for_each(|room| self.publish(0, room, true));
            }
            for at in 0..NODES {
                let event = self.model.connect(at);
                self.event(at, event);
            }
            self.now += 1_000;
            (0..NODES).for_each(|at| self.tick(at));
            for turn in 0..100_000 {
                assert!(turn < 99_999, "they never have enough");
                let mut is_quiet = true;
                for at in 0..NODES {
                    let (work, reply, push) = self.model.waiting(at);
                    is_quiet &= !(work || reply || push);
                    self.model.work(at, self.now);
                    let event = self.model.reply(at);
                    self.event(at, event);
                    let event = self.model.push(at);
                    self.event(at, event);
                }
                if is_quiet {
                    break;
                }
            }
        }
    }

    fn check(&self) {
        for (room, name) in ROOMS.iter().enumerate() {
            let position = self.model.position(name);
            let mut here = BTreeMap::new();
            for one in &self.nodes {
                for (number, member) in one.members.iter().filter(|(_, m)| m.room == room) {
                    assert!(member.is_in, "it waits to join");
                    assert_eq!(member.last, position, "it has not caught up");
                    let user = one.hub.who(name, *number).unwrap();
                    *here.entry(user).or_insert(0) += 1;
                }
            }
            for (at, one) in self.nodes.iter().enumerate() {
                let Some(people) = one.node.seen_people(&one.hub, name) else { continue };
                let due: Vec<_> = here.iter().map(|(user, n)| (user.clone(), *n)).collect();
                assert_eq!(people.users, Some(due), "who is in {name}, as node {at} sees it");
            }
            let noted: i64 = self.model.people(name).values().map(|n| i64::from(*n)).sum();
            let attached =
                self.nodes.iter().any(|one| one.node.seen_people(&one.hub, name).is_some());
            if attached {
                let due: usize = here.values().sum();
                assert_eq!(noted, i64::try_from(due).unwrap(), "who is noted");
            }
        }
        for one in &self.nodes {
            assert_eq!(one.node.stats().waiting, 0);
        }
        if !self.is_lossy {
            // What was acknowledged is there, unless it is older than what is kept.
            for (answer, result) in &self.answers {
                let Ok(Some(id)) = result else { continue };
                let (room, content) = &self.published[answer];
                let kept = self.model.kept(ROOMS[*room]);
                let found = kept.iter().find(|message| message.id == *id);
                assert!(found.is_none_or(|message| message.content == *content));
                assert!(found.is_some() || kept.first().is_some_and(|m| m.id.offset > id.offset));
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Join(usize, usize, usize),
    Move(usize, usize, usize, usize),
    Leave(usize, usize),
    Publish(usize, usize, bool),
    Work(usize),
    Reply(usize),
    Push(usize),
    LosePush(usize),
    Cut(usize),
    Connect(usize),
    Restart(Option<u64>),
    Crash(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (node, room) = (0..NODES, 0..ROOMS.len());
    let user = 0..USERS.len();
    let step = prop_oneof![
        4 => (node.clone(), room.clone(), user.clone()).prop_map(|(n, r, u)| Step::Join(n, r, u)),
        4 => (node.clone(), 0..8usize, node.clone(), user)
            .prop_map(|(n, w, to, u)| Step::Move(n, w, to, u)),
        2 => (node.clone(), 0..8usize).prop_map(|(n, w)| Step::Leave(n, w)),
        20 => (node.clone(), room, any::<bool>()).prop_map(|(n, r, k)| Step::Publish(n, r, k)),
        30 => node.clone().prop_map(Step::Work),
        30 => node.clone().prop_map(Step::Reply),
        30 => node.clone().prop_map(Step::Push),
        2 => node.clone().prop_map(Step::LosePush),
        2 => node.clone().prop_map(Step::Cut),
        5 => node.clone().prop_map(Step::Connect),
        1 => prop_oneof![Just(None), Just(Some(0))].prop_map(Step::Restart),
        1 => node.prop_map(Step::Crash),
        6 => (1..4_000u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn members_see_one_order_without_gaps_whatever_happens(
        steps in steps(),
        history in 1..30usize,
        degrade: bool,
    ) {
        let policy = if degrade { Policy::Degrade } else { Policy::Refuse };
        let mut world = World::new(history, policy);
        for at in 0..NODES {
            let event = world.model.connect(at);
            world.event(at, event);
        }
        for step in &steps {
            world.step(step, history, policy);
        }
        world.settle();
        world.check();
    }
}

#[test]
fn requests_have_tags_of_their_own() {
    let mut world = World::new(10, Policy::Refuse);
    let event = world.model.connect(0);
    world.event(0, event);
    let mut out = Out::default();
    let One { hub, node, .. } = &mut world.nodes[0];
    node.hold(hub, "a", Now { unix: 0, steady: 0 }, &mut out);
    node.hold(hub, "b", Now { unix: 0, steady: 0 }, &mut out);
    let tags: Vec<_> = out.requests.iter().map(|Request { tag, .. }| *tag).collect();
    assert_eq!(tags, [2, 4]);
    assert!(hub.is_empty());
}

#[test]
fn a_log_that_has_lost_its_end_begins_anew_where_somebody_has_seen_it() {
    let mut world = World::new(10, Policy::Refuse);
    world.join(0, 0, 0, None);
    world.join(1, 0, 1, None);
    world.settle();
    (0..5).for_each(|_| world.publish(0, 0, false));
    world.settle();
    assert_eq!(world.nodes[1].members.values().next().unwrap().last.unwrap().offset, 5);
    (0..NODES).for_each(|at| world.cut(at));
    world.model.restart(Some(2));
    world.is_lossy = true;
    // This one does not know the room, and is back first.
    let event = world.model.connect(2);
    world.event(2, event);
    world.publish(2, 0, false);
    world.settle();
    world.publish(0, 0, false);
    world.settle();
    world.check();
    assert_eq!(world.resets, 2, "both are told");
}

#[test]
fn who_has_seen_what_the_log_has_lost_is_told_so() {
    let mut world = World::new(10, Policy::Refuse);
    world.join(0, 0, 0, None);
    world.settle();
    (0..5).for_each(|_| world.publish(0, 0, false));
    world.settle();
    let last = world.leave(0, 0).unwrap().last.unwrap();
    assert_eq!(last.offset, 5);
    // No node has the room any more as the log loses the last two.
    world.settle();
    assert!(world.nodes.iter().all(|one| one.node.stats().rooms == 0));
    (0..NODES).for_each(|at| world.cut(at));
    world.model.restart(Some(2));
    world.is_lossy = true;
    world.truth.retain(|(_, id), _| id.offset <= 3);
    world.answers.clear();
    world.join(1, 0, 0, Some(last));
    world.settle();
    assert_eq!(world.resets, 1, "it is told that nobody knows what it has missed");
    let member = world.nodes[1].members.values().next().unwrap();
    assert_eq!(member.last, Some(Id { offset: 3, ..last }), "it stands where the log does");
    // It goes on from there.
    world.publish(1, 0, false);
    world.settle();
    world.check();
}
