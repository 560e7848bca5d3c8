//! The event loop of one worker, which joins sockets, sessions, topics and time.

mod accept;
mod apart;
mod drain;
mod exchange;
mod os;
mod report;
mod sending;
mod settle;
mod slot;
mod stop;
mod tls;

pub(crate) use exchange::owner;
pub(crate) use os::Os;

use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use slotmap::{KeyData, SlotMap};
use ws_proto::Scratch;
use ws_proto::keepalive::Instant;

use crate::clock::{Clock, moment};
use crate::context::Context;
use crate::id::Key;
use crate::listener::Bound;
use crate::mailbox::Mailbox;
use crate::session::{Application, Read};
use crate::system::{Happened, System};
use crate::timer::{Tick, Wheel};
use accept::{Listener, Reserve};
use drain::Drain;
use exchange::Overflow;
use slot::Slot;

/// Every connection of the worker is read into this buffer.
const BUFFER: usize = 64 * 1024;
/// How often a connection may be read from before others have their turn: for 256 KiB, or for less that
/// may be compressed.
const READ_BUDGET: u32 = 4;
/// How many reads of peers that agree on keys (TLS) there are before those that are open have their turn: each
/// may take a millisecond.
const AGREEMENTS: u32 = 8;
/// For how many connections there is room before it has to grow: so many that allocators take pages for them, which are
/// not there until they are used, and grow without leaving holes.
const SLOTS: usize = 2048;
/// How many events are taken at a time.
const EVENTS: usize = 1024;
/// How long the worker waits before it tries again to pass on what another's mailbox had no room for.
const CONGESTED: Duration = Duration::from_millis(1);

/// Keys of connections are larger as numbers, so they never equal these.
pub(crate) const WAKER: usize = 0;
const FIRST_LISTENER: usize = 1;

/// One thread's share of a server.
pub(crate) struct Worker<S: System> {
    system: S,
    clock: Clock,
    listeners: Vec<Listener<S::Listener>>,
    /// The first descriptor that is not for connections.
    descriptors: RawFd,
    /// A descriptor to refuse connections with when there are no others.
    reserve: Reserve<S::Spare>,
    /// Whether there were none when a connection last came.
    is_short: bool,
    /// Until when accepting rests.
    exhausted: Option<Instant>,
    slots: SlotMap<Key, Slot<S::Stream>>,
    handlers: Vec<Box<dyn Application>>,
    context: Context,
    wheel: Wheel<Key>,
    /// When peers that are heard in this turn are to be pinged.
    next_ping: Tick,
    buffer: Box<[u8]>,
    scratch: Scratch,
    /// Whether the worker was held up, and has not looked at all that came meanwhile.
    is_behind: bool,
    /// How many peers may still agree on keys in this turn.
    agreements: u32,
    /// Connections to read from in the next turn.
    ready: Vec<Key>,
    /// How many of them have inflated enough in this one.
    satisfied: usize,
    /// Connections for which something was queued in this turn.
    dirty: Vec<Key>,
    /// When the messages to topics were published that were delivered in this turn.
    delivered: Vec<Duration>,
    /// One for each worker of the server, this one included.
    mailboxes: Arc<[Mailbox]>,
    /// For each of them, what it had no room for.
    overflow: Vec<Overflow>,
    /// Whether there is any of that.
    is_congested: bool,
    /// How connections are closed before the server stops.
    drain: Option<Drain>,
    /// How many workers have yet to be empty until it does.
    draining: Arc<AtomicUsize>,
    /// By when the worker has to have stopped.
    stop: Option<Instant>,
}

impl<S: System> Drop for Worker<S> {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(self.context.worker)) {
            mailbox.close();
        }
    }
}

impl<S: System> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("number", &self.context.worker).finish_non_exhaustive()
    }
}

impl<S: System> Worker<S> {
    pub(crate) fn new(
        system: S,
        clock: Clock,
        listeners: Vec<Bound<S::Listener>>,
        handlers: Vec<Box<dyn Application>>,
        mailboxes: Arc<[Mailbox]>,
        draining: Arc<AtomicUsize>,
        context: Context,
    ) -> io::Result<Self> {
        let mut ready = Vec::with_capacity(listeners.len());
        for (token, Bound { mut socket, serves, is_tls }) in (FIRST_LISTENER..).zip(listeners) {
            system.watch_listener(&mut socket, token)?;
            ready.push(Listener { socket, serves, is_tls, ready: true });
        }
        Ok(Self {
            clock,
            listeners: ready,
            descriptors: accept::descriptors(system.descriptors(), mailboxes.len()),
            reserve: Reserve::new(&system),
            system,
            is_short: false,
            exhausted: None,
            slots: SlotMap::with_capacity_and_key(SLOTS),
            handlers,
            context,
            wheel: Wheel::new(),
            next_ping: Tick::NEVER,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            scratch: Scratch::new(),
            is_behind: false,
            agreements: AGREEMENTS,
            ready: Vec::new(),
            satisfied: 0,
            dirty: Vec::new(),
            delivered: Vec::new(),
            overflow: mailboxes.iter().map(|_| Overflow::default()).collect(),
            mailboxes,
            is_congested: false,
            drain: None,
            draining,
            stop: None,
        })
    }

    /// Does what is due when the system has told what happened: `true`: the worker has stopped.
    // Where little happens, a turn takes longer than what it is for: what few turns need is `cold`, or at least out of line,
    // for the reason given at `read`.
    #[inline(always)]
    pub(crate) fn turn(&mut self, events: impl Iterator<Item = Happened>) -> bool {
        self.context.turn = self.clock.running();
        self.agreements = AGREEMENTS;
        self.context.now = moment(self.context.turn);
        let ping_after = self.context.settings.timing.ping_after;
        self.next_ping =
            ping_after.map_or(Tick::NEVER, |after| Tick::at(self.context.now.after(after)));
        let left_over = mem::take(&mut self.ready);
        let mut count: usize = 0;
        for event in events {
            self.dispatch(event);
            count = count.saturating_add(1);
        }
        self.is_behind &= count == EVENTS;
        if !left_over.is_empty() {
            self.read_on(left_over);
        }
        if self.exhausted.is_some() || self.is_accepting() {
            self.accept();
        }
        if !self.is_behind {
            self.expire();
        }
        if self.drain.is_some() {
            self.drain();
        }
        if self.is_congested {
            self.pass_on();
        }
        if !self.dirty.is_empty() {
            self.flush_dirty();
        }
        self.tell();
        self.context.arriving.expire(self.context.now);
        let is_over = self.stop.is_some_and(|by| self.slots.is_empty() || by <= self.context.now);
        if is_over {
            self.drop_all();
        }
        is_over
    }

    /// How long nothing is due, unless something happens; `None`: for good.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let now = self.context.now;
        let accepting = self.exhausted.is_none() && self.is_accepting();
        let congested = self.is_congested.then(|| now.after(CONGESTED));
        if accepting || (!self.ready.is_empty() && congested.is_none()) {
            return Some(Duration::ZERO);
        }
        // Once it stops, there is nothing to drain.
        let drain = self.drain.as_ref().map(Drain::deadline).filter(|_| self.stop.is_none());
        let (unused, timer) = (self.context.arriving.deadline(), self.wheel.deadline());
        let moments = [self.exhausted, congested, drain, self.stop, unused, timer];
        moments.iter().filter_map(|at| *at).min().map(|at| at.since(now))
    }

    /// Whether connections may wait to be accepted.
    fn is_accepting(&self) -> bool {
        self.listeners.iter().any(|listener| listener.ready)
    }

    /// How many connections there are.
    #[cfg(feature = "_fuzzing")]
    pub(crate) fn connections(&self) -> usize {
        self.slots.len()
    }

    /// How many entries the timers have.
    #[cfg(feature = "_fuzzing")]
    pub(crate) fn timers(&self) -> usize {
        self.wheel.len()
    }

    fn dispatch(&mut self, event: Happened) {
        let token = event.token;
        if token == WAKER {
            return self.open_mailbox();
        }
        if let Some(listener) = self.listeners.get_mut(token.wrapping_sub(FIRST_LISTENER)) {
            listener.ready = true;
            return;
        }
        let key = Key::from(KeyData::from_ffi(token as u64));
        if event.is_writable
            && let Some(slot) = self.slots.get_mut(key)
        {
            slot.blocked = false;
            if slot.session.queued() > 0 || slot.is_apart {
                self.flush(key);
            }
        }
        if event.is_over || event.is_readable {
            self.read(key, event.is_over);
        }
    }

    /// Reads from those whose turn was over, or did not come; those that have had some of it come last.
    #[inline(never)]
    fn read_on(&mut self, mut left_over: Vec<Key>) {
        let satisfied = mem::take(&mut self.satisfied).min(left_over.len());
        left_over.rotate_left(satisfied);
        for key in left_over {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.ready = false;
                self.read(key, true);
            }
        }
    }

    /// Reads from a connection until nothing is left or its budget is spent. A read that does not fill
    /// the buffer has left nothing, unless the peer's end has come, too: `to_the_end`.
    // After a system call little of this code is in the processor's first cache any more, so each line of it counts: what
    // few reads call is `cold`, here and below, which puts it elsewhere.
    fn read(&mut self, key: Key, to_the_end: bool) {
        let mut budget = READ_BUDGET;
        loop {
            // What the peer says might have to be passed on: that has to wait.
            let congested = self.is_congested;
            let Some(slot) = self.slots.get_mut(key) else { return };
            // What is due for the next turn anyway is not read twice.
            if slot.paused | slot.delayed | slot.ready {
                return;
            }
            if budget == 0 || congested {
                return slot.read_later(key, &mut self.ready);
            }
            if slot.is_agreeing() {
                let Some(left) = self.agreements.checked_sub(1) else {
                    return slot.read_later(key, &mut self.ready);
                };
                self.agreements = left;
            }
            let most = match slot.session.appetite() {
                None => BUFFER,
                // Others first, those whose messages are compressed, too.
                Some(_) if self.context.inflated.is_enough(self.context.turn) => {
                    self.satisfied = self.satisfied.saturating_add((budget < READ_BUDGET).into());
                    return slot.read_later(key, &mut self.ready);
                }
                Some(appetite) => appetite,
            };
            self.context.counters.reads.add_one();
            match slot.receive(&mut self.buffer, most) {
                Ok(None) => return self.end_of_input(key),
                Ok(Some((read, more))) => {
                    let (handlers, context) = (&mut self.handlers, &mut self.context);
                    let (bytes, before) = (read.len(), context.counters.messages.get());
                    context.counters.bytes_received.add_len(bytes);
                    if slot.session.may_ask() {
                        context.peer = slot.peer();
                    }
                    if let Read::Bytes(bytes) = &read {
                        context.cork.lend_read(bytes);
                    }
                    let mut is_open = bytes > 0
                        && slot.session.receive(key, read, &mut self.scratch, handlers, context);
                    if context.settings.rates.are_set() {
                        slot.spend(bytes, before, context);
                        is_open &= slot.session.is_open();
                    }
                    let sent = slot.send_cork(context, &self.buffer);
                    // What nearly every read comes to: the replies are out, and nothing else is due.
                    let is_at_ease =
                        is_open && slot.is_at_ease(self.next_ping) && context.is_at_ease();
                    if !is_at_ease || sent.is_err() {
                        self.settled(key, sent);
                    }
                    if !more && !to_the_end {
                        return;
                    }
                    budget = budget.saturating_sub(1);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.fail(key, &error),
            }
        }
    }

    /// The peer's bytes have ended.
    #[cold]
    fn end_of_input(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.session.end_of_input(key, &mut self.handlers, &mut self.context);
        }
        self.settle(key);
    }

    /// Nothing can be read any more.
    #[cold]
    fn fail(&mut self, key: Key, error: &io::Error) {
        self.refuse_tls(key, error);
        self.remove(key);
        self.publish();
    }
}
