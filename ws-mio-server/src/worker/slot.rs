//! One connection's socket and session.

use std::io::{self, ErrorKind, IoSlice};

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;

use slotmap::Key as _;

use crate::context::Context;
use crate::cork::LARGE;
use crate::frame::Frame;
use crate::id::Key;
use crate::mailbox::Publication;
use crate::outbox::{BATCH, Worth};
use crate::recording::Recording;
use crate::session::{HIGH_WATER, Read, Session};
use crate::system::{Stream, System};
use crate::timer::{Tick, Wheel};

const _: () = assert!(usize::BITS >= 64, "a connection's key must fit into a token");

#[derive(Debug)]
pub(super) struct Slot<S> {
    pub(super) stream: S,
    pub(super) session: Session,
    /// When the live entry in the wheel comes out; others mean nothing.
    pub(super) timer: Tick,
    /// Whether it is a Unix socket.
    pub(super) is_local: bool,
    /// Whether it is encrypted or recorded: then the session has how.
    pub(super) is_apart: bool,
    /// Whether the peer is not read from because of what it has not taken.
    pub(super) paused: bool,
    /// Whether the peer is not read from because it has sent more than it may.
    pub(super) delayed: bool,
    /// Whether the kernel takes nothing until it says so.
    pub(super) blocked: bool,
    /// Whether it is among the connections to read from in the next turn.
    pub(super) ready: bool,
    /// Whether it is among those for which something was queued in this turn.
    pub(super) dirty: bool,
    /// Whether the sending side is shut down.
    pub(super) finished: bool,
}

impl<S: Stream> Slot<S> {
    pub(super) const fn new(stream: S, session: Session) -> Self {
        Self {
            stream,
            session,
            timer: Tick::NEVER,
            is_local: false,
            is_apart: false,
            paused: false,
            delayed: false,
            blocked: false,
            ready: false,
            dirty: false,
            finished: false,
        }
    }

    pub(super) fn register(
        &mut self,
        key: Key,
        system: &impl System<Stream = S>,
    ) -> io::Result<()> {
        if !self.is_local {
            self.stream.hurry()?;
        }
        // Assured above: a key fits into a token.
        let token = usize::try_from(key.data().as_ffi()).unwrap_or(usize::MAX);
        system.watch(&mut self.stream, token)
    }

    /// Has the network say when the peer of a stream of events is gone, for it never says anything itself.
    pub(super) fn bound_silence(&self, context: &Context) {
        let within = self.session.patience(context).stall_timeout;
        if !self.is_local
            && let Err(error) = self.stream.give_up_after(within)
        {
            tracing::debug!(%error, "a peer that is gone may be found out late");
        }
    }

    /// Who is at the other end; by a Unix socket, somebody of this machine.
    #[inline(never)]
    pub(super) fn peer(&self) -> Option<IpAddr> {
        match self.is_local {
            true => Some(Ipv4Addr::LOCALHOST.into()),
            false => self.stream.peer_addr().ok().map(|address| address.ip()),
        }
    }

    /// Reads what has come, at most so much, to `buffer` or to where a large message is put together: what was read, and
    /// whether more may wait; nothing: the peer's end has come.
    pub(super) fn receive<'b>(
        &mut self,
        buffer: &'b mut [u8],
        most: usize,
    ) -> io::Result<Option<(Read<'b>, bool)>> {
        if self.is_apart {
            return self.receive_apart(buffer, most);
        }
        self.receive_plain(buffer, most)
    }

    #[inline(always)]
    pub(super) fn receive_plain<'b>(
        &mut self,
        buffer: &'b mut [u8],
        most: usize,
    ) -> io::Result<Option<(Read<'b>, bool)>> {
        let most = most.min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        if let Some(room) = self.session.room() {
            let n = self.stream.recv(room)?;
            return Ok((n > 0).then_some((Read::InPlace(n), n == room.len())));
        }
        let n = self.stream.recv(buffer)?;
        let full = n == buffer.len();
        Ok(buffer.get_mut(..n).filter(|_| n > 0).map(|bytes| (Read::Bytes(bytes), full)))
    }

    /// Whether nothing follows from a read of this turn but that its replies were sent, if the connection is open. The
    /// only deadline of one that owes nothing is that of its next ping.
    pub(super) fn is_at_ease(&self, next_ping: Tick) -> bool {
        !(self.paused | self.delayed | self.is_apart)
            && self.timer <= next_ping
            && self.session.queued() == 0
    }

    pub(super) fn schedule(&mut self, key: Key, wheel: &mut Wheel<Key>, context: &Context) {
        let Some(deadline) = self.session.deadline(context) else { return };
        let tick = Tick::at(deadline);
        if tick < self.timer {
            self.timer = wheel.insert(tick, key);
        }
    }

    /// Counts what came in a read against what the peer may send; `before` messages had come to the worker.
    #[inline(never)]
    pub(super) fn spend(&mut self, bytes: usize, before: u64, context: &mut Context) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let messages = context.counters.messages.get().wrapping_sub(before);
        self.delayed = self.session.spend(bytes, messages, context);
    }

    /// Goes on to read from a peer that had sent more than it may, if that is long enough ago.
    pub(super) fn end_delay(&mut self, key: Key, ready: &mut Vec<Key>, context: &Context) {
        if !self.delayed {
            return;
        }
        // It proves nothing meanwhile, for it is not heard.
        self.session.heard(context.now);
        if self.session.delayed_until().is_none_or(|until| until <= context.now) {
            self.delayed = false;
            self.session.end_delay();
            self.mark_ready(key, ready);
        }
    }

    pub(super) fn mark_ready(&mut self, key: Key, ready: &mut Vec<Key>) {
        if !self.ready {
            self.ready = true;
            ready.push(key);
        }
    }

    pub(super) fn mark_dirty(&mut self, key: Key, dirty: &mut Vec<Key>) {
        if !self.dirty {
            self.dirty = true;
            dirty.push(key);
        }
    }

    /// Sends the cork, at once if nothing is queued; the rest is queued. `read` is what was read to.
    #[inline(always)]
    pub(super) fn send_cork(&mut self, context: &mut Context, read: &[u8]) -> io::Result<()> {
        let Context { cork, counters, .. } = &mut *context;
        let Some(bytes) = cork.in_one_piece(read) else {
            return self.send_cork_in_parts(0, context, read);
        };
        if bytes.is_empty() {
            return Ok(());
        }
        // What is encrypted is queued before it is.
        if self.is_apart || self.session.queued() > 0 {
            return self.send_cork_in_parts(0, context, read);
        }
        // All of it goes out in one, nearly always.
        counters.writes.add_one();
        let sent = match self.stream.send(bytes) {
            Ok(n) if n == bytes.len() => {
                counters.bytes_sent.add_len(n);
                cork.clear();
                return Ok(());
            }
            Ok(n) => n,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            Err(error) => return Err(error),
        };
        counters.bytes_sent.add_len(sent);
        self.send_cork_in_parts(sent, context, read)
    }

    /// The same, when `sent` bytes of it are.
    #[cold]
    #[inline(never)]
    fn send_cork_in_parts(
        &mut self,
        mut sent: usize,
        context: &mut Context,
        read: &[u8],
    ) -> io::Result<()> {
        let Context { cork, counters, now, .. } = &mut *context;
        while !self.is_apart && self.session.queued() == 0 && sent < cork.len() {
            counters.writes.add_one();
            let result = match cork.in_one_piece(read) {
                Some(bytes) => self.stream.send(bytes.get(sent..).unwrap_or_default()),
                None => {
                    let mut slices = [IoSlice::new(&[]); BATCH];
                    let filled = fill(&mut slices, cork.pieces(read), sent);
                    self.stream.send_all(slices.get(..filled).unwrap_or_default())
                }
            };
            match result {
                Ok(n) => {
                    counters.bytes_sent.add_len(n);
                    sent = sent.saturating_add(n);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let rest = cork.len().saturating_sub(sent);
        if rest > 0 {
            let head = cork.head();
            if sent > head {
                self.session.begin_queue(first(cork.pieces(read), sent).map(behind(head)), *now);
            } else if head > sent {
                self.session.begin_head(head.saturating_sub(sent), *now);
            }
            // What is left of a large message waits where it is.
            let message = if rest >= LARGE { cork.take_last_message() } else { None };
            for piece in cork.pieces(read) {
                let skip = sent.min(piece.len());
                sent = sent.saturating_sub(skip);
                self.session.queue(piece.get(skip..).unwrap_or_default(), *now);
            }
            if let Some((message, Range { start, end })) = message {
                self.session.queue_message(message, start.saturating_add(sent)..end, *now);
            }
        }
        cork.clear();
        if rest > 0 {
            counters.queue(rest);
        }
        if self.session.unasked() > context.patiences.least {
            let limit = usize::try_from(context.settings.max_message).unwrap_or(usize::MAX);
            // It was read from with so much in its queue: what it then asks for is no fault of its own.
            let own = self.session.patience(context).max_queued.max(HIGH_WATER).saturating_add(1);
            self.session.hold_below(limit.saturating_add(own), context);
        }
        Ok(())
    }

    /// Queues a frame that others get, too. A peer whose queue is full is given a chance to take some
    /// of it, or else has to do without the oldest of it, or is closed; but what it has asked for is no reason.
    pub(super) fn push(&mut self, frame: &Frame, worth: Worth, context: &mut Context) {
        if !self.session.listens() {
            return;
        }
        if worth != Worth::Asked
            && self.session.unasked() >= context.patiences.least
            && !self.make_room(context)
        {
            return;
        }
        let before = self.session.queued();
        self.session.queue_frame(frame, worth, context);
        context.counters.queue(self.session.queued().saturating_sub(before));
    }

    /// Queues messages to a topic; `joined` are their frames, one behind the other, if that is worth it.
    pub(super) fn push_all(
        &mut self,
        messages: &[Publication],
        joined: Option<&Arc<[u8]>>,
        context: &mut Context,
    ) {
        // Who has taken all so far is far from any limit, unless that is less than all of these.
        if let Some(frames) = joined
            && self.session.queued() == 0
            && frames.len() <= context.patiences.least
            && self.session.queue_frames(frames, Worth::Droppable, context.now)
        {
            return context.counters.queue(frames.len());
        }
        for message in messages {
            self.push(&message.frame, Worth::Droppable, context);
        }
    }

    /// Whether one more frame may be queued.
    #[cold]
    fn make_room(&mut self, context: &mut Context) -> bool {
        let most = self.session.patience(context).max_queued;
        if self.session.unasked() >= most {
            // The kernel may be about to say that it takes more.
            self.blocked = false;
            // If it fails, it fails again when the connection is flushed, which removes it.
            let _ = self.flush(context);
            self.session.hold_below(most, context);
        }
        self.session.listens()
    }

    /// Bytes that the peer must take before it is read from again.
    pub(super) fn owed(&self, context: &Context) -> usize {
        let encrypted = self.unsent().saturating_sub(self.session.queued());
        self.session.owed(context).saturating_add(encrypted)
    }

    /// Sends what is queued until nothing is left or the kernel takes no more.
    pub(super) fn flush(&mut self, context: &Context) -> io::Result<()> {
        if self.is_apart {
            return self.flush_apart(context);
        }
        self.flush_plain(context, None)
    }

    #[inline(always)]
    pub(super) fn flush_plain(
        &mut self,
        context: &Context,
        mut recording: Option<&mut Recording>,
    ) -> io::Result<()> {
        while let Some(outbox) = self.session.waiting().filter(|outbox| !outbox.is_empty()) {
            if self.blocked {
                break;
            }
            let mut slices = [IoSlice::new(&[]); BATCH];
            let filled = outbox.slices(&mut slices);
            if filled == 0 {
                // A gap is to be told of first.
                break;
            }
            context.counters.writes.add_one();
            let slices = slices.get(..filled).unwrap_or_default();
            let sent = match slices {
                [only] => self.stream.send(only),
                slices => self.stream.send_all(slices),
            };
            match sent {
                Ok(n) => {
                    if let Some(recording) = &mut recording {
                        recording.sent(slices, n, context.turn);
                    }
                    context.counters.bytes_sent.add_len(n);
                    context.counters.unqueue(n);
                    self.session.sent(n, context.now);
                    // A peer that is not read from proves only by this that it lives. Otherwise it
                    // proves nothing: the kernel takes much for a peer that is long gone.
                    if self.paused {
                        self.session.heard(context.now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The first `n` bytes of some pieces.
fn first<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    mut n: usize,
) -> impl Iterator<Item = &'a [u8]> {
    pieces.map(move |piece| {
        let first = piece.get(..n.min(piece.len())).unwrap_or_default();
        n = n.saturating_sub(first.len());
        first
    })
}

/// What is behind the first `n` bytes of some pieces.
fn behind(mut n: usize) -> impl FnMut(&[u8]) -> &[u8] {
    move |piece| {
        let skipped = n.min(piece.len());
        n = n.saturating_sub(skipped);
        piece.get(skipped..).unwrap_or_default()
    }
}

/// Fills slices with what is behind the first `skip` bytes of some pieces.
fn fill<'a>(
    slices: &mut [IoSlice<'a>],
    pieces: impl Iterator<Item = &'a [u8]>,
    skip: usize,
) -> usize {
    let rest = pieces.map(behind(skip)).filter(|rest| !rest.is_empty());
    let mut filled: usize = 0;
    for (slice, rest) in slices.iter_mut().zip(rest) {
        *slice = IoSlice::new(rest);
        filled = filled.saturating_add(1);
    }
    filled
}
