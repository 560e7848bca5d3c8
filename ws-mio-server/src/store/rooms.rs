//! Where the messages of each room stand in the file, and which of them are to go.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Failure;

#[derive(Debug)]
struct Room {
    id: i64,
    /// The offset of the first message in the file, or of the first one that the open transaction adds.
    first: u64,
    /// The places of messages in the file, from that one on.
    rows: VecDeque<i64>,
    /// Messages before this offset are to go.
    keep_from: u64,
    /// How many messages the open transaction adds.
    added: usize,
    /// Whether the open transaction made it.
    made: bool,
    /// Whether it is in the list of those with some messages to go, and of those with many.
    listed: (bool, bool),
    /// Whether the open transaction deletes messages of it.
    taken: bool,
}

impl Room {
    fn next(&self) -> u64 {
        let len = self.rows.len().saturating_add(self.added);
        self.first.saturating_add(u64::try_from(len).unwrap_or(u64::MAX))
    }

    /// How many messages are to go.
    fn stale(&self) -> usize {
        let stale = usize::try_from(self.keep_from.saturating_sub(self.first));
        stale.unwrap_or(usize::MAX).min(self.rows.len())
    }
}

/// A room with so many messages to go is worth the trouble while others are written.
const MANY: usize = 64;

#[derive(Debug)]
pub(super) struct Rooms {
    rooms: HashMap<Arc<str>, Room>,
    /// Rooms with messages to go, and those with many.
    some: VecDeque<Arc<str>>,
    many: VecDeque<Arc<str>>,
    /// One more than the highest offset of all rooms that are gone.
    floor: u64,
    next_room: i64,
    next_row: i64,
    /// What the open transaction adds, in order: the room of each message, and its place in the file.
    added: Vec<(Arc<str>, i64)>,
}

/// A place for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) room: i64,
    pub(super) row: i64,
    /// Whether the room is new.
    pub(super) new: bool,
}

/// The first messages of a room, which are to go.
#[derive(Debug)]
pub(super) struct Trim {
    room: Arc<str>,
    pub(super) rows: Vec<i64>,
}

impl Rooms {
    pub(super) fn new(floor: u64) -> Self {
        Self {
            rooms: HashMap::new(),
            some: VecDeque::new(),
            many: VecDeque::new(),
            floor,
            next_room: 1,
            next_row: 1,
            added: Vec::new(),
        }
    }

    /// A room of the file. `false` if its name is known already.
    pub(super) fn recover_room(&mut self, id: i64, name: &Arc<str>) -> bool {
        self.next_room = self.next_room.max(id.saturating_add(1));
        self.rooms.insert(Arc::clone(name), Room::new(id, 0, false)).is_none()
    }

    /// A message of the file; they come in the order of their places. Tells the offset of the room's next message, or
    /// nothing if this one does not follow the one before.
    pub(super) fn recover_message(&mut self, room: &str, offset: u64, row: i64) -> Option<u64> {
        self.next_row = self.next_row.max(row.saturating_add(1));
        let room = self.rooms.get_mut(room)?;
        if room.rows.is_empty() {
            room.first = offset;
        }
        if offset != room.next() {
            return None;
        }
        room.rows.push_back(row);
        Some(room.next())
    }

    /// A place for a message within the open transaction.
    pub(super) fn add(&mut self, name: &Arc<str>, offset: u64) -> Result<Place, Failure> {
        if offset == 0 || i64::try_from(offset).is_err() {
            return Err(Failure::OutOfRange);
        }
        let mut new = false;
        let room = if let Some(room) = self.rooms.get_mut(name) {
            let next = room.next();
            if offset != next {
                return Err(Failure::OutOfOrder(next));
            }
            room
        } else {
            new = true;
            let room = Room::new(self.next_room, offset, true);
            self.next_room = self.next_room.saturating_add(1);
            self.rooms.entry(Arc::clone(name)).or_insert(room)
        };
        let row = self.next_row;
        self.next_row = row.saturating_add(1);
        room.added = room.added.saturating_add(1);
        self.added.push((Arc::clone(name), row));
        Ok(Place { room: room.id, row, new })
    }

    /// The transaction's messages are in the file.
    pub(super) fn added(&mut self) {
        for (name, row) in std::mem::take(&mut self.added) {
            let Some(room) = self.rooms.get_mut(&name) else { continue };
            room.added = 0;
            room.made = false;
            room.rows.push_back(row);
            // It may have been trimmed before it was stored.
            if room.keep_from > room.first {
                self.list(&name);
            }
        }
    }

    /// The transaction's messages are not in the file.
    pub(super) fn not_added(&mut self) {
        for (name, _) in self.added.drain(..) {
            if let Some(room) = self.rooms.get_mut(&name) {
                room.added = 0;
                if room.made {
                    self.rooms.remove(&name);
                }
            }
        }
    }

    /// Messages before this offset are to go.
    pub(super) fn trim(&mut self, name: &Arc<str>, keep_from: u64) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.keep_from = room.keep_from.max(keep_from);
            self.list(name);
        }
    }

    fn list(&mut self, name: &Arc<str>) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let stale = room.stale();
        if stale > 0 && !room.listed.0 {
            room.listed.0 = true;
            self.some.push_back(Arc::clone(name));
        }
        if stale >= MANY && !room.listed.1 {
            room.listed.1 = true;
            self.many.push_back(Arc::clone(name));
        }
    }

    /// Whether messages are to go.
    pub(super) fn is_stale(&self) -> bool {
        !self.some.is_empty()
    }

    /// Up to so many messages that are to go, of rooms with many of them only, or of all.
    pub(super) fn stale(&mut self, budget: usize, only_many: bool) -> Vec<Trim> {
        let mut trims = Vec::new();
        let mut left = budget;
        while left > 0 {
            let (name, many) = match self.many.pop_front() {
                Some(name) => (name, true),
                None if only_many => break,
                None => match self.some.pop_front() {
                    Some(name) => (name, false),
                    None => break,
                },
            };
            let Some(room) = self.rooms.get_mut(&name) else { continue };
            if many {
                room.listed.1 = false;
            } else {
                room.listed.0 = false;
            }
            let len = room.stale().min(left);
            // It may stand in both lists, and is taken by one of them at a time.
            if len == 0 || room.taken {
                continue;
            }
            room.taken = true;
            left = left.saturating_sub(len);
            let rows = room.rows.iter().take(len).copied().collect();
            trims.push(Trim { room: name, rows });
        }
        trims
    }

    /// The room that has no messages in the file without these, and the floor then.
    pub(super) fn emptied(&self, trim: &Trim) -> Option<(i64, u64)> {
        let room = self.rooms.get(&trim.room)?;
        let emptied = room.added == 0 && room.rows.len() == trim.rows.len();
        emptied.then(|| (room.id, self.floor.max(room.next())))
    }

    /// These messages are gone from the file, or are not if that failed.
    pub(super) fn trimmed(&mut self, trims: Vec<Trim>, gone: bool) {
        for trim in trims {
            let Some(room) = self.rooms.get_mut(&trim.room) else { continue };
            room.taken = false;
            if gone {
                room.rows.drain(..trim.rows.len().min(room.rows.len()));
                let len = u64::try_from(trim.rows.len()).unwrap_or(u64::MAX);
                room.first = room.first.saturating_add(len);
                if room.rows.is_empty() {
                    self.floor = self.floor.max(room.first);
                    self.rooms.remove(&trim.room);
                    continue;
                }
            }
            self.list(&trim.room);
        }
    }

    /// All messages of a room that goes on behind its next offset, which it may if all of them are to go.
    pub(super) fn passed(&mut self, name: &Arc<str>, offset: u64) -> Option<Trim> {
        let room = self.rooms.get_mut(name)?;
        let next = room.next();
        if offset <= next || room.keep_from < next || room.added > 0 || room.taken {
            return None;
        }
        room.taken = true;
        Some(Trim { room: Arc::clone(name), rows: room.rows.iter().copied().collect() })
    }
}

impl Room {
    fn new(id: i64, first: u64, made: bool) -> Self {
        let rows = VecDeque::new();
        Self { id, first, rows, keep_from: 0, added: 0, made, listed: (false, false), taken: false }
    }
}
