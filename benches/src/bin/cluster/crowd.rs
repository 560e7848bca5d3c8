//! All members, on one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use benches::{Numbers, Result};
use mio::{Events, Poll, Token};

use super::ledger::{Ledger, Place};
use super::member::Member;

/// How often members are looked at for what time brings.
const TICK: Duration = Duration::from_millis(5);

/// Members, what they talk to, and what is known of all that they saw.
pub(super) struct Crowd {
    pub(super) members: Vec<Member>,
    pub(super) ledger: Ledger,
    /// Where they connect, each time to any of these.
    pub(super) targets: Vec<SocketAddr>,
    rooms: usize,
    poll: Poll,
    events: Events,
    numbers: Numbers,
    next_tick: Instant,
    /// When connections were begun.
    pub(super) attempts: Vec<Instant>,
}

impl Crowd {
    /// So many members, who come within a second.
    pub(super) fn new(
        members: usize,
        rooms: usize,
        targets: Vec<SocketAddr>,
        seed: u64,
    ) -> Result<Self> {
        let now = Instant::now();
        let mut numbers = Numbers(seed);
        let mut first = || Duration::from_millis(numbers.next().unwrap_or(0) % 1000);
        Ok(Self {
            members: (0..members).map(|n| Member::new(n, n % rooms, now + first())).collect(),
            ledger: Ledger::default(),
            targets,
            rooms,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            numbers,
            next_tick: now,
            attempts: Vec::new(),
        })
    }

    /// A number below another one, by chance.
    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.numbers.next().unwrap_or(0) % below.max(1)
    }

    /// Between 0 and 1.
    fn share(&mut self) -> f64 {
        self.random(1 << 20) as f64 / f64::from(1 << 20)
    }

    /// Any member who is there says something; whether there is one.
    pub(super) fn say(&mut self) -> bool {
        let count = self.members.len();
        let from = self.random(count as u64) as usize;
        let who = (from..count).chain(0..from).find(|who| self.members[*who].is_open());
        let Some(who) = who else { return false };
        let (wait, is_asked) = (self.share(), self.random(4) > 0);
        self.members[who].say(is_asked, &mut self.ledger);
        self.members[who].write(wait, &mut self.ledger);
        true
    }

    /// Any member is cut off.
    pub(super) fn cut(&mut self) {
        let who = self.random(self.members.len() as u64) as usize;
        let (reset, wait) = (self.random(2) == 0, self.share());
        self.members[who].cut(reset, wait, &mut self.ledger);
    }

    /// Lets members read, write and connect, for so long at most.
    pub(super) fn turn(&mut self, at_most: Duration) -> Result<()> {
        self.poll.poll(&mut self.events, Some(at_most.min(TICK)))?;
        let ready: Vec<_> = self
            .events
            .iter()
            .map(|event| {
                let Token(who) = event.token();
                // What fails to connect can be written to: it is asked for its error.
                let is_writable = event.is_writable() || event.is_error();
                (who, event.is_readable() || event.is_read_closed(), is_writable)
            })
            .collect();
        for (who, is_readable, is_writable) in ready {
            let (wait, to) = (self.share(), self.targets[self.members[who].node]);
            let (member, ledger) = (&mut self.members[who], &mut self.ledger);
            if is_writable {
                member.writable(to, wait, ledger);
            }
            if is_readable {
                member.read(wait, ledger);
            }
        }
        let now = Instant::now();
        if now < self.next_tick {
            return Ok(());
        }
        self.next_tick = now + TICK;
        for who in 0..self.members.len() {
            if self.members[who].retry_at.is_some_and(|at| at <= now) {
                let node = self.random(self.targets.len() as u64) as usize;
                self.attempts.push(now);
                self.members[who].connect(node, self.targets[node], self.poll.registry())?;
            }
            let wait = self.share();
            self.members[who].tick(now, wait, &mut self.ledger);
        }
        Ok(())
    }

    /// Where each room stands, if all of its members rest at the same place.
    pub(super) fn rest(&self) -> Option<Vec<Place>> {
        let mut places = vec![None; self.rooms];
        for member in &self.members {
            let place = member.rests_at()?;
            if *places[member.room].get_or_insert(place) != place {
                return None;
            }
        }
        places.into_iter().collect()
    }

    /// Turns until all rest, and for a moment longer, in which nothing may come.
    pub(super) fn settle(&mut self, patience: Duration) -> Result<Option<Vec<Place>>> {
        let (begun, mut since) = (Instant::now(), None);
        while begun.elapsed() < patience {
            self.turn(TICK)?;
            let rest = self.rest();
            match (rest, since.take()) {
                (Some(rest), Some((before, at))) if rest == before => {
                    let at: Instant = at;
                    if at.elapsed() > Duration::from_millis(500) {
                        return Ok(Some(rest));
                    }
                    since = Some((before, at));
                }
                (Some(rest), _) => since = Some((rest, Instant::now())),
                (None, _) => {}
            }
        }
        for member in self.members.iter().filter(|member| member.rests_at().is_none()).take(5) {
            let unrest = member.unrest(&self.ledger);
            self.ledger.find(format!("it does not come to rest: {unrest}"));
        }
        if self.members.iter().all(|member| member.rests_at().is_some()) {
            self.ledger.find("members of a room rest at different places".to_owned());
        }
        Ok(None)
    }

    /// Lets all members come in.
    pub(super) fn gather(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !self.members.iter().all(Member::is_open) {
            self.turn(TICK)?;
            if begun.elapsed() > Duration::from_secs(30) {
                let open = self.members.iter().filter(|member| member.is_open()).count();
                let ends = &self.ledger.counts.ends;
                let all = self.members.len();
                return Err(format!("{open} of {all} members came in: {ends:?}").into());
            }
        }
        Ok(())
    }
}
