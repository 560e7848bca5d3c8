//! One session: from the moment at which all links work until one of them does not.
//!
//! One thread writes what is asked and reads what is answered. It writes all that waits at once, and the next
//! requests while the answers to the first are still on their way; so Redis always has something to do, and nobody
//! waits for an answer before the next request leaves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::connect::{Connector, Server, Servers, load, reason_of, shown};
use super::decode::{Outcome, Remedy, answer};
use super::encode::{Encoder, command};
use super::link::{Flight, Link, Links};
use super::listener::{Change, Listener};
use super::outlet::Outlet;
use super::queue::{Queue, Subscribed, Work, weight};
use super::slots::{SLOTS, parse_redirect};
use crate::backplane::wire::{Answer, Ask, Event, Failure, Request};
use crate::clock::Clock;

/// How many requests are on their way at most, and how many answers are told of at once.
const IN_FLIGHT: usize = 512;
const AT_ONCE: usize = 128;
/// How often links show that they work.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// How often a request is asked again that was not done.
const MOST_TRIES: u32 = 60;
/// For how long to wait before, where waiting helps.
const WAIT: Duration = Duration::from_millis(20);

/// What all sessions share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) encoder: Arc<Encoder>,
    pub(super) queue: Arc<Queue>,
    pub(super) outlet: Arc<Outlet>,
}

/// A request that was not done, and what is to be done before it is asked again.
struct Again {
    request: Request,
    tries: u32,
    remedy: Remedy,
    link: usize,
    /// Whether it has failed just now; if not, it may be that it would not any more.
    is_fresh: bool,
}

pub(super) struct Session<'a> {
    shared: &'a Shared,
    connector: &'a Connector,
    number: u64,
    links: Links,
    again: Vec<Again>,
    clock: Clock,
    next_beat: Duration,
}

impl<'a> Session<'a> {
    /// Opens the links to all servers.
    pub(super) fn open(
        shared: &'a Shared,
        connector: &'a Connector,
        servers: Servers,
        number: u64,
    ) -> Result<Self, String> {
        let mut session = Self {
            shared,
            connector,
            number,
            links: Links::new(Arc::clone(&shared.encoder)),
            again: Vec::new(),
            clock: Clock::start(),
            next_beat: Duration::ZERO,
        };
        for server in servers.all {
            session.link(server)?;
        }
        if shared.encoder.is_cluster {
            session.links.slots = vec![None; usize::from(SLOTS)];
            for range in servers.slots {
                let address = (range.host, range.port);
                let link = session.links.all.iter().position(|link| link.address == address);
                let (from, to) = (usize::from(range.from), usize::from(range.to));
                if let Some(slots) = session.links.slots.get_mut(from..=to) {
                    slots.fill(link);
                }
            }
        }
        Ok(session)
    }

    /// Adds a link; its number.
    fn link(&mut self, server: Server) -> Result<usize, String> {
        let Server { address, connection, run } = server;
        let told = |why: String| format!("{}: {why}", shown(&address));
        let hears = self.connector.plain(&address)?;
        let patience = BEAT.saturating_add(self.connector.timeout);
        hears.set_read_timeout(Some(patience)).map_err(|error| told(reason_of(&error)))?;
        let Shared { encoder, queue, outlet } = self.shared;
        let changes = Arc::default();
        let channel = getrandom::u64().map_err(|error| told(error.to_string()))?;
        let listener =
            Listener::open(hears, encoder, queue, outlet, &changes, (self.number, channel))
                .map_err(told)?;
        let own = encoder.prefix.link(channel);
        thread::Builder::new()
            .name("backplane-in".to_owned())
            .spawn(move || listener.run())
            .map_err(|error| error.to_string())?;
        let (flights, out) = (VecDeque::new(), Vec::new());
        self.links.all.push(Link { address, connection, run, flights, out, changes, own });
        Ok(self.links.all.len().saturating_sub(1))
    }

    /// Does what is asked until a link is lost, and says why; or until the engine is stopped.
    pub(super) fn run(mut self) -> Option<String> {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(why) => return Some(why),
            }
        }
    }

    fn turn(&mut self) -> Result<bool, String> {
        let in_flight: usize = self.links.all.iter().map(|link| link.flights.len()).sum();
        let now = self.clock.running();
        let patience = match in_flight {
            0 => self.next_beat.saturating_sub(now),
            _ => Duration::ZERO,
        };
        let most = IN_FLIGHT.saturating_sub(in_flight);
        let Work { requests, subscribed, lost, is_stopped } =
            self.shared.queue.take(most, patience, &mut self.links);
        // One of an earlier session says nothing of this one.
        if let Some((_, why)) = lost.filter(|(session, _)| *session == self.number) {
            return Err(why);
        }
        if is_stopped && requests.is_empty() && in_flight == 0 {
            self.wake_all();
            return Ok(false);
        }
        let mut told = Vec::new();
        for subscribed in subscribed {
            self.subscribed(subscribed, &mut told)?;
        }
        for request in requests {
            self.dispatch(request, 0, &mut told);
        }
        self.beat(now);
        self.tell(told);
        self.send()?;
        self.receive()?;
        self.try_again()?;
        Ok(true)
    }

    fn beat(&mut self, now: Duration) {
        if now >= self.next_beat {
            self.next_beat = now.saturating_add(BEAT);
            self.links.all.iter_mut().for_each(Link::wake);
        }
    }

    /// Lets the threads of all links see that the session is over.
    fn wake_all(&mut self) {
        self.shared.outlet.end();
        self.links.all.iter_mut().for_each(Link::wake);
        // Those whose connection is lost see it by themselves.
        let _ = self.send();
    }

    /// Sends a request on its way, or tells at once what becomes of it.
    fn dispatch(&mut self, request: Request, tries: u32, told: &mut Vec<Told>) {
        let Some(at) = self.links.link_for(&request.ask) else {
            let why = "no node of the Cluster has the slot of this room".into();
            return told.push(Told::new(request, Err(Failure::Refused(why))));
        };
        let Some(link) = self.links.all.get_mut(at) else { return };
        match &request.ask {
            Ask::Attach { room, .. } | Ask::Listen { room } => {
                let room = Arc::clone(room);
                link.change(Change::Begin(request, room));
            }
            Ask::Detach { room } => {
                link.change(Change::End(Arc::clone(room)));
                told.push(Told::new(request, Ok(Answer::Done)));
            }
            _ => link.ask(&self.shared.encoder, request, tries),
        }
    }

    fn subscribed(&mut self, subscribed: Subscribed, told: &mut Vec<Told>) -> Result<(), String> {
        let Subscribed { request, moved, refused } = subscribed;
        if let Some(why) = refused {
            told.push(Told::new(request, Err(Failure::Refused(why.into()))));
            return Ok(());
        }
        let at = self.links.link_for(&request.ask);
        if let Some(rest) = moved {
            self.moved(&rest, at.unwrap_or(0))?;
            self.dispatch(request, 0, told);
            return Ok(());
        }
        match (&request.ask, at.and_then(|at| self.links.all.get_mut(at))) {
            (Ask::Attach { .. }, Some(link)) => link.ask(&self.shared.encoder, request, 0),
            _ => told.push(Told::new(request, Ok(Answer::Done))),
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), String> {
        for link in &mut self.links.all {
            link.send()?;
        }
        Ok(())
    }

    /// Reads about half of the answers that are due, so that more can be asked meanwhile; or all of them, if some
    /// requests are to be asked again.
    fn receive(&mut self) -> Result<(), String> {
        for at in 0..self.links.all.len() {
            let mut told = Vec::new();
            let Some(link) = self.links.all.get_mut(at) else { break };
            let mut quota = (link.flights.len() / 2).clamp(1, AT_ONCE);
            while quota > 0 || !self.again.is_empty() {
                quota = quota.saturating_sub(1);
                let Some(flight) = link.flights.pop_front() else { break };
                let value = link.connection.recv_response();
                let value = value.map_err(|error| link.lost(&reason_of(&error)))?;
                let Flight::Asked(request, tries) = flight else { continue };
                match answer(&request.ask, value, link.run) {
                    Outcome::Told(result) => told.push(Told::new(request, result)),
                    Outcome::Lost(why) => return Err(link.lost(&why)),
                    Outcome::Again(remedy) => {
                        let tries = tries.saturating_add(1);
                        let is_fresh = true;
                        self.again.push(Again { request, tries, remedy, link: at, is_fresh });
                    }
                }
            }
            self.tell(told);
        }
        Ok(())
    }

    fn tell(&self, told: Vec<Told>) {
        if told.is_empty() {
            return;
        }
        let bytes = told.iter().map(|told| told.weight).sum();
        self.shared.queue.answered(told.len(), bytes);
        let wanted = told.into_iter().filter(|told| told.tag != 0);
        let events = wanted.map(|Told { tag, result, .. }| Event::Reply { tag, result }).collect();
        self.shared.outlet.tell(self.number, events);
    }

    /// Asks again what was not done, before anything else is asked. While a slot moves, the first of several
    /// requests may fail and the next one not; so there is one at a time of each, and their order stays.
    fn try_again(&mut self) -> Result<(), String> {
        while !self.again.is_empty() {
            // What is on its way still may turn out to be of these.
            self.receive_all()?;
            let (mut tried, mut given_up) = (Vec::new(), Vec::new());
            let (mut told, mut held) = (Vec::new(), Vec::new());
            let (mut loaded, mut is_pause_due) = (Vec::new(), false);
            for again in std::mem::take(&mut self.again) {
                let slot = self.links.slot_of(&again.request.ask);
                if again.tries > MOST_TRIES || given_up.contains(&slot) {
                    given_up.push(slot);
                    let why = "Redis Cluster moves this room for too long".into();
                    told.push(Told::new(again.request, Err(Failure::Refused(why))));
                } else if tried.contains(&slot) {
                    held.push(Again { is_fresh: false, ..again });
                } else {
                    // Without a Cluster nothing moves: once Redis has the scripts, all go.
                    if self.shared.encoder.is_cluster {
                        tried.push(slot);
                    }
                    is_pause_due |= again.is_fresh && again.remedy == Remedy::Wait;
                    self.remedy(again, &mut loaded, &mut told)?;
                }
            }
            self.tell(told);
            if is_pause_due {
                thread::sleep(WAIT);
            }
            self.send()?;
            self.receive_all()?;
            self.again.append(&mut held);
        }
        Ok(())
    }

    fn receive_all(&mut self) -> Result<(), String> {
        while self.links.all.iter().any(|link| !link.flights.is_empty()) {
            self.receive()?;
        }
        Ok(())
    }

    /// Does what helps, and asks again.
    fn remedy(
        &mut self,
        again: Again,
        loaded: &mut Vec<usize>,
        told: &mut Vec<Told>,
    ) -> Result<(), String> {
        let Again { request, tries, remedy, link: at, .. } = again;
        match remedy {
            Remedy::Wait => {}
            Remedy::Moved(rest) => self.moved(&rest, at)?,
            Remedy::Scripts => {
                if let Some(link) = self.links.all.get_mut(at).filter(|_| !loaded.contains(&at)) {
                    loaded.push(at);
                    let scripts = &self.shared.encoder.scripts;
                    load(&mut link.connection, scripts).map_err(|why| link.lost(&why))?;
                }
            }
            Remedy::Elsewhere(rest) => {
                let (_, at) = self.linked(&rest, at)?;
                if let Some(link) = self.links.all.get_mut(at) {
                    command(&[b"ASKING"], &mut link.out);
                    link.flights.push_back(Flight::Silent);
                    link.ask(&self.shared.encoder, request, tries);
                }
                return Ok(());
            }
        }
        self.dispatch(request, tries, told);
        Ok(())
    }

    /// A slot has gone to another node.
    fn moved(&mut self, rest: &str, from: usize) -> Result<(), String> {
        let (slot, link) = self.linked(rest, from)?;
        if let Some(known) = self.links.slots.get_mut(usize::from(slot)) {
            *known = Some(link);
        }
        Ok(())
    }

    /// The slot and the link that an error names, which is made if it is not there.
    fn linked(&mut self, rest: &str, from: usize) -> Result<(u16, usize), String> {
        let asked = self.links.all.get(from).map_or("", |link| &link.address.0);
        let Some((slot, host, port)) = parse_redirect(rest, asked) else {
            return Err(format!("Redis Cluster names no node: {rest:?}"));
        };
        let address = (host, port);
        if let Some(link) = self.links.all.iter().position(|link| link.address == address) {
            return Ok((slot, link));
        }
        let server = self.connector.server(&address, &self.shared.encoder.scripts)?;
        Ok((slot, self.link(server)?))
    }
}

/// A request that is answered.
struct Told {
    tag: u64,
    weight: usize,
    result: Result<Answer, Failure>,
}

impl Told {
    fn new(request: Request, result: Result<Answer, Failure>) -> Self {
        Self { tag: request.tag, weight: weight(&request), result }
    }
}
