//! What all members have seen, put side by side, and what was found.

use std::collections::HashMap;

use ws_mio_server::hub::Id;

/// What was said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) room: usize,
    pub(super) text: String,
    pub(super) acknowledged: Vec<Id>,
    heard: Vec<Id>,
}

/// What is known of all rooms.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) said: Vec<Said>,
    heard: HashMap<(usize, Id), usize>,
    /// The last id of each room that was acknowledged.
    acknowledged: HashMap<usize, Id>,
    pub(super) deliveries: u64,
    pub(super) recovered: u64,
    /// Rooms forget what was said long ago, and with it that it was.
    forgets: bool,
    /// Nodes that can't reach the log let in whom they can't tell what it missed: what it names may be news to them.
    pub(super) guesses: bool,
    pub(super) found: Option<String>,
}

impl Ledger {
    pub(super) fn new(forgets: bool, guesses: bool) -> Self {
        Self { forgets, guesses, ..Self::default() }
    }

    /// The first finding counts.
    pub(super) fn find(&mut self, what: impl FnOnce() -> String) {
        if self.found.is_none() {
            self.found = Some(what());
        }
    }

    /// Somebody says something; its number is what it says.
    pub(super) fn say(&mut self, room: usize, size: u64) -> usize {
        let number = self.said.len();
        let text = format!("{number} {}", ".".repeat(size as usize));
        self.said.push(Said { room, text, acknowledged: Vec::new(), heard: Vec::new() });
        number
    }

    /// A member got this.
    pub(super) fn hear(&mut self, room: usize, id: Id, text: &str) {
        let number: Option<usize> = text.split(' ').next().and_then(|number| number.parse().ok());
        let Some((number, said)) = number
            .and_then(|number| Some((number, self.said.get_mut(number)?)))
            .filter(|(_, said)| said.room == room && said.text == text)
        else {
            return self
                .find(|| format!("room {room} got {text:?} as {id}, which nobody said there"));
        };
        self.deliveries += 1;
        match self.heard.insert((room, id), number) {
            Some(before) if before != number => {
                self.find(|| format!("room {room}: {id} is {number} here and {before} elsewhere"));
            }
            Some(_) => {}
            None => {
                let twice = said.heard.iter().any(|other| other.epoch == id.epoch);
                said.heard.push(id);
                if twice && !self.forgets {
                    self.find(|| format!("room {room}: {number} was said again as {id}"));
                }
            }
        }
    }

    /// What an id has meant to somebody.
    pub(super) fn meaning(&self, room: usize, id: Id) -> Option<usize> {
        self.heard.get(&(room, id)).copied()
    }

    /// Whether an id that was acknowledged is of a message behind that one.
    pub(super) fn goes_on(&self, room: usize, id: Id) -> bool {
        let last = self.acknowledged.get(&room);
        last.is_some_and(|last| last.epoch == id.epoch && last.offset > id.offset)
    }

    pub(super) fn acknowledge(&mut self, room: usize, number: usize, id: Id) {
        match self.said.get_mut(number).filter(|said| said.room == room) {
            Some(said) => {
                said.acknowledged.push(id);
                let last = self.acknowledged.entry(room).or_insert(id);
                if last.epoch != id.epoch || last.offset < id.offset {
                    *last = id;
                }
            }
            None => self.find(|| format!("room {room}: {number} was acknowledged, and never said")),
        }
    }
}
