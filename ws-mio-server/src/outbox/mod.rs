//! What waits to be sent to one peer.

mod piece;
mod wire;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use crate::arriving::Arriving;
use piece::Piece;
use wire::Wire;

/// How many pieces one `writev` sends.
pub(crate) const BATCH: usize = 64;

/// Small replies are gathered in one piece up to this size.
const GATHER: usize = 16 * 1024;

/// Shared frames up to this size are copied when many wait: references to them would take more memory
/// than the limit of bytes that may wait is meant to allow, and more writes.
const SMALL: usize = 256;

/// The first byte of a pong.
const PONG: u8 = 0x8a;

/// A queue of bytes in pieces: a connection's own, and frames shared with other connections.
///
/// Control frames have a lane of their own: they go out at the next end of a frame.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    /// Control frames that pass what else waits, and how much of the first is sent.
    control: VecDeque<Box<[u8]>>,
    control_sent: usize,
    /// All bytes that wait.
    len: usize,
    /// Those of them that are of messages that may be dropped, one that is being sent included.
    droppable: usize,
    /// Those of them that the peer has asked for.
    asked: usize,
    /// How far the frame is that was sent last.
    wire: Wire,
    /// Messages that were dropped and not told of: nothing behind them goes out until they are.
    gap: u32,
    /// Messages that were dropped at all.
    dropped: u32,
}

/// Whether a frame must reach the peer as long as its connection lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    Kept,
    /// It must, and the peer has asked for it: however long that is, it is no sign of a slow peer.
    Asked,
    /// It may be dropped, where the route says so.
    Droppable,
}

/// What was taken out of an outbox without being sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) messages: u32,
    pub(crate) bytes: usize,
}

impl Outbox {
    /// One in which nothing waits.
    pub(crate) const fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            sent: 0,
            control: VecDeque::new(),
            control_sent: 0,
            len: 0,
            droppable: 0,
            asked: 0,
            wire: Wire::Boundary,
            gap: 0,
            dropped: 0,
        }
    }

    /// Bytes that wait.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Those of them that the peer has not asked for: what is limited.
    pub(crate) const fn unasked(&self) -> usize {
        self.len.saturating_sub(self.asked)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether nothing waits, and nothing is to be told.
    pub(crate) const fn is_idle(&self) -> bool {
        self.len == 0 && self.gap == 0 && self.dropped == 0
    }

    /// Bytes that wait and can't be dropped, but for control frames.
    pub(crate) fn owed(&self) -> usize {
        let control = self.control_len();
        self.len.saturating_sub(self.droppable).saturating_sub(control)
    }

    /// How many messages were dropped.
    pub(crate) const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Whether all that was dropped was told of.
    pub(crate) const fn has_no_gap(&self) -> bool {
        self.gap == 0
    }

    /// How many messages were dropped that are to be told of, if now is the time for it: what was sent ends
    /// with a whole frame.
    pub(crate) fn gap(&self) -> Option<u32> {
        (self.gap > 0 && self.wire.is_boundary() && self.control_sent == 0).then_some(self.gap)
    }

    /// The gap was told of, and this is what was said: it goes before all that waits.
    pub(crate) fn fill_gap(&mut self, bytes: &[u8]) {
        self.gap = 0;
        if !bytes.is_empty() {
            self.len = self.len.saturating_add(bytes.len());
            if let Some(first) = self.pieces.front_mut() {
                first.skip(self.sent);
            }
            self.sent = 0;
            self.pieces.push_front(Piece::Own(bytes.to_vec()));
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.len = self.len.saturating_add(bytes.len());
        match self.pieces.back_mut() {
            Some(Piece::Own(last)) if last.len() < GATHER => last.extend_from_slice(bytes),
            _ => self.pieces.push_back(Piece::Own(bytes.to_vec())),
        }
    }

    /// Queues part of a large message.
    pub(crate) fn push_message(&mut self, message: Arriving, part: Range<usize>) {
        if !part.is_empty() {
            self.len = self.len.saturating_add(part.len());
            self.pieces.push_back(Piece::Message(message, part));
        }
    }

    /// Queues whole frames that others get, too.
    pub(crate) fn push_shared(&mut self, frames: Arc<[u8]>, worth: Worth) {
        let gathers = frames.len() <= SMALL && self.pieces.len() >= BATCH;
        if frames.is_empty() || (gathers && worth == Worth::Kept) {
            return self.push(&frames);
        }
        self.len = self.len.saturating_add(frames.len());
        match worth {
            Worth::Kept => {}
            Worth::Asked => self.asked = self.asked.saturating_add(frames.len()),
            Worth::Droppable => self.droppable = self.droppable.saturating_add(frames.len()),
        }
        match self.pieces.back_mut() {
            Some(Piece::Gathered { bytes, worth: theirs, .. })
                if gathers && *theirs == worth && bytes.len() < GATHER =>
            {
                bytes.extend_from_slice(&frames);
            }
            _ if gathers => {
                self.pieces.push_back(Piece::Gathered { bytes: frames.to_vec(), from: 0, worth });
            }
            _ => self.pieces.push_back(Piece::Shared { bytes: frames, from: 0, worth }),
        }
    }

    /// Queues a control frame, to go out before all else, at the end of a frame. Only the newest pong is
    /// owed (RFC 6455 §5.5.3).
    pub(crate) fn push_control(&mut self, frame: &[u8]) {
        if frame.is_empty() {
            return;
        }
        let begun = usize::from(self.control_sent > 0);
        if frame.first() == Some(&PONG) {
            let older = self.control.iter().skip(begun).position(|f| f.first() == Some(&PONG));
            let older = older.and_then(|i| self.control.remove(i.saturating_add(begun)));
            self.len = self.len.saturating_sub(older.map_or(0, |frame| frame.len()));
        }
        self.len = self.len.saturating_add(frame.len());
        self.control.push_back(frame.into());
    }

    /// These bytes were sent before anything was queued, and what is queued next goes on where they end.
    pub(crate) fn begin_behind(&mut self, sent: &[u8]) {
        self.wire.follow_all(sent);
    }

    /// What waits, and so many bytes of what is queued next, are what was answered before there were frames: it
    /// goes out in one, like a frame.
    pub(crate) fn begin_head(&mut self, len: usize) {
        self.wire = Wire::within(self.len.saturating_add(len));
    }

    /// The first pieces, for a vectored write; none while a gap is to be told of.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; BATCH]) -> usize {
        if self.passes_control() {
            return fill(slices, self.control.iter().map(AsRef::as_ref), self.control_sent);
        }
        let pieces = self.pieces.iter().map(Piece::bytes);
        if self.control.is_empty() && self.gap == 0 {
            return fill(slices, pieces, self.sent);
        }
        // To the end of the frame that is being sent, and no further.
        let mut left = self.to_boundary();
        let (mut skip, mut filled) = (self.sent, 0_usize);
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            let piece = piece.get(skip..).unwrap_or_default();
            skip = 0;
            let piece = piece.get(..left.min(piece.len())).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            left = left.saturating_sub(piece.len());
            *slice = IoSlice::new(piece);
            filled = filled.saturating_add(1);
        }
        filled
    }

    /// The first `n` bytes of what [`slices`](Self::slices) gives are sent.
    pub(crate) fn advance(&mut self, n: usize) {
        if n == self.len && self.control.is_empty() {
            // What nearly always is so: all of it, and so whole frames.
            self.pieces.clear();
            (self.sent, self.len, self.droppable, self.asked) = (0, 0, 0, 0);
            self.wire = Wire::Boundary;
            return;
        }
        self.len = self.len.saturating_sub(n);
        if self.passes_control() {
            self.control_sent = self.control_sent.saturating_add(n);
            while let Some(first) = self.control.front() {
                let Some(rest) = self.control_sent.checked_sub(first.len()) else { break };
                self.control_sent = rest;
                self.control.pop_front();
            }
            return;
        }
        let mut left = n;
        while let Some(first) = self.pieces.front() {
            let bytes = first.bytes().get(self.sent..).unwrap_or_default();
            let now = left.min(bytes.len());
            self.wire.follow_all(bytes.get(..now).unwrap_or_default());
            match first.worth() {
                Worth::Kept => {}
                Worth::Asked => self.asked = self.asked.saturating_sub(now),
                Worth::Droppable => self.droppable = self.droppable.saturating_sub(now),
            }
            left = left.saturating_sub(now);
            if now < bytes.len() {
                self.sent = self.sent.saturating_add(now);
                break;
            }
            self.sent = 0;
            self.pieces.pop_front();
        }
        if self.len == 0 {
            self.wire = Wire::Boundary;
        }
    }

    /// Drops the oldest messages that may be, until no more than `most` bytes wait beside what was asked for, if
    /// there are so many.
    pub(crate) fn drop_oldest(&mut self, most: usize) -> Dropped {
        let mut excess = self.unasked().saturating_sub(most);
        let mut dropped = Dropped::default();
        // The frame that is being sent stays whole, and what is gathered with it.
        let mut is_begun = self.sent > 0;
        self.pieces.retain_mut(|piece| {
            if excess == 0 || std::mem::take(&mut is_begun) {
                return true;
            }
            if piece.worth() != Worth::Droppable {
                return true;
            }
            while excess > 0 && !piece.bytes().is_empty() {
                let n = Wire::default().follow(piece.bytes());
                dropped.add(1, n);
                excess = excess.saturating_sub(n);
                piece.skip(n);
            }
            !piece.bytes().is_empty()
        });
        self.len = self.len.saturating_sub(dropped.bytes);
        self.droppable = self.droppable.saturating_sub(dropped.bytes);
        self.gap = self.gap.saturating_add(dropped.messages);
        self.dropped = self.dropped.saturating_add(dropped.messages);
        dropped
    }

    /// Drops all but the rest of the frame that is being sent: nothing follows but control frames.
    pub(crate) fn cut(&mut self) -> Dropped {
        let mut keep = self.to_boundary();
        let mut dropped = Dropped::default();
        let (mut wire, mut skip) = (Wire::default(), self.sent);
        if keep == 0 {
            self.sent = 0;
        }
        self.pieces.retain_mut(|piece| {
            let rest = piece.bytes().get(skip..).unwrap_or_default();
            let (kept, cut) = rest.split_at(keep.min(rest.len()));
            let n = kept.len();
            dropped.add(wire.follow_all(cut), cut.len());
            piece.truncate(skip.saturating_add(n));
            skip = 0;
            keep = keep.saturating_sub(n);
            n > 0
        });
        self.pieces.shrink_to_fit();
        // What is left goes out like a reply.
        (self.droppable, self.asked, self.gap) = (0, 0, 0);
        self.pieces.iter_mut().for_each(Piece::keep);
        self.len = self.len.saturating_sub(dropped.bytes);
        self.dropped = self.dropped.saturating_add(dropped.messages);
        dropped
    }

    /// All that waits, control frames included, as if it were dropped.
    pub(crate) fn rest(&self) -> Dropped {
        let (mut wire, mut skip) = (self.wire, self.sent);
        let mut messages: u32 = 0;
        for piece in &self.pieces {
            let bytes = piece.bytes().get(skip..).unwrap_or_default();
            skip = 0;
            messages = messages.saturating_add(wire.follow_all(bytes));
        }
        Dropped { messages, bytes: self.len }
    }

    /// Whether control frames are what is sent next.
    fn passes_control(&self) -> bool {
        !self.control.is_empty() && (self.control_sent > 0 || self.wire.is_boundary())
    }

    fn control_len(&self) -> usize {
        let sum = self.control.iter().fold(0_usize, |sum, frame| sum.saturating_add(frame.len()));
        sum.saturating_sub(self.control_sent)
    }

    /// How many bytes are left of the frame that is being sent.
    fn to_boundary(&self) -> usize {
        let (mut wire, mut skip, mut count) = (self.wire, self.sent, 0_usize);
        for piece in &self.pieces {
            if wire.is_boundary() {
                break;
            }
            count =
                count.saturating_add(wire.follow(piece.bytes().get(skip..).unwrap_or_default()));
            skip = 0;
        }
        count
    }
}

impl Dropped {
    fn add(&mut self, messages: u32, bytes: usize) {
        self.messages = self.messages.saturating_add(messages);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// Fills slices with pieces, but for the first `skip` bytes of the first one.
fn fill<'a>(
    slices: &mut [IoSlice<'a>; BATCH],
    pieces: impl Iterator<Item = &'a [u8]>,
    mut skip: usize,
) -> usize {
    let mut filled: usize = 0;
    for (slice, piece) in slices.iter_mut().zip(pieces) {
        *slice = IoSlice::new(piece.get(skip..).unwrap_or_default());
        skip = 0;
        filled = filled.saturating_add(1);
    }
    filled
}

#[cfg(test)]
mod tests;
