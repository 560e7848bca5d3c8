//! Where the messages of each room stand in the file, and which of them are to go.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use super::Failure;

#[derive(Debug)]
struct Room {
    id: i64,
    /// The offset of the first message that is kept; of the next one if there is none.
    first: u64,
    /// The places of messages that are kept, from that one on.
    rows: VecDeque<i64>,
    /// Messages before this offset are to go.
    keep_from: u64,
    /// How many messages the open transaction adds.
    added: usize,
}

impl Room {
    const fn new(id: i64, first: u64) -> Self {
        Self { id, first, rows: VecDeque::new(), keep_from: 0, added: 0 }
    }

    fn next(&self) -> u64 {
        let len = self.rows.len().saturating_add(self.added);
        self.first.saturating_add(u64::try_from(len).unwrap_or(u64::MAX))
    }
}

/// What the file has of a room.
#[derive(Debug)]
struct Held {
    name: Arc<str>,
    /// How many messages, those to go among them.
    rows: usize,
}

#[derive(Debug)]
pub(super) struct Rooms {
    rooms: HashMap<Arc<str>, Room>,
    held: HashMap<i64, Held>,
    /// Messages that are to go, each with its room. The oldest go first: they stand together in the file, whichever
    /// their rooms, and of a room there never is a later one without those before it.
    stale: BinaryHeap<Reverse<(i64, i64)>>,
    /// One more than the highest offset of all rooms that are gone.
    floor: u64,
    next_room: i64,
    next_row: i64,
    /// What the open transaction adds, in order: the room of each message, and its place in the file.
    added: Vec<(Arc<str>, i64)>,
    /// What rooms were that the open transaction replaces.
    replaced: Vec<(Arc<str>, Room)>,
}

/// A place for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) room: i64,
    pub(super) row: i64,
    /// Whether the room is new.
    pub(super) new: bool,
}

/// Messages that go.
#[derive(Debug, Default)]
pub(super) struct Trim {
    rows: Vec<(i64, i64)>,
}

impl Trim {
    pub(super) fn rows(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().map(|(row, _)| *row)
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Rooms {
    pub(super) fn new(floor: u64) -> Self {
        Self {
            rooms: HashMap::new(),
            held: HashMap::new(),
            stale: BinaryHeap::new(),
            floor,
            next_room: 1,
            next_row: 1,
            added: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// A room of the file; they come in the order of their ids. If there are several of a name, all messages of
    /// those before the last were to go.
    pub(super) fn recover_room(&mut self, id: i64, name: &Arc<str>) {
        self.next_room = self.next_room.max(id.saturating_add(1));
        self.held.insert(id, Held { name: Arc::clone(name), rows: 0 });
        self.rooms.insert(Arc::clone(name), Room::new(id, 0));
    }

    /// A message of the file; they come in the order of their places. Tells whether it is to be kept, or what is
    /// wrong with it.
    pub(super) fn recover_message(
        &mut self,
        id: i64,
        offset: u64,
        row: i64,
    ) -> Result<bool, String> {
        self.next_row = self.next_row.max(row.saturating_add(1));
        let missing = || format!("there is no room {id}");
        let held = self.held.get_mut(&id).ok_or_else(missing)?;
        held.rows = held.rows.saturating_add(1);
        let room = self.rooms.get_mut(&held.name).ok_or_else(missing)?;
        if room.id != id {
            self.stale.push(Reverse((row, id)));
            return Ok(false);
        }
        if room.rows.is_empty() {
            room.first = offset;
        }
        if offset != room.next() {
            return Err(format!("the messages of {:?} have a gap before {offset}", held.name));
        }
        room.rows.push_back(row);
        Ok(true)
    }

    /// A room of the file that has no messages there, which there is none of.
    pub(super) fn recover_end(&self) -> Result<(), String> {
        match self.held.values().find(|held| held.rows == 0) {
            Some(held) => Err(format!("the room {:?} has no messages", held.name)),
            None => Ok(()),
        }
    }

    /// A place for a message within the open transaction.
    pub(super) fn add(&mut self, name: &Arc<str>, offset: u64) -> Result<Place, Failure> {
        if offset == 0 || i64::try_from(offset).is_err() {
            return Err(Failure::OutOfRange);
        }
        let mut new = false;
        let room = match self.rooms.get_mut(name) {
            Some(room) if room.next() == offset => room,
            Some(room) if room.next() > offset || !room.rows.is_empty() || room.added > 0 => {
                return Err(Failure::OutOfOrder(room.next()));
            }
            known => {
                let is_known = known.is_some();
                new = true;
                let room = Room::new(self.next_room, offset);
                self.next_room = self.next_room.saturating_add(1);
                if is_known && let Some(replaced) = self.rooms.remove(name) {
                    self.replaced.push((Arc::clone(name), replaced));
                }
                self.rooms.entry(Arc::clone(name)).or_insert(room)
            }
        };
        let row = self.next_row;
        self.next_row = row.saturating_add(1);
        room.added = room.added.saturating_add(1);
        self.added.push((Arc::clone(name), row));
        if new {
            self.held.insert(room.id, Held { name: Arc::clone(name), rows: 0 });
        }
        if let Some(held) = self.held.get_mut(&room.id) {
            held.rows = held.rows.saturating_add(1);
        }
        Ok(Place { room: room.id, row, new })
    }

    /// The transaction's messages are in the file.
    pub(super) fn added(&mut self) {
        self.replaced.clear();
        for (name, row) in std::mem::take(&mut self.added) {
            let Some(room) = self.rooms.get_mut(&name) else { continue };
            room.added = 0;
            room.rows.push_back(row);
            // It may have been trimmed before it was stored.
            if room.keep_from > room.first {
                let keep_from = room.keep_from;
                self.trim(&name, keep_from);
            }
        }
    }

    /// The transaction's messages are not in the file.
    pub(super) fn not_added(&mut self) {
        for (name, _) in self.added.drain(..) {
            let Some(room) = self.rooms.get_mut(&name) else { continue };
            room.added = 0;
            let Some(held) = self.held.get_mut(&room.id) else { continue };
            held.rows = held.rows.saturating_sub(1);
            if held.rows == 0 {
                self.held.remove(&room.id);
                self.rooms.remove(&name);
            }
        }
        self.rooms.extend(self.replaced.drain(..));
    }

    /// Messages before this offset are to go.
    pub(super) fn trim(&mut self, name: &Arc<str>, keep_from: u64) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        room.keep_from = room.keep_from.max(keep_from);
        while room.first < room.keep_from
            && let Some(row) = room.rows.pop_front()
        {
            room.first = room.first.saturating_add(1);
            self.stale.push(Reverse((row, room.id)));
        }
    }

    /// How many messages are to go.
    pub(super) fn stale(&self) -> usize {
        self.stale.len()
    }

    /// Up to so many messages that are to go.
    pub(super) fn take_stale(&mut self, most: usize) -> Trim {
        let rows = std::iter::from_fn(|| self.stale.pop()).map(|Reverse(row)| row);
        Trim { rows: rows.take(most).collect() }
    }

    /// The rooms of which these messages are the last in the file, and the floor without them.
    pub(super) fn emptied(&self, trim: &Trim) -> (Vec<i64>, u64) {
        let mut counts = HashMap::new();
        for (_, room) in &trim.rows {
            let count: &mut usize = counts.entry(*room).or_default();
            *count = count.saturating_add(1);
        }
        let is_empty =
            |(id, count): &(i64, usize)| self.held.get(id).is_none_or(|held| held.rows <= *count);
        let emptied: Vec<_> = counts.into_iter().filter(is_empty).map(|(id, _)| id).collect();
        let ends = emptied.iter().filter_map(|id| {
            let room = self.rooms.get(&self.held.get(id)?.name)?;
            (room.id == *id).then(|| room.next())
        });
        let floor = ends.fold(self.floor, u64::max);
        (emptied, floor)
    }

    /// These messages are gone from the file, and with them these rooms.
    pub(super) fn trimmed(&mut self, trim: &Trim, emptied: &[i64], floor: u64) {
        self.floor = floor;
        for (_, room) in &trim.rows {
            if let Some(held) = self.held.get_mut(room) {
                held.rows = held.rows.saturating_sub(1);
            }
        }
        for id in emptied {
            let Some(held) = self.held.remove(id) else { continue };
            if self.rooms.get(&held.name).is_some_and(|room| room.id == *id) {
                self.rooms.remove(&held.name);
            }
        }
    }

    /// They are not gone.
    pub(super) fn not_trimmed(&mut self, trim: Trim) {
        self.stale.extend(trim.rows.into_iter().map(Reverse));
    }
}
