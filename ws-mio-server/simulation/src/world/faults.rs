//! What goes wrong, and how it is mended.

use super::{Peer, What, World};
use crate::plan::{Fault, SECOND};

impl World {
    /// The connection of the member that was the first, the second and so on to come.
    fn line_of(&self, member: usize) -> Option<usize> {
        let members = self.peers.iter().filter(|seat| matches!(seat.peer, Peer::Member(_)));
        members.into_iter().nth(member)?.line
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Cut { member, reset } => {
                if let Some(line) = self.line_of(member) {
                    self.lines[line].is_disturbed = true;
                    if reset {
                        self.network.reset(line);
                    }
                    self.hang_up(line);
                }
            }
            Fault::HalfOpen { member } => {
                if let Some(line) = self.line_of(member) {
                    (self.lines[line].is_dead, self.lines[line].is_disturbed) = (true, true);
                }
            }
            Fault::Stall { member, time } => {
                if let Some(line) = self.line_of(member) {
                    self.lines[line].is_disturbed = true;
                    self.lines[line].stalled_until = now + time;
                }
            }
            Fault::Freeze { node, time } => {
                self.disturb(node, time);
                let until = &mut self.servers[node].frozen_until;
                *until = (*until).max(now + time);
            }
            Fault::Kill { node, time } => {
                self.kill(node);
                self.at(now + time, What::Start(node));
            }
            Fault::Drain { node, within, time } => {
                self.disturb(node, within);
                if let Some(running) = &self.servers[node].node {
                    running.handle().drain(std::time::Duration::from_micros(within));
                    self.at(now + within + 3 * SECOND + time, What::Start(node));
                }
            }
            Fault::Exhaust { node, time } => {
                self.disturb(node, time);
                for port in self.servers[node].ports.clone() {
                    self.network.exhaust(port, true);
                }
                self.at(now + time, What::Enough(node));
            }
            Fault::Clock { node, by } => self.servers[node].wall += by * 1000,
            Fault::Unlink { node, time } => {
                self.cut_link(node);
                self.servers[node].unlinked_until = now + time;
            }
            Fault::Pause { time } => self.paused_until = self.paused_until.max(now + time),
            Fault::Restart { is_empty, time } => {
                for node in 0..self.servers.len() {
                    self.cut_link(node);
                    self.servers[node].unlinked_until = now + time;
                }
                self.log.lock().unwrap().restart((!is_empty).then_some(0));
            }
            Fault::LosePush { node } => self.servers[node].losses += 3,
        }
    }

    /// What happens on the connections of a node is its fault, for so long and some more.
    fn disturb(&mut self, node: usize, time: u64) {
        let until = &mut self.servers[node].troubled_until;
        *until = (*until).max(self.now + time + 6 * SECOND);
        for line in self.lines.iter_mut().filter(|line| line.node == node) {
            line.is_disturbed = true;
        }
    }

    fn kill(&mut self, node: usize) {
        if self.servers[node].node.is_none() {
            return;
        }
        self.disturb(node, 0);
        // What it would say as it ends does not come out.
        self.log.lock().unwrap().cut(node);
        let now = self.now;
        self.servers[node].stop(now);
        self.look_down(node);
    }

    /// All event loops of a node have stopped.
    pub(super) fn stopped(&mut self, node: usize) {
        self.note(|| format!("node {node} has stopped"), 5);
        self.disturb(node, 0);
        self.audit_stopped(node);
        let now = self.now;
        self.servers[node].stop(now);
        // Its last words come out.
        let mut log = self.log.lock().unwrap();
        while log.waiting(node).0 {
            log.work(node, now / 1000);
        }
        log.cut(node);
        drop(log);
        self.look_down(node);
    }

    pub(super) fn enough(&mut self, node: usize) {
        for port in self.servers[node].ports.clone() {
            self.network.exhaust(port, false);
        }
    }

    fn cut_link(&mut self, node: usize) {
        let event = self.log.lock().unwrap().cut(node);
        self.servers[node].is_linked = false;
        if let Some(event) = event {
            let now = self.now;
            self.servers[node].tell(now, event);
        }
    }

    /// Sees to it that a link goes on.
    pub(super) fn look_at_link(&mut self, node: usize) {
        let server = &self.servers[node];
        if server.is_link_due || server.on_event.is_none() {
            return;
        }
        let at = if server.is_linked {
            let (asked, replies, pushes) = self.log.lock().unwrap().waiting(node);
            if !(asked || replies || pushes) {
                return;
            }
            let late = if self.plan.scale.calm { 100 } else { 20 + self.dice.skewed(5000) };
            (self.now + late).max(self.paused_until).max(server.frozen_until)
        } else {
            (self.now + 1000).max(server.unlinked_until).max(self.paused_until)
        };
        self.servers[node].is_link_due = true;
        self.at(at, What::Link(node));
    }

    /// One step of a node's link to the log.
    pub(super) fn link(&mut self, node: usize) {
        let now = self.now;
        self.servers[node].is_link_due = false;
        let server = &self.servers[node];
        if server.on_event.is_none() || now < server.unlinked_until.max(self.paused_until) {
            return;
        }
        let event = if server.is_linked {
            let mut log = self.log.lock().unwrap();
            let (asked, replies, pushes) = log.waiting(node);
            match self.dice.below(3) {
                0 if asked => {
                    log.work(node, now / 1000);
                    None
                }
                1 if replies => log.reply(node),
                2 if pushes => {
                    if self.servers[node].losses > 0 {
                        self.servers[node].losses -= 1;
                        log.lose_push(node);
                    }
                    log.push(node)
                }
                _ => None,
            }
        } else {
            self.servers[node].is_linked = true;
            self.log.lock().unwrap().connect(node)
        };
        if let Some(event) = event {
            self.note(|| format!("log to node {node}: {event:?}"), 6);
            self.servers[node].tell(now, event);
        }
    }

    /// From here on, nothing goes wrong any more.
    pub(super) fn mend(&mut self) {
        self.note(|| "all is mended".to_owned(), 7);
        self.is_mended = true;
        let now = self.now;
        self.paused_until = now;
        for node in 0..self.servers.len() {
            let server = &mut self.servers[node];
            (server.frozen_until, server.unlinked_until, server.losses) = (now, now, 0);
            self.enough(node);
        }
        for line in &mut self.lines {
            line.stalled_until = line.stalled_until.min(now);
        }
    }
}
