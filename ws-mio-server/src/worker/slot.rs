//! One connection's socket and session.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use slotmap::Key as _;

use crate::context::Context;
use crate::frame::Frame;
use crate::id::Key;
use crate::mailbox::Publication;
use crate::outbox::Worth;
use crate::session::{Read, Session};
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
    #[cold]
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
    #[cold]
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

    /// The same, in the course of a read.
    #[cold]
    pub(super) fn read_later(&mut self, key: Key, ready: &mut Vec<Key>) {
        self.mark_ready(key, ready);
    }

    pub(super) fn mark_dirty(&mut self, key: Key, dirty: &mut Vec<Key>) {
        if !self.dirty {
            self.dirty = true;
            dirty.push(key);
        }
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
}
