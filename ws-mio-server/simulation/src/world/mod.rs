//! A world: servers, peers and a log on one thread, moved by a queue of events.

mod audit;
mod events;
mod faults;
mod ledger;
mod member;
mod others;
mod server;
mod wire;

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use ws_mio_server::backplane::model::Model;
use ws_mio_server::simulation::Network;

use crate::dice::Dice;
use crate::plan::{Item, Plan, SECOND};
use ledger::Ledger;
use member::Member;
use others::{Echo, Hostile};
use server::{Log, Server};

/// What a run has come to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was found, if anything was.
    pub found: Option<String>,
    /// What happened, line by line, if that was wanted.
    pub trace: String,
    /// Stands for all that happened: another run of the plan has the same.
    pub digest: u64,
    /// Events.
    pub steps: u64,
    /// Messages that came to members.
    pub deliveries: u64,
    /// Returns that got all that they missed.
    pub recovered: u64,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A node starts.
    Start(usize),
    Item(usize),
    /// Bytes move on a connection, to the server.
    Up(usize),
    /// And from it.
    Down(usize),
    Peer(usize),
    /// What rooms of a node need now and then.
    Tick(usize, u64),
    /// Something happens on a node's link to the log.
    Link(usize),
    /// There are descriptors again.
    Enough(usize),
    Census,
}

/// One connection, as it is outside of the server.
struct Line {
    peer: usize,
    node: usize,
    worker: usize,
    /// How long bytes take, in microseconds, and how many go at a time.
    late: u64,
    chunk: u64,
    is_up_due: bool,
    is_down_due: bool,
    stalled_until: u64,
    /// Nothing passes any more.
    is_dead: bool,
    /// The client has closed its socket.
    is_over: bool,
    /// Something has gone wrong that may end it.
    is_disturbed: bool,
}

enum Peer {
    Member(Member),
    Echo(Echo),
    Hostile(Hostile),
}

struct Seat {
    peer: Peer,
    line: Option<usize>,
}

struct World {
    plan: Plan,
    dice: Dice,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, What)>>,
    serial: u64,
    network: Network,
    log: Log,
    paused_until: u64,
    servers: Vec<Server>,
    lines: Vec<Line>,
    peers: Vec<Seat>,
    /// Whether all that was wrong is mended.
    is_mended: bool,
    /// Whether everybody leaves.
    is_left: bool,
    ledger: Ledger,
    trace: Option<String>,
    outcome: Outcome,
}

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan, is_traced: bool) -> Outcome {
    let mut world = World::new(plan.clone(), is_traced);
    let panic = catch_unwind(AssertUnwindSafe(|| world.play())).err();
    if let Some(panic) = panic {
        let said = said(&*panic);
        world.ledger.find(|| format!("a panic: {said}"));
        // What is left may be in any state.
        std::mem::forget(std::mem::take(&mut world.servers));
    }
    let World { mut outcome, ledger, trace, .. } = world;
    outcome.trace = trace.unwrap_or_default();
    (outcome.deliveries, outcome.recovered) = (ledger.deliveries, ledger.recovered);
    outcome.found = ledger.found;
    outcome
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word").to_owned()
}

impl World {
    fn new(plan: Plan, is_traced: bool) -> Self {
        let nodes = plan.scale.nodes;
        let mut dice = Dice::new(plan.seed);
        let wall = |dice: &mut Dice| dice.below(SECOND) as i64;
        Self {
            ledger: Ledger::new(plan.scale.history < 100, plan.scale.degrade && nodes > 1),
            servers: (0..nodes).map(|_| Server::new(wall(&mut dice))).collect(),
            plan,
            dice,
            now: SECOND,
            queue: BinaryHeap::new(),
            serial: 0,
            network: Network::default(),
            log: Arc::new(Mutex::new(Model::new(nodes))),
            paused_until: 0,
            lines: Vec::new(),
            peers: Vec::new(),
            is_mended: false,
            is_left: false,
            trace: is_traced.then(String::new),
            outcome: Outcome::default(),
        }
    }

    fn at(&mut self, at: u64, what: What) {
        self.serial += 1;
        self.queue.push(Reverse((at.max(self.now), self.serial, what)));
    }

    /// Something is put on record.
    fn note(&mut self, what: impl FnOnce() -> String, number: u64) {
        let mixed = self.outcome.digest ^ number ^ self.now.rotate_left(17);
        self.outcome.digest = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        if let Some(trace) = &mut self.trace {
            let (seconds, micros) = (self.now / SECOND, self.now % SECOND);
            // A string takes everything.
            let _ = writeln!(trace, "{seconds:3}.{micros:06} {}", what());
        }
    }

    fn play(&mut self) {
        for node in 0..self.plan.scale.nodes {
            let at = self.now;
            self.at(at, What::Start(node));
        }
        for (number, item) in self.plan.items.clone().iter().enumerate() {
            let at = self.now
                + match item {
                    Item::Member { at, .. } | Item::Echo { at, .. } => *at,
                    Item::Hostile { at, .. } | Item::Fault { at, .. } => *at,
                };
            self.at(at, What::Item(number));
        }
        self.at(self.now, What::Census);
        let end = self.now + self.plan.scale.troubled;
        self.go(end, |_| false);
        self.mend();
        self.settle();
        self.leave();
    }

    /// Lets things happen until that time, or until that is so.
    fn go(&mut self, until: u64, is_enough: impl Fn(&Self) -> bool) {
        while self.ledger.found.is_none() {
            let event = self.queue.peek().map(|Reverse((at, ..))| *at);
            let turn = self.next_turn();
            let at = match (event, turn) {
                (Some(event), Some((turn, _))) => event.min(turn),
                (Some(at), None) | (None, Some((at, _))) => at,
                (None, None) => until,
            };
            if at >= until {
                self.now = until;
                return;
            }
            self.now = at;
            self.outcome.steps += 1;
            match turn.filter(|(turn, _)| *turn <= at) {
                Some((_, (node, worker))) => self.turn(node, worker),
                None => {
                    if let Some(Reverse((_, _, what))) = self.queue.pop() {
                        self.happen(what);
                    }
                }
            }
            if is_enough(self) {
                return;
            }
        }
    }

    /// The event loop whose turn is next, and when that is.
    fn next_turn(&mut self) -> Option<(u64, (usize, usize))> {
        let mut next = None;
        for (number, server) in self.servers.iter_mut().enumerate() {
            let Some(node) = &server.node else { continue };
            for worker in 0..server.ports.len() {
                if !node.runs(worker) {
                    continue;
                }
                if !server.is_soon[worker]
                    && (node.is_woken(worker) || self.network.is_ready(server.ports[worker]))
                {
                    server.is_soon[worker] = true;
                    let soon =
                        self.now + if self.plan.scale.calm { 10 } else { self.dice.skewed(400) };
                    server.due[worker] = Some(server.due[worker].map_or(soon, |due| due.min(soon)));
                }
                let Some(due) = server.due[worker] else { continue };
                let due = due.max(server.frozen_until).max(self.now);
                if next.is_none_or(|(at, _)| due < at) {
                    next = Some((due, (number, worker)));
                }
            }
        }
        next
    }
}
