//! What must be so: at all times, when all has come to rest, and when all have left.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ws_mio_server::ConnectionInfo;
use ws_mio_server::hub::Id;

use super::server::{DEADLINE, PING};
use super::{Member, Peer, What, World};
use crate::plan::{Hostility, SECOND};

/// How often connections are counted, and looked at.
const EVERY: u64 = SECOND / 2;
/// How long it may take until all have what was said last.
const PATIENCE: u64 = 120 * SECOND;
/// By how much a queue may be beyond its limit: one message more, or what a joiner gets at once.
const BEYOND: usize = 12 * 1024;
/// The same where messages come back: replies may be as long as the longest message.
const BEYOND_REPLIES: usize = 256 * 1024;
/// How many entries of timers a connection may leave.
const TIMERS: usize = 64;

impl World {
    /// After each turn of an event loop: its gauges are what is so.
    pub(super) fn audit_turn(&mut self, node: usize, worker: usize) {
        let server = &self.servers[node];
        let Some(running) = &server.node else { return };
        if !running.runs(worker) {
            return;
        }
        let sockets = self.network.sockets(server.ports[worker]);
        let connections = running.connections(worker);
        if sockets != connections {
            let what = format!(
                "node {node}.{worker} has {sockets} sockets, and {connections} connections"
            );
            return self.ledger.find(|| what);
        }
        if server.ports.len() == 1 && running.handle().stats().connections != connections {
            let told = running.handle().stats().connections;
            self.ledger
                .find(|| format!("node {node} tells of {told} connections, and has {connections}"));
        }
    }

    /// The timers of an event loop are no more than its connections account for.
    fn audit_timers(&mut self, node: usize, worker: usize) {
        let Some(running) = &self.servers[node].node else { return };
        let timers = running.timers(worker);
        let came =
            self.lines.iter().filter(|line| line.node == node && line.worker == worker).count();
        if timers > TIMERS * (came + 1) {
            self.ledger.find(|| {
                format!("node {node}.{worker} has {timers} timers for {came} connections")
            });
        }
    }

    /// Asks each node for its connections now and then: no queue is beyond its limit, and their sum is the gauge.
    pub(super) fn census(&mut self) {
        let (now, queued) = (self.now, self.plan.scale.queued);
        for node in 0..self.servers.len() {
            let server = &self.servers[node];
            let Some(running) = server.node.as_ref().filter(|_| server.frozen_until <= now) else {
                continue;
            };
            let sheet: Arc<Mutex<Option<Vec<ConnectionInfo>>>> = Arc::default();
            let told = Arc::clone(&sheet);
            let handle = running.handle().clone();
            let gauge = Arc::new(Mutex::new(0));
            let at_once = Arc::clone(&gauge);
            handle.clone().connections(usize::MAX, move |infos, _| {
                *at_once.lock().unwrap() = handle.stats().queued_bytes;
                *told.lock().unwrap() = Some(infos);
            });
            for worker in 0..self.servers[node].ports.len() {
                let is_there =
                    self.servers[node].node.as_ref().is_some_and(|node| node.runs(worker));
                if is_there {
                    self.turn(node, worker);
                    self.audit_timers(node, worker);
                }
            }
            let Some(infos) = sheet.lock().unwrap().take() else { continue };
            let sum: usize = infos.iter().map(|info| info.queued).sum();
            let gauge = *gauge.lock().unwrap();
            if self.plan.scale.workers == 1 && sum != gauge {
                self.ledger
                    .find(|| format!("node {node}: {sum} bytes wait, and the gauge says {gauge}"));
            }
            for info in &infos {
                let most = queued + self.beyond(info.address);
                if info.queued - info.asked > most {
                    let what = format!(
                        "node {node}: {} bytes wait for {}, of {most}, beside {} that it asked for",
                        info.queued - info.asked,
                        info.id,
                        info.asked
                    );
                    self.ledger.find(|| what);
                }
            }
        }
        self.at(now + EVERY, What::Census);
    }

    /// By how much the queue of a connection may be beyond its limit; its address tells whose it is.
    fn beyond(&self, address: Option<SocketAddr>) -> usize {
        let Some(SocketAddr::V4(address)) = address else { return BEYOND_REPLIES };
        let [.., peer] = address.ip().octets();
        match self.peers.get(usize::from(peer).wrapping_sub(1)).map(|seat| &seat.peer) {
            Some(Peer::Hostile(it))
                if !matches!(it.how, Hostility::Crumbs | Hostility::PingFlood) =>
            {
                BEYOND
            }
            Some(Peer::Member(_)) => BEYOND,
            _ => BEYOND_REPLIES,
        }
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.peers.iter().filter_map(|seat| match &seat.peer {
            Peer::Member(member) => Some(member),
            _ => None,
        })
    }

    /// Everybody says a last word, and gets those of all others.
    pub(super) fn settle(&mut self) {
        if self.ledger.found.is_some() {
            return;
        }
        for node in 0..self.servers.len() {
            // Some may be draining.
            let at = self.now + 20 * SECOND;
            self.at(at, What::Start(node));
        }
        // They talk on for a while.
        let until = self.now + self.plan.scale.troubled / 2;
        self.go(until, |_| false);
        let now = self.now;
        for seat in &mut self.peers {
            if let Peer::Member(member) = &mut seat.peer {
                member.is_done = true;
                member.say(now, &mut self.ledger);
            }
        }
        // Those of degraded nodes are told to nobody else: what counts is where all stand.
        let until = self.now + PATIENCE;
        self.go(until, |world| {
            world.now > now + SECOND && world.members().all(|it| world.is_at_end(it))
        });
        if self.ledger.found.is_some() {
            return;
        }
        let unrest = self.members().find(|member| member.rests_at().is_none()).map(Member::unrest);
        if let Some(unrest) = unrest {
            return self.ledger.find(|| format!("no rest: {unrest}"));
        }
        for room in 0..2 {
            let stands: Vec<_> =
                self.members().filter(|it| it.room == room).map(Member::unrest).collect();
            let places: Vec<_> =
                self.members().filter(|it| it.room == room).map(Member::rests_at).collect();
            if places.windows(2).any(|two| two[0] != two[1]) {
                return self.ledger.find(|| format!("room {room}: {}", stands.join("; ")));
            }
            if let Some(end) = places.first().copied().flatten() {
                self.audit_acknowledged(room, end);
            }
        }
    }

    /// Whether a member stands where all others of its room do, and the log, whose acknowledgements may come before
    /// what they are of.
    fn is_at_end(&self, member: &Member) -> bool {
        let rest = member.rests_at();
        let end = self.log.lock().unwrap().position(&format!("room-{}", member.room));
        let mut others = self.members().filter(|it| it.room == member.room);
        let is_shared = self.plan.scale.nodes > 1;
        rest.is_some_and(|rest| !self.ledger.goes_on(member.room, rest))
            && others.all(|it| it.rests_at() == rest)
            && (!is_shared || rest == end)
    }

    /// What was acknowledged is what the id means, and the log has it.
    fn audit_acknowledged(&mut self, room: usize, end: Id) {
        let log = self.log.lock().unwrap();
        let name = format!("room-{room}");
        let kept = log.kept(&name);
        let is_shared = self.plan.scale.nodes > 1;
        let mut found = None;
        for (number, said) in
            self.ledger.said.iter().enumerate().filter(|(_, said)| said.room == room)
        {
            for id in said.acknowledged.iter().filter(|id| id.epoch == end.epoch) {
                if id.offset > end.offset {
                    found = Some(format!(
                        "room {room}: {number} was acknowledged as {id}, and all are at {end}"
                    ));
                }
                match self.ledger.meaning(room, *id) {
                    Some(heard) if heard != number => {
                        found = Some(format!(
                            "room {room}: {number} was acknowledged as {id}, which is {heard}"
                        ));
                    }
                    _ => {}
                }
                let first = kept.first().map_or(u64::MAX, |oldest| oldest.id.offset);
                let message = kept.iter().find(|message| message.id == *id);
                if is_shared
                    && id.offset >= first
                    && message.is_none_or(|message| *message.content != *said.text.as_bytes())
                {
                    found = Some(format!(
                        "room {room}: {number} was acknowledged as {id}, and is not stored"
                    ));
                }
            }
        }
        if is_shared && log.position(&name) != Some(end) {
            found = found.or(Some(format!("room {room}: all are at {end}, and the log is not")));
        }
        drop(log);
        if let Some(found) = found {
            self.ledger.find(|| found);
        }
    }

    /// Everybody leaves. Whoever is silent, or was lost, is forgotten in time, with all that it had.
    pub(super) fn leave(&mut self) {
        if self.ledger.found.is_some() {
            return;
        }
        self.is_left = true;
        for peer in &mut self.peers {
            if let Peer::Member(member) = &mut peer.peer {
                member.retry_at = u64::MAX;
            }
        }
        for line in 0..self.lines.len() {
            let peer = &self.peers[self.lines[line].peer].peer;
            if !matches!(peer, Peer::Hostile(hostile) if !hostile.reads())
                && !self.lines[line].is_dead
            {
                self.hang_up(line);
            }
            if let Peer::Member(member) = &mut self.peers[self.lines[line].peer].peer {
                member.retry_at = u64::MAX;
            }
        }
        let mute = PING + 3 * DEADLINE + self.plan.scale.stall + 2 * SECOND;
        let until = self.now + mute;
        self.go(until, |_| false);
        // The silent and the mute are over by now; those that flood are stopped here.
        for line in 0..self.lines.len() {
            if !self.lines[line].is_over && !self.lines[line].is_dead {
                self.hang_up(line);
            }
        }
        // The furthest that timers reach.
        let until = self.now + self.plan.scale.stall.max(PING) + 4 * SECOND;
        self.go(until, |_| false);
        for node in 0..self.servers.len() {
            let server = &self.servers[node];
            let Some(running) = &server.node else { continue };
            let stats = running.handle().stats();
            for worker in 0..server.ports.len() {
                let (connections, timers) = (running.connections(worker), running.timers(worker));
                if connections > 0 || timers > 0 {
                    let what = format!(
                        "all have left, and node {node}.{worker} has {connections} connections and {timers} timers"
                    );
                    return self.ledger.find(|| what);
                }
            }
            if stats.connections > 0 || stats.queued_bytes > 0 {
                return self
                    .ledger
                    .find(|| format!("all have left, and node {node} tells of {stats:?}"));
            }
            self.audit_records(node);
        }
    }

    /// A node has stopped by itself.
    pub(super) fn audit_stopped(&mut self, node: usize) {
        self.audit_records(node);
        if let Some(running) = &self.servers[node].node {
            let stats = running.handle().stats();
            if stats.connections > 0 || stats.queued_bytes > 0 {
                self.ledger.find(|| format!("node {node} has stopped, and tells of {stats:?}"));
            }
        }
    }

    /// Every connection that was opened has ended once, and there is one record of that.
    fn audit_records(&mut self, node: usize) {
        let server = &self.servers[node];
        let Some(running) = &server.node else { return };
        let told = server.told.lock().unwrap();
        let odd =
            told.iter().find(|(_, times)| **times != (1, 1)).map(|(peer, times)| (*peer, *times));
        let (opened, accepted) = (told.len() as u64, running.handle().stats().accepted);
        let records = running.handle().ended(usize::MAX).len() as u64;
        drop(told);
        if let Some((peer, (opened, ended))) = odd {
            self.ledger.find(|| {
                format!("node {node}: {peer} was opened {opened} times, and ended {ended} times")
            });
        }
        if opened != accepted || opened != records {
            self.ledger.find(|| {
                format!("node {node}: {opened} connections were opened, {accepted} counted, {records} recorded as ended")
            });
        }
    }
}
