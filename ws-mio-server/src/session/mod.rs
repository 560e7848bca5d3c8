//! One connection from its first byte to its last, without a socket: bytes in, bytes out.

mod answer;
mod appetite;
mod application;
mod asking;
mod deadlines;
mod open;
mod opening;
mod queue;
mod serving;
mod slow;

use std::mem;
use std::sync::Arc;

use ws_proto::keepalive::Instant;
use ws_proto::{CloseCode, Scratch};

use crate::ConnectionKind;
use crate::context::Context;
use crate::extra::Extra;
use crate::http::Answer;
use crate::id::Key;
use crate::listener::Serves;
use crate::rates::OnRate;
use crate::recording::Recording;
use crate::tls::Stream;
pub(crate) use appetite::Inflated;
pub(crate) use application::Application;
pub(crate) use deadlines::Fate;
use open::Open;
pub(crate) use open::Read;
use opening::Opening;
use serving::Serving;

/// A peer with more bytes than this in its queue is not read from.
pub(crate) const HIGH_WATER: usize = 64 * 1024;

/// The handlers of one worker, by the number of their route.
pub(crate) type Handlers = [Box<dyn Application>];

/// One connection. While it is idle it owns no memory beyond itself.
#[derive(Debug)]
pub(crate) struct Session {
    phase: Phase,
    /// What only some connections have, at some time.
    extra: Option<Box<Extra>>,
}

#[derive(Debug)]
enum Phase {
    /// The request's head is due.
    Opening(Opening),
    Open(Open),
    /// A service has been asked.
    Serving(Box<Serving>),
    /// All is said: what is queued goes out, then the sending side is shut down, and the peer's end
    /// awaited, for what it may still be sending must be read (RFC 6455 §7.1.1).
    Ending {
        since: Instant,
    },
    /// The peer's bytes have ended too: what is queued goes out.
    Ended {
        since: Instant,
    },
}

/// Where bytes of a request have led.
#[derive(Debug)]
struct Step {
    phase: Phase,
    /// How many of the bytes are not for that.
    taken: usize,
}

impl Step {
    /// Nothing is left for the next phase.
    const fn last(phase: Phase) -> Self {
        Self { phase, taken: usize::MAX }
    }
}

impl Session {
    /// A connection that was accepted just now.
    pub(crate) const fn new(now: Instant, serves: Serves) -> Self {
        Self { phase: Phase::Opening(Opening::new(now, serves)), extra: None }
    }

    /// Bytes have come from the peer; `true`: its WebSocket is open.
    // In line, as is all that it does for an open connection: behind a system call, what costs is how much code
    // there is to come back to.
    #[inline(always)]
    pub(crate) fn receive(
        &mut self,
        key: Key,
        read: Read<'_>,
        scratch: &mut Scratch,
        handlers: &mut Handlers,
        context: &mut Context,
    ) -> bool {
        let extra = &mut self.extra;
        let is_open = if let Phase::Open(open) = &mut self.phase {
            let is_open = open.receive(key, read, scratch, extra, handlers, context);
            if !is_open && open.is_said(extra, context) {
                self.phase = Phase::Ending { since: context.now };
            }
            is_open
        } else {
            if let Read::Bytes(bytes) = read {
                self.receive_requests(key, bytes, scratch, handlers, context);
            }
            self.is_open()
        };
        if self.extra.is_some() {
            self.tidy();
        }
        is_open
    }

    /// Serves one request after the other.
    #[cold]
    fn receive_requests(
        &mut self,
        key: Key,
        mut bytes: &mut [u8],
        scratch: &mut Scratch,
        handlers: &mut Handlers,
        context: &mut Context,
    ) {
        loop {
            let extra = &mut self.extra;
            let step = match &mut self.phase {
                Phase::Opening(_) if bytes.is_empty() => return,
                Phase::Opening(opening) => {
                    opening.receive(key, bytes, scratch, extra, handlers, context)
                }
                Phase::Serving(serving) => serving.receive(key, bytes, extra, context),
                Phase::Open(_) | Phase::Ending { .. } | Phase::Ended { .. } => return,
            };
            let Some(Step { phase, taken }) = step else { return };
            self.phase = phase;
            bytes = bytes.get_mut(taken..).unwrap_or_default();
            // Whoever does not take the answers gets no more of them.
            let waiting = self.queued().saturating_add(context.cork.len());
            if waiting > HIGH_WATER && !bytes.is_empty() && self.is_opening() {
                self.phase = Phase::Ending { since: context.now };
            }
        }
    }

    /// A call of a service is answered, from wherever; `number` is the call's.
    pub(crate) fn answer(
        &mut self,
        key: Key,
        number: u32,
        answer: &Answer,
        scratch: &mut Scratch,
        handlers: &mut Handlers,
        context: &mut Context,
    ) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        if let Some((phase, mut behind)) = serving.answer_late(number, answer, context) {
            self.phase = phase;
            self.receive_requests(key, &mut behind, scratch, handlers, context);
        }
        self.tidy();
    }

    /// Where the next bytes are to be read to, if not to the buffer that all connections share.
    #[inline]
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        let message = self.extra.as_mut()?.message.as_mut()?;
        match &self.phase {
            Phase::Open(open) => open.room(message),
            _ => None,
        }
    }

    /// The peer's bytes have ended. What is queued may still reach it.
    pub(crate) fn end_of_input(
        &mut self,
        key: Key,
        handlers: &mut Handlers,
        context: &mut Context,
    ) {
        self.lost(key, handlers, context);
        self.phase = match self.phase {
            Phase::Ending { since } | Phase::Ended { since } => Phase::Ended { since },
            Phase::Opening(_) | Phase::Open(_) | Phase::Serving(_) => {
                Phase::Ended { since: context.now }
            }
        };
        self.tidy();
    }

    /// The connection is no more, or is about to be dropped.
    pub(crate) fn lost(&mut self, key: Key, handlers: &mut Handlers, context: &mut Context) {
        match &mut self.phase {
            Phase::Open(open) => open.lost(key, &mut self.extra, handlers, context),
            Phase::Serving(serving) => serving.lost(self.extra.as_deref(), context),
            Phase::Opening(_) | Phase::Ending { .. } | Phase::Ended { .. } => {}
        }
    }

    /// Begins the closing handshake, if the connection is open; a request that has not come in whole, or is not
    /// answered, is refused, and a stream of events ended.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str, context: &mut Context) {
        match &mut self.phase {
            Phase::Open(open) => {
                open.close(code, reason, &mut context.cork, &mut self.extra, context.now);
            }
            Phase::Serving(serving) => serving.close(code, reason, &mut self.extra, context),
            Phase::Opening(opening) if opening.is_idle() => {
                self.phase = Phase::Ending { since: context.now };
            }
            Phase::Opening(_) => self.phase = answer::refuse_stopping(context),
            Phase::Ending { .. } | Phase::Ended { .. } => {}
        }
    }

    /// Counts what came in a read against what the peer may send; `true`: it is not to be read from until its
    /// deadline has come.
    pub(crate) fn spend(&mut self, bytes: u64, messages: u64, context: &mut Context) -> bool {
        let (open, messages) = match &mut self.phase {
            Phase::Open(open) => (Some(open), messages),
            Phase::Opening(_) | Phase::Serving(_) => (None, mem::take(&mut context.calls)),
            Phase::Ending { .. } | Phase::Ended { .. } => return false,
        };
        let rates = context.settings.rates;
        let spent = self.extra.get_or_insert_default().about.spent.get_or_insert_default();
        let Some(excess) = spent.charge(&rates, bytes, messages, context.turn, context.now) else {
            return false;
        };
        if rates.on_rate == OnRate::Close
            && let Some(open) = open.filter(|open| open.is_open())
        {
            let (cork, code) = (&mut context.cork, CloseCode::POLICY_VIOLATION);
            open.close(code, excess, cork, &mut self.extra, context.now);
            return false;
        }
        true
    }

    /// The peer is read from again.
    pub(crate) fn end_delay(&mut self) {
        if let Some(spent) = self.extra.as_mut().and_then(|extra| extra.about.spent.as_mut()) {
            spent.until = None;
        }
    }

    /// Until when the peer is not to be read from, if it has sent more than it may.
    pub(crate) fn delayed_until(&self) -> Option<Instant> {
        self.extra.as_ref()?.about.spent.as_ref()?.until
    }

    /// The handler of the connection's route is to be told that the peer has taken all.
    pub(crate) fn drained(&mut self, key: Key, handlers: &mut Handlers, context: &mut Context) {
        if let Phase::Open(open) = &mut self.phase {
            open.drained(key, &mut self.extra, handlers, context);
        }
    }

    /// Whether the request has yet to come in whole.
    pub(crate) const fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening(_))
    }

    /// What the connection is used for.
    pub(crate) fn kind(&self) -> ConnectionKind {
        match &self.phase {
            Phase::Open(_) => ConnectionKind::WebSocket,
            Phase::Serving(serving) if serving.is_stream() => ConnectionKind::Events,
            Phase::Serving(serving) if serving.is_over() => ConnectionKind::Ending,
            Phase::Opening(_) | Phase::Serving(_) => ConnectionKind::Request,
            Phase::Ending { .. } | Phase::Ended { .. } => ConnectionKind::Ending,
        }
    }

    /// Since when it is used for that.
    pub(crate) fn since(&self) -> Instant {
        match &self.phase {
            Phase::Open(open) => open.since(),
            Phase::Serving(serving) => serving.since(),
            Phase::Opening(opening) => opening.since(),
            Phase::Ending { since } | Phase::Ended { since } => *since,
        }
    }

    /// What only some connections have.
    pub(crate) fn extra(&self) -> Option<&Extra> {
        self.extra.as_deref()
    }

    /// Whether a request may come.
    pub(crate) const fn may_ask(&self) -> bool {
        matches!(self.phase, Phase::Opening(_) | Phase::Serving(_))
    }

    /// Whether messages can be sent to the peer: it has a WebSocket, or a stream of events.
    pub(crate) fn listens(&self) -> bool {
        self.is_open() || matches!(&self.phase, Phase::Serving(serving) if serving.is_stream())
    }

    /// Whether the peer's WebSocket is open.
    pub(crate) fn is_open(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.is_open())
    }

    /// How much is to be read of the peer at a time, if its messages may be compressed.
    pub(crate) const fn appetite(&self) -> Option<usize> {
        match &self.phase {
            Phase::Open(open) => open.appetite(),
            _ => None,
        }
    }

    /// Whether nothing will be sent after what is queued.
    pub(crate) const fn is_ending(&self) -> bool {
        match &self.phase {
            Phase::Ending { .. } | Phase::Ended { .. } => true,
            Phase::Serving(serving) => serving.is_over(),
            Phase::Opening(_) | Phase::Open(_) => false,
        }
    }

    /// Whether the peer's bytes have ended.
    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// The peer has shown that it lives, other than by bytes of its own.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Phase::Open(open) = &mut self.phase {
            open.heard(now);
        }
    }

    /// How the connection is encrypted, if it is.
    pub(crate) fn tls(&self) -> Option<&Stream> {
        self.extra.as_ref()?.about.tls.as_deref()
    }

    /// The same, to be put back after use.
    pub(crate) fn take_tls(&mut self) -> Option<Box<Stream>> {
        self.extra.as_mut()?.about.written()?.tls.take()
    }

    pub(crate) fn put_tls(&mut self, tls: Box<Stream>) {
        self.extra.get_or_insert_default().about.tls = Some(tls);
    }

    /// How the connection is recorded, if it is, to be put back after use.
    pub(crate) fn take_recording(&mut self) -> Option<Box<Recording>> {
        self.extra.as_mut()?.about.written()?.recording.take()
    }

    pub(crate) fn put_recording(&mut self, recording: Box<Recording>) {
        self.extra.get_or_insert_default().about.recording = Some(recording);
    }

    /// Subscribes the peer to a topic, if messages can be sent to it.
    pub(crate) fn subscribe(&mut self, key: Key, topic: &str, context: &mut Context) {
        if self.listens()
            && let Some(topic) = context.topics.subscribe(topic, key)
        {
            self.extra.get_or_insert_default().topics.push(topic);
        }
    }

    /// Ends a subscription, if there is one.
    pub(crate) fn unsubscribe(&mut self, key: Key, topic: &str, context: &mut Context) {
        context.topics.unsubscribe(topic, key);
        if let Some(extra) = &mut self.extra {
            extra.topics.retain(|name| **name != *topic);
        }
        self.tidy();
    }

    /// The topics that the peer is subscribed to; none afterwards.
    pub(crate) fn take_topics(&mut self) -> Vec<Arc<str>> {
        self.extra.as_mut().map(|extra| std::mem::take(&mut extra.topics)).unwrap_or_default()
    }

    #[cold]
    fn tidy(&mut self) {
        let Some(extra) = &mut self.extra else { return };
        if matches!(self.phase, Phase::Ending { .. } | Phase::Ended { .. }) {
            extra.inflater = None;
        }
        if extra.is_empty() {
            self.extra = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Phase, Session};

    /// An idle connection has one of these, and nothing beside it.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Phase>() <= 96 && size_of::<Session>() <= 104);
    }
}
