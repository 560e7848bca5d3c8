//! Which nodes live: each renews its lease in the log, and sees those of all others as it does.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::wire::{Answer, Ask, Event, Request};

/// What has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// All nodes that live, this one among them.
    pub alive: HashSet<Arc<str>>,
    /// Those that lived, and do so no more.
    pub gone: Vec<Arc<str>>,
    /// Others may have taken this node for gone: it was late.
    pub was_late: bool,
}

/// The lease of a node, and what it knows of those of others.
///
/// A node that crashes is gone everywhere within `within`: its lease is 0.7 of that, and is looked at eight
/// times as often. Nobody is taken for gone by a node that has just been cut off itself, for then all may have
/// been.
#[derive(Debug)]
pub struct Lease {
    name: Arc<str>,
    /// For how long, in milliseconds.
    lease: u64,
    every: u64,
    is_up: bool,
    /// The tag of its requests.
    tag: u64,
    /// When what was asked last was asked, if it is not answered.
    asked: Option<u64>,
    next: u64,
    /// When the lease was renewed last, as far as is known.
    renewed: Option<u64>,
    /// Since when it was renewed in time each time.
    steady: u64,
    /// When it is told once more that this node lives.
    late: Option<u64>,
    /// Nodes that live.
    alive: HashSet<Arc<str>>,
}

impl Lease {
    /// A node that does not know of others yet; `tag` is that of its requests, and of nobody else's.
    #[must_use]
    pub fn new(name: &str, within: Duration, tag: u64) -> Self {
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        Self {
            name: Arc::from(name),
            lease: Self::length(within),
            every: (within / 8).max(1),
            is_up: false,
            tag: tag.max(1),
            asked: None,
            next: 0,
            renewed: None,
            steady: 0,
            late: None,
            alive: HashSet::new(),
        }
    }

    /// How long leases are, in milliseconds, so that a node that crashes is gone within so many everywhere.
    #[must_use]
    pub const fn length(within: u64) -> u64 {
        let tenth = within / 10;
        let length = tenth.saturating_mul(7);
        if length == 0 { 1 } else { length }
    }

    /// The tag of its requests.
    #[must_use]
    pub const fn tag(&self) -> u64 {
        self.tag
    }

    /// Asks for what is due at `now`, in milliseconds that never go back. To be called several times a second.
    pub fn tick(&mut self, now: u64) -> Option<Request> {
        let is_asked = self.asked.is_some_and(|at| at.saturating_add(self.lease) > now);
        if !self.is_up || is_asked || now < self.next {
            return None;
        }
        (self.asked, self.next) = (Some(now), now.saturating_add(self.every));
        let (node, lease) = (Arc::clone(&self.name), Duration::from_millis(self.lease));
        Some(Request { tag: self.tag, ask: Ask::Renew { node, lease } })
    }

    /// Ends the lease: the node is about to stop.
    #[must_use]
    pub fn resign(&self) -> Request {
        Request { tag: 0, ask: Ask::Resign { node: Arc::clone(&self.name) } }
    }

    /// Takes what the engine tells, if it is of leases.
    pub fn handle(&mut self, event: &Event, now: u64) -> Option<Peers> {
        match event {
            Event::Up => {
                (self.is_up, self.asked, self.next) = (true, None, now);
                None
            }
            Event::Down { .. } => {
                (self.is_up, self.asked) = (false, None);
                None
            }
            Event::Reply { tag, result } if *tag == self.tag => {
                let asked = self.asked.take()?;
                match result {
                    Ok(Answer::Nodes(nodes)) => Some(self.renewed(nodes, asked, now)),
                    _ => None,
                }
            }
            Event::Reply { .. } | Event::Push(_) => None,
        }
    }

    fn renewed(&mut self, nodes: &[(Arc<str>, Duration)], asked: u64, now: u64) -> Peers {
        // The lease runs from when the log has taken the request, at the earliest when it was sent.
        let before = self.renewed.replace(asked);
        let gap = now.saturating_sub(before.unwrap_or(asked));
        if before.is_none() || gap > self.lease / 2 {
            self.steady = now;
        }
        let is_late = gap >= self.lease;
        let mut was_late = is_late;
        if is_late || before.is_none() {
            // Somebody who had looked before this may still forget us: so it is told once more.
            self.late = Some(now.saturating_add(self.lease));
        } else if self.late.is_some_and(|late| late <= now) {
            (self.late, was_late) = (None, true);
        }
        let living = nodes.iter().filter(|(_, left)| !left.is_zero());
        let living: HashSet<_> = living.map(|(node, _)| Arc::clone(node)).collect();
        let mut gone = Vec::new();
        // By now, everybody who lives has had the time to renew its lease.
        if now.saturating_sub(self.steady) >= self.lease {
            let own = Arc::clone(&self.name);
            let is_gone = |node: &Arc<str>| *node != own && !living.contains(node);
            gone = self.alive.extract_if(is_gone).collect();
            gone.sort_unstable();
        }
        self.alive.extend(living);
        Peers { alive: self.alive.clone(), gone, was_late }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Event, Lease, Peers};
    use std::sync::Arc;
    use std::time::Duration;

    fn renew(lease: &mut Lease, now: u64, nodes: &[(&str, u64)]) -> Peers {
        assert!(lease.tick(now).is_some(), "due at {now}");
        answer(lease, now, nodes)
    }

    fn answer(lease: &mut Lease, now: u64, nodes: &[(&str, u64)]) -> Peers {
        let nodes = nodes.iter().map(|(n, left)| (Arc::from(*n), Duration::from_millis(*left)));
        let result = Ok(Answer::Nodes(nodes.collect()));
        lease.handle(&Event::Reply { tag: 7, result }, now).unwrap()
    }

    #[test]
    fn a_node_that_crashes_is_gone_within_the_time() {
        let mut lease = Lease::new("a", Duration::from_secs(10), 7);
        assert_eq!(lease.tick(0), None, "there is no link");
        lease.handle(&Event::Up, 0);
        // The other renews its lease for the last time at 20,000: it has 7,000.
        for now in (0..=26_250).step_by(1250) {
            let left = if now <= 20_000 { 7_000 } else { 27_000_u64.saturating_sub(now) };
            let peers = renew(&mut lease, now, &[("a", 7_000), ("b", left)]);
            assert_eq!(peers.gone.len(), 0, "at {now}");
            assert_eq!(peers.alive.len(), 2);
            assert_eq!(peers.was_late, now == 7_500, "once, as it is new");
        }
        let peers = renew(&mut lease, 27_500, &[("a", 7_000)]);
        assert_eq!(peers.gone, [Arc::<str>::from("b")]);
        assert_eq!(peers.alive.len(), 1);
    }

    #[test]
    fn nobody_is_gone_for_one_who_was_cut_off() {
        let mut lease = Lease::new("a", Duration::from_secs(10), 7);
        lease.handle(&Event::Up, 0);
        for now in (0..=10_000).step_by(1250) {
            renew(&mut lease, now, &[("a", 7_000), ("b", 7_000)]);
        }
        lease.handle(&Event::Down { why: "gone".into() }, 10_100);
        assert_eq!(lease.tick(11_250), None);
        lease.handle(&Event::Up, 40_000);
        let peers = renew(&mut lease, 40_000, &[("a", 7_000)]);
        assert!(peers.was_late && peers.gone.is_empty() && peers.alive.len() == 2, "{peers:?}");
        // Nobody else came back in the time of a lease.
        let mut told_again = false;
        for now in (41_250..47_000).step_by(1250) {
            let peers = renew(&mut lease, now, &[("a", 7_000)]);
            assert!(peers.gone.is_empty(), "at {now}");
            told_again |= peers.was_late;
        }
        assert!(!told_again);
        let peers = renew(&mut lease, 47_500, &[("a", 7_000)]);
        assert!(peers.was_late, "once more");
        assert_eq!(peers.gone, [Arc::<str>::from("b")]);
    }

    #[test]
    fn a_log_that_does_not_answer_is_asked_again_later() {
        let mut lease = Lease::new("a", Duration::from_secs(10), 7);
        lease.handle(&Event::Up, 0);
        assert!(lease.tick(0).is_some());
        assert!(lease.tick(6_999).is_none());
        assert!(lease.tick(7_000).is_some());
        let peers = answer(&mut lease, 7_001, &[("a", 7_000)]);
        assert!(!peers.was_late);
    }
}
