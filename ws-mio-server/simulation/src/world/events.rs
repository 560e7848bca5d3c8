//! What happens, one thing after the other.

use std::net::SocketAddr;

use ws_mio_server::simulation::{Arrived, Quirks};

use super::others::Deed;
use super::{Echo, Hostile, Line, Member, Peer, Seat, What, World};
use crate::plan::{Item, SECOND};

impl World {
    pub(super) fn happen(&mut self, what: What) {
        match what {
            What::Start(node) => self.start(node),
            What::Item(number) => self.begin(number),
            What::Up(line) => self.up(line),
            What::Down(line) => self.down(line),
            What::Peer(peer) => self.peer(peer),
            What::Tick(node, life) => self.tick(node, life),
            What::Link(node) => self.link(node),
            What::Enough(node) => self.enough(node),
            What::Census => self.census(),
        }
        for node in 0..self.servers.len() {
            self.look_at_link(node);
        }
    }

    fn start(&mut self, node: usize) {
        if self.servers[node].node.is_some() {
            return;
        }
        self.note(|| format!("node {node} starts"), 1);
        let (now, scale) = (self.now, self.plan.scale);
        self.servers[node].start(node, now, &scale, &self.network, &self.log, &mut self.dice);
        let life = self.servers[node].life;
        self.at(now + SECOND / 2, What::Tick(node, life));
    }

    fn tick(&mut self, node: usize, life: u64) {
        let now = self.now;
        let server = &mut self.servers[node];
        if server.life != life {
            return;
        }
        let Some(rooms) = server.rooms.clone() else { return };
        if server.frozen_until > now {
            let until = server.frozen_until;
            return self.at(until, What::Tick(node, life));
        }
        server.enter(now);
        rooms.tick(server.ticks);
        server.ticks += 1;
        drop(rooms);
        // When all are about to have left, there is little to be seen to.
        let again = if self.is_left { SECOND } else { SECOND / 2 };
        self.at(now + again, What::Tick(node, life));
    }

    /// An event loop has its turn.
    pub(super) fn turn(&mut self, node: usize, worker: usize) {
        let now = self.now;
        let is_calm = self.plan.scale.calm;
        self.servers[node].enter(now);
        let server = &mut self.servers[node];
        let Some(running) = &mut server.node else { return };
        let dice = &mut self.dice;
        let mut choose = |of: usize| match is_calm {
            true => Some(0),
            false if dice.percent(5) => None,
            false => Some(dice.index(of)),
        };
        let events = self.network.events(server.ports[worker], &mut choose);
        running.turn(worker, &events);
        server.is_soon[worker] = false;
        server.due[worker] = match running.runs(worker) {
            true => running.timeout(worker).map(|after| now + (after.as_micros() as u64).max(1)),
            false => None,
        };
        let is_over = (0..server.ports.len()).all(|worker| !running.runs(worker));
        let (count, stats) = (events.len() as u64, running.handle().stats());
        self.note(
            || {
                format!(
                    "node {node}.{worker}: {count} events; {} connections, {} messages in, {} B in, {} B out, {} B wait",
                    stats.connections, stats.messages, stats.bytes_received, stats.bytes_sent, stats.queued_bytes
                )
            },
            stats.bytes_sent ^ (stats.bytes_received << 20) ^ count,
        );
        self.audit_turn(node, worker);
        self.look_down(node);
        self.look_at_link(node);
        if is_over {
            self.stopped(node);
        }
    }

    /// What a server has sent begins to move.
    pub(super) fn look_down(&mut self, node: usize) {
        for number in 0..self.lines.len() {
            let line = &mut self.lines[number];
            if line.node != node || line.is_dead || line.is_down_due {
                continue;
            }
            if self.network.on_the_way_down(number) > 0 && self.takes(number) {
                let line = &mut self.lines[number];
                line.is_down_due = true;
                let at = (self.now + line.late).max(line.stalled_until);
                self.at(at, What::Down(number));
            }
        }
    }

    /// Whether the client reads.
    fn takes(&self, number: usize) -> bool {
        let line = &self.lines[number];
        match &self.peers[line.peer].peer {
            Peer::Hostile(hostile) => hostile.reads() || line.is_over,
            _ => true,
        }
    }

    fn chunk(&mut self, number: usize) -> usize {
        match self.lines[number].chunk {
            0 => usize::MAX,
            most if self.dice.percent(20) => self.dice.skewed(most) as usize,
            _ => usize::MAX,
        }
    }

    fn up(&mut self, number: usize) {
        let (now, line) = (self.now, &mut self.lines[number]);
        line.is_up_due = false;
        if line.is_dead {
            return;
        }
        if line.stalled_until > now {
            line.is_up_due = true;
            let at = line.stalled_until;
            return self.at(at, What::Up(number));
        }
        let node = line.node;
        let most = self.chunk(number);
        self.network.arrive(number, most);
        if !self.plan.scale.calm && self.dice.percent(3) && self.network.is_open(number) {
            self.network.disturb(number);
        }
        self.moves_up(number);
        self.look_down(node);
    }

    /// Bytes that a client has sent begin to move.
    fn moves_up(&mut self, number: usize) {
        let line = &mut self.lines[number];
        if !line.is_up_due && !line.is_dead && self.network.on_the_way_up(number) > 0 {
            line.is_up_due = true;
            let at = self.now + line.late;
            self.at(at, What::Up(number));
        }
    }

    fn down(&mut self, number: usize) {
        let (now, line) = (self.now, &mut self.lines[number]);
        line.is_down_due = false;
        if line.is_dead {
            return;
        }
        if line.stalled_until > now {
            line.is_down_due = true;
            let at = line.stalled_until;
            return self.at(at, What::Down(number));
        }
        let node = line.node;
        let most = self.chunk(number);
        let arrived = self.network.take(number, most);
        let len = arrived.bytes.len() as u64;
        let (words, rest) = arrived.bytes.as_chunks();
        let mut sum = rest.iter().fold(len, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte));
        for word in words {
            sum = (sum ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29);
        }
        self.note(
            || {
                let Arrived { bytes, is_ended, is_reset } = &arrived;
                let bytes = bytes.escape_ascii();
                format!("line {number} down: {bytes} end {is_ended} reset {is_reset}")
            },
            sum,
        );
        if self.lines[number].is_over {
            // The socket is closed: nobody takes that.
            if len > 0 {
                self.network.reset(number);
            }
        } else {
            self.came(number, &arrived);
        }
        self.look_down(node);
    }

    /// A client gets something.
    fn came(&mut self, number: usize, arrived: &Arrived) {
        let (now, peer) = (self.now, self.lines[number].peer);
        let is_end = arrived.is_ended || arrived.is_reset;
        let (out, ended) = match &mut self.peers[peer].peer {
            Peer::Member(member) => {
                let (out, ended) = member.take(&arrived.bytes, now, &mut self.ledger);
                (out, ended.is_some())
            }
            Peer::Echo(echo) => echo.take(&arrived.bytes, &mut self.ledger),
            Peer::Hostile(hostile) => (hostile.take(&arrived.bytes), false),
        };
        self.lines[number].is_disturbed |= ended;
        self.send(number, &out);
        if is_end {
            self.ended(number);
        }
    }

    /// The server has ended a connection.
    fn ended(&mut self, number: usize) {
        let line = &self.lines[number];
        let (peer, is_expected) = (line.peer, line.is_disturbed);
        let is_honest = !matches!(self.peers[peer].peer, Peer::Hostile(_));
        if is_honest && !is_expected {
            self.ledger.find(|| format!("line {number} of peer {peer} ended without a reason"));
        }
        self.hang_up(number);
    }

    /// A client closes its socket.
    pub(super) fn hang_up(&mut self, number: usize) {
        let (now, line) = (self.now, &mut self.lines[number]);
        if std::mem::replace(&mut line.is_over, true) {
            return;
        }
        let seat = &mut self.peers[line.peer];
        if seat.line == Some(number) {
            seat.line = None;
            if let Peer::Member(member) = &mut seat.peer {
                member.end(now);
            }
        }
        self.network.finish(number);
        self.moves_up(number);
    }

    pub(super) fn send(&mut self, number: usize, bytes: &[u8]) {
        if !bytes.is_empty() && !self.lines[number].is_over {
            let len = bytes.len() as u64;
            self.note(|| format!("line {number} up: {}", bytes.escape_ascii()), len);
            self.network.send(number, bytes);
            self.moves_up(number);
        }
    }

    /// A client connects to a node, if it is there.
    fn connect(&mut self, peer: usize, node: usize) -> Option<usize> {
        let is_calm = self.plan.scale.calm;
        let worker = self.dice.index(self.plan.scale.workers);
        let server = &self.servers[node];
        let port = *server.ports.get(worker).filter(|_| server.node.is_some())?;
        let dice = &mut self.dice;
        let chance =
            |dice: &mut crate::dice::Dice| if dice.percent(40) { dice.below(60) as u8 } else { 0 };
        let room = if is_calm { 1 << 20 } else { [300, 2000, 20_000, 200_000][dice.index(4)] };
        let quirks = match is_calm {
            true => Quirks { room, ..Quirks::default() },
            false => Quirks {
                room,
                interrupted: chance(dice),
                short: chance(dice),
                refused: chance(dice),
                meanwhile: chance(dice),
                seed: dice.next(),
            },
        };
        let address =
            SocketAddr::from(([10, 0, 0, 1 + peer as u8], 1024 + self.lines.len() as u16));
        let number = self.network.connect(port, address, quirks)?;
        // What is torn into crumbs does not take long as well, or nothing would come in time.
        let (chunk, late) = match is_calm {
            true => (0, 100),
            false => [(0, 20_000), (5000, 10_000), (500, 1000), (20, 50)][self.dice.index(4)],
        };
        let late = if is_calm { late } else { 20 + self.dice.skewed(late) };
        let is_disturbed = self.servers[node].troubled_until > self.now;
        self.lines.push(Line {
            peer,
            node,
            worker,
            late,
            chunk,
            is_up_due: false,
            is_down_due: false,
            stalled_until: 0,
            is_dead: false,
            is_over: false,
            is_disturbed,
        });
        self.peers[peer].line = Some(number);
        self.note(|| format!("peer {peer} connects to node {node}.{worker} by line {number}"), 2);
        Some(number)
    }

    /// Something of the plan begins.
    fn begin(&mut self, number: usize) {
        let (now, seed) = (self.now, self.dice.next());
        let peer = self.peers.len();
        match self.plan.items[number].clone() {
            Item::Member { room, every, size, .. } => {
                let member = Member::new(number, room, now, every, size, seed);
                self.peers.push(Seat { peer: Peer::Member(member), line: None });
            }
            Item::Echo { node, every, size, .. } => {
                let (echo, out) = Echo::new(every, size, seed);
                self.peers.push(Seat { peer: Peer::Echo(echo), line: None });
                if let Some(line) = self.connect(peer, node) {
                    self.send(line, &out);
                }
            }
            Item::Hostile { node, room, how, .. } => {
                let (hostile, out) = Hostile::new(how, number, room, seed);
                self.peers.push(Seat { peer: Peer::Hostile(hostile), line: None });
                if let Some(line) = self.connect(peer, node) {
                    self.send(line, &out);
                }
            }
            Item::Fault { fault, .. } => {
                self.note(|| format!("fault {number}: {fault:?}"), 3);
                return self.fail(fault);
            }
        }
        self.at(now, What::Peer(peer));
    }

    /// A peer's time has come.
    fn peer(&mut self, peer: usize) {
        let now = self.now;
        let again = now + SECOND / 50 + self.dice.below(SECOND / 10);
        let seat = &mut self.peers[peer];
        let line = seat.line;
        match (&mut seat.peer, line) {
            (Peer::Member(member), Some(line)) => {
                let (goes_on, out) = member.tick(now, &mut self.ledger);
                self.send(line, &out);
                if !goes_on {
                    self.note(|| format!("peer {peer} gives up on line {line}"), 4);
                    self.hang_up(line);
                }
            }
            (Peer::Member(member), None) => {
                if now >= member.retry_at {
                    let out = member.connect(now);
                    let node = self.dice.index(self.servers.len());
                    match self.connect(peer, node) {
                        Some(line) => self.send(line, &out),
                        None => {
                            if let Peer::Member(member) = &mut self.peers[peer].peer {
                                member.end(now);
                            }
                        }
                    }
                }
            }
            (Peer::Echo(echo), Some(line)) => {
                let out = echo.tick(now, self.is_mended);
                self.send(line, &out);
            }
            (Peer::Hostile(hostile), Some(line)) => match hostile.tick() {
                Deed::Send(bytes) => {
                    // Whoever floods is held back by its own window.
                    if self.network.on_the_way_up(line) < 50_000 {
                        self.send(line, &bytes);
                    }
                }
                Deed::Finish => {
                    self.network.finish(line);
                    self.moves_up(line);
                }
                Deed::Reset => {
                    self.network.reset(line);
                    self.hang_up(line);
                }
            },
            // They have had their time.
            (Peer::Echo(_) | Peer::Hostile(_), None) => return,
        }
        self.at(again, What::Peer(peer));
    }
}
