//! All places that a connection can come to, and what happens there.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::string::String;
use std::vec::Vec;

use super::act::{ANY_TIME, Act, BEGUN, FRAMES, WITHIN};
use super::driver::{Driver, Outcome};
use super::place::Place;
use crate::Role;

pub(super) struct Walk {
    pub(super) steps: Vec<Step>,
}

/// What an event does at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: Place,
    /// Whether a Close frame has been sent on the way there.
    pub(super) said_close: bool,
    pub(super) act: Act,
    pub(super) outcome: Outcome,
}

impl Walk {
    pub(super) fn of_server() -> Self {
        let walk = Self::of(Driver::server, |_| ());
        let parked = Self::of(Driver::server, Driver::park);
        assert!(walk.steps == parked.steps, "that it was parked shows");
        walk
    }

    pub(super) fn of_client() -> Self {
        Self::of(Driver::client, |_| ())
    }

    /// Every place, and every event there, by the shortest way. `before` is done before each event.
    fn of<R: Role>(new: impl Fn() -> Driver<R>, before: impl Fn(&mut Driver<R>)) -> Self {
        let mut ways: BTreeMap<Place, Vec<Act>> = BTreeMap::from([(new().place(), Vec::new())]);
        let mut unseen: VecDeque<Place> = ways.keys().copied().collect();
        let mut steps = Vec::new();
        while let Some(from) = unseen.pop_front() {
            let way = ways[&from].clone();
            for act in events(from) {
                let mut driver = new();
                let mut apply = |act| {
                    before(&mut driver);
                    driver.apply(act)
                };
                let sent: Vec<String> = way.iter().flat_map(|act| apply(*act).sent).collect();
                let said_close = sent.iter().any(|frame| frame.starts_with("Close"));
                let outcome = apply(act);
                let to = outcome.after;
                if let Entry::Vacant(entry) = ways.entry(to) {
                    entry.insert(way.iter().copied().chain([act]).collect());
                    unseen.push_back(to);
                }
                steps.push(Step { from, said_close, act, outcome });
            }
        }
        Self { steps }
    }

    /// What happens at these places, step by step, in the order in which they were found.
    pub(super) fn at(&self, place: impl Fn(&Place) -> bool) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| place(&step.from))
    }
}

/// What can happen at a place. In the middle of a frame no other can begin.
fn events(place: Place) -> impl Iterator<Item = Act> {
    let frames: [&[Act]; 3] =
        if place.is_at_frame() { [FRAMES, BEGUN, ANY_TIME] } else { [WITHIN, ANY_TIME, &[]] };
    frames.into_iter().flatten().copied()
}
