//! Messages in order: each room's are delivered by their offsets, without gaps.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use super::{Asked, Node, Now, Out, State};
use crate::backplane::wire::{Ask, Page};
use crate::hub::{Hub, Id, Message};

/// How many messages of a room may wait for those before them, and their bytes; what comes beyond is read again.
const MOST_AHEAD: usize = 4096;
const MOST_AHEAD_BYTES: usize = 4 * 1024 * 1024;
/// How many messages are read at once.
const PAGE: usize = 1000;

/// Messages that came before those that are due before them.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    messages: BTreeMap<u64, Message>,
    bytes: usize,
    /// The highest offset that is known to be given.
    seen: u64,
}

impl Ahead {
    /// There is a message with this offset.
    pub(super) fn saw(&mut self, offset: u64) {
        self.seen = self.seen.max(offset);
    }

    /// Nothing is known of what is there.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Offsets are of another epoch from here on; what has come is looked at when it is due.
    pub(super) fn restart(&mut self) {
        self.seen = 0;
    }

    fn push(&mut self, message: Message) {
        let bytes = self.bytes.saturating_add(weight(&message));
        self.saw(message.id.offset);
        if self.messages.len() < MOST_AHEAD && bytes <= MOST_AHEAD_BYTES {
            self.bytes = bytes;
            // One of another epoch stands in nobody's way.
            if let Some(before) = self.messages.insert(message.id.offset, message) {
                self.bytes = self.bytes.saturating_sub(weight(&before));
            }
        }
    }

    /// The message behind this one; what is not behind it is dropped.
    fn next(&mut self, last: Id) -> Option<Message> {
        loop {
            let (offset, first) = self.messages.first_key_value()?;
            let is_due = *offset == last.offset.saturating_add(1);
            if !is_due && *offset > last.offset {
                return None;
            }
            let is_epoch = first.id.epoch == last.epoch;
            let (_, message) = self.messages.pop_first()?;
            self.bytes = self.bytes.saturating_sub(weight(&message));
            if is_due && is_epoch {
                return Some(message);
            }
        }
    }

    fn first(&self) -> Option<u64> {
        self.messages.keys().next().copied()
    }

    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }
}

fn weight(message: &Message) -> usize {
    message.content.len().saturating_add(message.user.len()).saturating_add(128)
}

impl<M: Copy + Eq + Hash, A> Node<M, A> {
    /// A message has come by subscription.
    pub(super) fn arrived(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        message: Message,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        match room.state {
            // It is read when the room is attached.
            State::Due(_) | State::Detaching(_) => return,
            State::Attaching(_) => return room.ahead.push(message),
            State::Attached => {}
        }
        let Some(last) = hub.numbered(name) else { return };
        if message.id.epoch != last.epoch {
            self.reattach(hub, name, now, out);
        } else if message.id.offset == last.offset.saturating_add(1) {
            self.deliver(hub, name, message, now, out);
            self.drain(hub, name, now, out);
            if self.rooms.get(name).is_some_and(|room| !room.arriving.is_empty()) {
                self.serve_arriving(hub, name, now, out);
            }
        } else if message.id.offset > last.offset {
            room.ahead.push(message);
            self.read_if_behind(hub, name, out);
        }
    }

    fn deliver(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &str,
        message: Message,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let mut effects = Vec::new();
        hub.take(name, message, now.unix, &mut effects);
        self.stats.delivered = self.stats.delivered.saturating_add(1);
        out.acts.extend(effects.into_iter().map(super::Act::Hub));
    }

    /// Delivers what has come before and is due now.
    pub(super) fn drain(&mut self, hub: &mut Hub<M, A>, name: &str, now: Now, out: &mut Out<M, A>) {
        while let Some(last) = hub.numbered(name)
            && let Some(room) = self.rooms.get_mut(name)
            && let Some(message) = room.ahead.next(last)
        {
            self.deliver(hub, name, message, now, out);
        }
    }

    /// Reads what is missing before what has come, or what is known to be there.
    pub(super) fn read_if_behind(&mut self, hub: &Hub<M, A>, name: &Arc<str>, out: &mut Out<M, A>) {
        let Some(room) = self.rooms.get(name) else { return };
        let Some(Id { offset: last, .. }) = hub.numbered(name) else { return };
        if room.reading.is_some() || room.state != State::Attached || room.ahead.seen <= last {
            return;
        }
        let before = room.ahead.first().map(|first| first.saturating_sub(1));
        let to = before.unwrap_or(room.ahead.seen);
        self.read_on(name, last, to, out);
    }

    /// Reads the messages behind `last`, up to another.
    pub(super) fn read_on(&mut self, name: &Arc<str>, last: u64, to: u64, out: &mut Out<M, A>) {
        let epoch = self.entropy();
        let (room, from) = (Arc::clone(name), last.saturating_add(1));
        let ask = Ask::Read { room, from, to, most: PAGE, newest: false, epoch };
        let tag = self.ask(Asked::Next(Arc::clone(name)), ask, out);
        if let Some(room) = self.rooms.get_mut(name) {
            room.reading = Some(tag);
        }
    }

    /// What was missing has been read.
    pub(super) fn read_next(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        tag: u64,
        page: Page,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(room) = self.rooms.get_mut(name).filter(|room| room.reading == Some(tag)) else {
            return;
        };
        room.reading = None;
        self.turn_page(hub, name, page, now, out);
        self.go_on(hub, name, now, out);
    }

    pub(super) fn not_read(&mut self, name: &str, tag: u64) {
        let Some(room) = self.rooms.get_mut(name).filter(|room| room.reading == Some(tag)) else {
            return;
        };
        room.reading = None;
        for arriving in &mut room.arriving {
            arriving.is_tried = false;
        }
    }

    /// Delivers messages that were read behind the last one.
    pub(super) fn turn_page(
        &mut self,
        hub: &mut Hub<M, A>,
        name: &Arc<str>,
        page: Page,
        now: Now,
        out: &mut Out<M, A>,
    ) {
        let Some(last) = hub.numbered(name) else { return };
        let Page { position, first, messages } = page;
        if position.epoch != last.epoch {
            return self.reattach(hub, name, now, out);
        }
        if let Some(room) = self.rooms.get_mut(name) {
            room.first = room.first.max(first);
        }
        // What is gone can't be had. If all is gone, the next message is the one behind the position.
        self.skip(hub, name, first.saturating_sub(1), out);
        let mut filled: u64 = 0;
        for message in messages {
            let next = hub.numbered(name).map(|id| id.offset.saturating_add(1));
            if next == Some(message.id.offset) && message.id.epoch == last.epoch {
                self.deliver(hub, name, message, now, out);
                filled = filled.saturating_add(1);
            }
        }
        self.stats.filled = self.stats.filled.saturating_add(filled);
        self.drain(hub, name, now, out);
        // Nothing has come of it, though something is there: the log itself has a hole.
        let to = self.rooms.get(name).and_then(|room| {
            let behind = room.ahead.first().map(|first| first.saturating_sub(1));
            let seen = room.ahead.seen.min(position.offset);
            behind.or(Some(seen)).filter(|to| *to > last.offset && *to <= position.offset)
        });
        if let Some(to) = to
            && hub.numbered(name) == Some(last)
        {
            self.skip(hub, name, to, out);
            self.drain(hub, name, now, out);
        }
    }

    /// Messages up to this one are lost, if they did not come.
    fn skip(&mut self, hub: &mut Hub<M, A>, name: &Arc<str>, to: u64, out: &mut Out<M, A>) {
        let Some(Id { offset: last, .. }) = hub.numbered(name) else { return };
        let lost = to.saturating_sub(last);
        if lost > 0 {
            hub.skip(name, to);
            self.stats.lost = self.stats.lost.saturating_add(lost);
            self.tell_members(hub, name, Some(lost), out);
        }
    }
}
