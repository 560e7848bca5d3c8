//! A connection between its two handshakes: messages to the handler, replies to the cork.

use std::num::Wrapping;

use ws_proto::deflate::{Agreement, Inflater};
use ws_proto::keepalive::{Due, Instant, Keepalive};
use ws_proto::{
    Assembler, CloseCode, Connection, Error, Event, Input, Message, Parked, Part, Server, State,
    Transport,
};

use super::{Fate, Handlers};
use crate::Handler;
use crate::context::{Context, Settings};
use crate::deflate::Reserved;
use crate::extra::Extra;
use crate::id::Key;
use crate::peer::{EndedBy, Ending, Peer};

/// An open connection.
#[derive(Debug)]
pub(super) struct Open {
    connection: Rested,
    keepalive: Keepalive,
    /// How messages are compressed, if they are.
    deflate: Option<Agreement>,
    /// The memory for that, which is free again when the connection is.
    _memory: Option<Reserved>,
    /// The number of the route's handler.
    route: u16,
}

/// A connection between two events: small, unless it owes something.
#[derive(Debug)]
enum Rested {
    Parked(Parked),
    Owing(Box<Connection<Server>>),
}

impl Rested {
    fn new(connection: Connection<Server>) -> Self {
        match connection.park() {
            Some(parked) => Self::Parked(parked),
            None => Self::Owing(Box::new(connection)),
        }
    }

    fn state(&self) -> State {
        match self {
            Self::Parked(parked) => parked.state(),
            Self::Owing(connection) => connection.state(),
        }
    }

    fn with<T>(&mut self, serve: impl FnOnce(&mut Connection<Server>) -> T) -> T {
        match self {
            Self::Parked(parked) => {
                let mut connection = parked.resume();
                let result = serve(&mut connection);
                match connection.park() {
                    Some(rested) => *parked = rested,
                    None => *self = Self::Owing(Box::new(connection)),
                }
                result
            }
            Self::Owing(connection) => {
                let result = serve(connection);
                if let Some(parked) = connection.park() {
                    *self = Self::Parked(parked);
                }
                result
            }
        }
    }
}

impl Open {
    /// A connection whose opening handshake is accepted; the handler is told.
    pub(super) fn new(
        key: Key,
        route: u16,
        deflate: Option<Agreement>,
        mut connection: Connection<Server>,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) -> Self {
        let now = context.now;
        if let Some(agreement) = deflate.filter(|agreement| agreement.sent.takeover) {
            let deflater = context.pool.own_deflater(agreement.sent);
            extra.get_or_insert_default().deflater = Some(deflater);
        }
        if let Some(handler) = handlers.get_mut(usize::from(route)) {
            handler.on_open(&mut Peer {
                key,
                connection: &mut connection,
                deflate,
                extra,
                context,
            });
        }
        let mut keepalive = Keepalive::new(now);
        if connection.state() != State::Open {
            keepalive.closing(now);
        }
        Self { connection: Rested::new(connection), keepalive, deflate, _memory: None, route }
    }

    /// The same, with memory reserved for it.
    pub(super) fn with_memory(self, memory: Option<Reserved>) -> Self {
        Self { _memory: memory, ..self }
    }

    /// Serves bytes of the peer; `true`: all is said, nothing more is to be sent.
    pub(super) fn receive(
        &mut self,
        key: Key,
        mut input: Input<'_>,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) -> bool {
        let now = context.now;
        self.keepalive.heard(now);
        let Some(handler) = handlers.get_mut(usize::from(self.route)) else { return true };
        let deflate = self.deflate;
        let mut inflater = deflate.map(|agreement| {
            let begun = extra.as_mut().and_then(|extra| extra.inflater.take());
            begun.unwrap_or_else(|| context.pool.inflater(agreement))
        });
        let (state, transport) = self.connection.with(|connection| {
            let mut peer = Peer { key, connection, deflate, extra, context };
            match &mut inflater {
                Some(inflater) => serve(&mut input, inflater, &mut peer, handler.as_mut()),
                None => serve(&mut input, &mut Plain, &mut peer, handler.as_mut()),
            }
            match inflater.zip(deflate) {
                Some((inflater, agreement))
                    if agreement.received.takeover || peer.connection.is_inflating() =>
                {
                    peer.extra.get_or_insert_default().inflater = Some(inflater);
                }
                Some((inflater, _)) => peer.context.pool.give_back(inflater),
                None => {}
            }
            (peer.connection.state(), peer.connection.transport())
        });
        if state != State::Open {
            self.keepalive.closing(now);
            forget_messages(extra);
        }
        transport == Transport::Close
    }

    /// Tells the handler that the connection is no more. It does not know yet: where it was told of an
    /// end, all was said, and the session went on to its ending.
    pub(super) fn lost(
        &mut self,
        key: Key,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) {
        let deflate = self.deflate;
        self.connection.with(|connection| {
            let ours = connection.state() == State::CloseSent;
            let by = if ours { EndedBy::Server } else { EndedBy::Network };
            connection.peer_eof();
            if let Some(handler) = handlers.get_mut(usize::from(self.route)) {
                let ending = Ending { code: 1006, reason: "", by };
                handler.on_close(&mut Peer { key, connection, deflate, extra, context }, ending);
            }
        });
        forget_messages(extra);
    }

    pub(super) fn drained(
        &mut self,
        key: Key,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) {
        let (now, deflate) = (context.now, self.deflate);
        let state = self.connection.with(|connection| {
            if let Some(handler) = handlers.get_mut(usize::from(self.route))
                && connection.state() == State::Open
            {
                handler.on_drain(&mut Peer { key, connection, deflate, extra, context });
            }
            connection.state()
        });
        if state != State::Open {
            self.keepalive.closing(now);
            forget_messages(extra);
        }
    }

    pub(super) fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        extra: &mut Option<Box<Extra>>,
        context: &mut Context,
    ) {
        // It fails only when the connection is closing already.
        let _ = self.connection.with(|c| c.close(code, reason, &mut context.cork));
        self.keepalive.closing(context.now);
        forget_messages(extra);
    }

    pub(super) fn expire(&mut self, context: &mut Context) -> Fate {
        match self.keepalive.poll(&context.settings.timing, context.now) {
            Due::Nothing(_) => Fate::Lives,
            Due::Ping => {
                // It fails only when the connection is closing.
                let _ = self.connection.with(|c| c.ping(&[], &mut context.cork));
                Fate::Lives
            }
            Due::Dead | Due::CloseExpired => Fate::Dies,
        }
    }

    pub(super) fn deadline(&self, settings: &Settings) -> Option<Instant> {
        self.keepalive.deadline(&settings.timing)
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.keepalive.heard(now);
    }

    pub(super) const fn deflate(&self) -> Option<Agreement> {
        self.deflate
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.state() == State::Open
    }
}

/// What finds events in a connection's bytes.
trait Source {
    fn next_event<'i>(
        &'i mut self,
        connection: &mut Connection<Server>,
        input: &'i mut Input<'_>,
    ) -> Result<Option<Event<'i>>, Error>;
}

/// Without compression.
struct Plain;

impl Source for Plain {
    #[inline]
    fn next_event<'i>(
        &'i mut self,
        connection: &mut Connection<Server>,
        input: &'i mut Input<'_>,
    ) -> Result<Option<Event<'i>>, Error> {
        connection.next_event(input)
    }
}

impl Source for Inflater {
    #[inline]
    fn next_event<'i>(
        &'i mut self,
        connection: &mut Connection<Server>,
        input: &'i mut Input<'_>,
    ) -> Result<Option<Event<'i>>, Error> {
        connection.next_event_inflated(input, self)
    }
}

/// Serves all events of the input.
fn serve(
    input: &mut Input<'_>,
    source: &mut impl Source,
    peer: &mut Peer<'_>,
    handler: &mut dyn Handler,
) {
    let mut messages = Wrapping(0);
    loop {
        let before = peer.connection.state();
        let ending = match source.next_event(peer.connection, input) {
            Ok(None) => break,
            Ok(Some(Event::Close(code, reason))) => Ending {
                code: code.map_or(1005, CloseCode::get),
                reason,
                by: if before == State::Open { EndedBy::Peer } else { EndedBy::Server },
            },
            // What comes after our Close frame is read only to find the peer's.
            Ok(Some(_)) if before != State::Open => continue,
            Ok(Some(Event::Text(Part { data, first: true, last: true }))) => {
                messages += 1;
                handler.on_message(peer, Message::Text(data));
                continue;
            }
            Ok(Some(Event::Binary(Part { data, first: true, last: true }))) => {
                messages += 1;
                handler.on_message(peer, Message::Binary(data));
                continue;
            }
            Ok(Some(event @ (Event::Text(_) | Event::Binary(_)))) => {
                messages += u64::from(assemble(event, peer, handler));
                continue;
            }
            Ok(Some(Event::Ping(_))) => {
                // A vector takes everything.
                let _ = peer.connection.poll_transmit(&mut peer.context.cork);
                continue;
            }
            Ok(Some(Event::Pong(_))) => continue,
            Err(error) => Ending {
                code: error.close_code().get(),
                reason: error.reason(),
                by: EndedBy::Server,
            },
        };
        // A vector takes everything.
        let _ = peer.connection.poll_transmit(&mut peer.context.cork);
        handler.on_close(peer, ending);
    }
    peer.context.counters.messages.add(messages.0);
}

/// Puts a part of a message to those before it; whether that completed it.
fn assemble(event: Event<'_>, peer: &mut Peer<'_>, handler: &mut dyn Handler) -> bool {
    let begun = peer.extra.as_mut().and_then(|extra| extra.message.take());
    // Memory of its own: what a larger message has left would be held for a first byte.
    let mut parts = begun.unwrap_or_else(|| Assembler::new(Vec::new()));
    // A vector takes everything, so a part that completes nothing is all there is else.
    if let Ok(Some(message)) = parts.push(event) {
        handler.on_message(peer, message);
        return true;
    }
    peer.extra.get_or_insert_default().message = Some(parts);
    false
}

/// Gives back what only the messages of an open connection need. Those of a peer that has yet to answer
/// a Close are still inflated, to find that answer.
fn forget_messages(extra: &mut Option<Box<Extra>>) {
    if let Some(extra) = extra {
        extra.message = None;
        extra.deflater = None;
    }
}
