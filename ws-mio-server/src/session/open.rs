//! A connection between its two handshakes: messages to the handler, replies to the cork.

use std::mem;

use ws_proto::deflate::Agreement;
use ws_proto::handshake::Agreed;
use ws_proto::keepalive::{Due, Instant, Keepalive};
use ws_proto::{CloseCode, Config, Connection, Parked, Scratch, Server, Sink, State, Transport};

use super::appetite::Appetite;
use super::application::{Application, serve_in_place};
use super::slow::{pass, waiting};
use super::{Fate, Handlers};
use crate::arriving::Arriving;
use crate::context::{Context, Settings};
use crate::deflate::Reserved;
use crate::extra::Extra;
use crate::id::Key;
use crate::peer::{EndedBy, Ending, Peer};
use crate::record::{Cause, Last};

/// From how much on the rest of a message is worth a read of its own.
const IN_PLACE: usize = 16 * 1024;
/// How much of a message is read at a time.
const AT_A_TIME: usize = 256 * 1024;

/// What was read of a connection.
#[derive(Debug)]
pub(crate) enum Read<'b> {
    /// Bytes in the buffer that all connections share.
    Bytes(&'b mut [u8]),
    /// So many bytes, to where [`Session::room`](super::Session::room) said.
    InPlace(usize),
}

impl Read<'_> {
    /// How many bytes were read.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::InPlace(n) => *n,
        }
    }
}

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
    /// When it was opened, in tenths of a second.
    since: u32,
    last: Last,
    /// How much is read of it at a time, if messages are compressed.
    appetite: Appetite,
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

    const fn transport(&self) -> Transport {
        match self {
            Self::Parked(parked) => parked.resume().transport(),
            Self::Owing(connection) => connection.transport(),
        }
    }

    const fn payload_left(&self) -> u64 {
        match self {
            Self::Parked(parked) => parked.payload_left(),
            Self::Owing(connection) => connection.payload_left(),
        }
    }

    #[inline(always)]
    fn with<T>(&mut self, serve: impl FnOnce(&mut Connection<Server>) -> T) -> T {
        let mut connection = self.wake();
        let result = serve(&mut connection);
        self.rest(connection);
        result
    }

    /// The connection, to be given to [`rest`](Self::rest).
    #[inline(always)]
    fn wake(&mut self) -> Connection<Server> {
        match self {
            Self::Parked(parked) => parked.resume(),
            Self::Owing(connection) => mem::replace(
                connection.as_mut(),
                Connection::new(Server, Config::default(), Agreed::elsewhere()),
            ),
        }
    }

    #[inline(always)]
    fn rest(&mut self, connection: Connection<Server>) {
        let is_parked = match self {
            Self::Parked(parked) => parked.renew(&connection),
            Self::Owing(_) => false,
        };
        if !is_parked {
            *self = Self::new(connection);
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
            extra.get_or_insert_default().deflater = Some(Box::new(deflater));
        }
        if let Some(handler) = handlers.get_mut(usize::from(route)) {
            handler.on_open(&mut Peer {
                key,
                connection: &mut connection,
                deflate,
                extra,
                context,
                framed: None,
            });
        }
        let mut keepalive = Keepalive::new(now);
        if connection.state() != State::Open {
            keepalive.closing(now);
        }
        let (connection, since) = (Rested::new(connection), tenths(now));
        let (last, appetite) = (Last::Nothing, Appetite::START);
        Self { connection, keepalive, deflate, _memory: None, route, since, last, appetite }
    }

    /// The same, with memory reserved for it.
    pub(super) fn with_memory(self, memory: Option<Reserved>) -> Self {
        Self { _memory: memory, ..self }
    }

    /// Serves bytes that came behind the request; `true`: all is said, nothing more is to be sent.
    #[inline(never)]
    pub(super) fn receive_first(
        &mut self,
        key: Key,
        bytes: &mut [u8],
        scratch: &mut Scratch,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) -> bool {
        !self.receive(key, Read::Bytes(bytes), scratch, extra, handlers, context)
            && self.is_said(extra, context)
    }

    /// Serves bytes of the peer; `false`: the connection is open no more.
    #[inline(always)]
    pub(super) fn receive(
        &mut self,
        key: Key,
        read: Read<'_>,
        scratch: &mut Scratch,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) -> bool {
        self.keepalive.heard(context.now);
        let Some(handler) = handlers.get_mut(usize::from(self.route)) else { return false };
        let deflate = self.deflate;
        let mut connection = self.connection.wake();
        let mut peer =
            Peer { key, connection: &mut connection, deflate, extra, context, framed: None };
        let last = match (read, deflate) {
            (Read::Bytes(bytes), None) => handler.serve(bytes, scratch, None, &mut peer),
            (Read::Bytes(bytes), Some(agreement)) => {
                let read = bytes.len();
                let (last, inflated) =
                    serve_inflated(bytes, scratch, agreement, &mut peer, handler.as_mut());
                self.appetite.learn(read, inflated);
                last
            }
            (Read::InPlace(n), _) => serve_in_place(n, scratch, &mut peer, handler.as_mut()),
        };
        let is_open = connection.state() == State::Open;
        self.connection.rest(connection);
        self.last = last.unwrap_or(self.last);
        is_open
    }

    /// Whether all is said, of a connection that is open no more.
    #[cold]
    pub(super) fn is_said(
        &mut self,
        extra: &mut Option<Box<Extra>>,
        context: &mut Context,
    ) -> bool {
        self.keepalive.closing(context.now);
        forget_messages(extra);
        self.complete_record(context);
        self.connection.transport() == Transport::Close
    }

    /// Where to read the rest of a large message to, past the buffer that all share, and at most so much.
    pub(super) fn room<'m>(&self, message: &'m mut Arriving) -> Option<&'m mut [u8]> {
        let left = usize::try_from(self.connection.payload_left()).unwrap_or(usize::MAX);
        if left < IN_PLACE || !self.is_open() {
            return None;
        }
        Some(message.room(left.min(AT_A_TIME)))
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
                context.end(&ending, extra.as_deref());
                handler.on_close(
                    &mut Peer { key, connection, deflate, extra, context, framed: None },
                    ending,
                );
            }
        });
        forget_messages(extra);
        self.complete_record(context);
    }

    fn complete_record(&self, context: &mut Context) {
        let (now, missed) = (tenths(context.now), context.missed.take());
        if let Some(record) = &mut context.closed {
            record.complete(now.saturating_sub(self.since), self.last, missed);
        }
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
                handler.on_drain(&mut Peer {
                    key,
                    connection,
                    deflate,
                    extra,
                    context,
                    framed: None,
                });
            }
            connection.state()
        });
        if state != State::Open {
            self.keepalive.closing(now);
            forget_messages(extra);
        }
    }

    /// Tells the handler that messages were dropped. What it sends goes out before others that wait, so it
    /// can't refer to them by compression.
    pub(super) fn gap(
        &mut self,
        key: Key,
        messages: u32,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) {
        let now = context.now;
        let state = self.connection.with(|connection| {
            if let Some(handler) = handlers.get_mut(usize::from(self.route))
                && connection.state() == State::Open
            {
                let deflate = None;
                let framed = None;
                handler.on_gap(
                    &mut Peer { key, connection, deflate, extra, context, framed },
                    messages,
                );
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
        out: &mut impl Sink,
        extra: &mut Option<Box<Extra>>,
        now: Instant,
    ) {
        // It fails only when the connection is closing already.
        if self.connection.with(|c| c.close(code, reason, out)).is_ok() {
            let extra = extra.get_or_insert_default();
            extra.about.cause = Some(Box::new(Cause::new(code, reason, extra.outbox.len())));
        }
        self.keepalive.closing(now);
        forget_messages(extra);
    }

    pub(super) fn expire(&mut self, extra: &mut Option<Box<Extra>>, context: &mut Context) -> Fate {
        match self.keepalive.poll(&context.settings.timing, context.now) {
            Due::Nothing(_) => Fate::Lives,
            Due::Ping => {
                // It fails only when the connection is closing.
                self.connection.with(|connection| match waiting(extra) {
                    None => drop(connection.ping(&[], &mut context.cork)),
                    Some(outbox) => {
                        let mut frame = Vec::new();
                        let _ = connection.ping(&[], &mut frame);
                        pass(&frame, outbox, context);
                    }
                });
                Fate::Lives
            }
            Due::Dead => {
                context.missed = Some("the peer did not answer a ping");
                Fate::Dies
            }
            Due::CloseExpired => {
                context.missed = Some("the peer did not answer the Close");
                Fate::Dies
            }
        }
    }

    pub(super) fn deadline(&self, settings: &Settings) -> Option<Instant> {
        self.keepalive.deadline(&settings.timing)
    }

    /// The number of the connection's route.
    pub(super) const fn route(&self) -> u16 {
        self.route
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.keepalive.heard(now);
    }

    pub(super) fn since(&self) -> Instant {
        Instant::from_millis(u64::from(self.since).saturating_mul(100))
    }

    pub(super) const fn deflate(&self) -> Option<Agreement> {
        self.deflate
    }

    /// How much is to be read at a time, if messages may be compressed.
    pub(super) const fn appetite(&self) -> Option<usize> {
        if self.deflate.is_some() { Some(self.appetite.bytes()) } else { None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.state() == State::Open
    }
}

/// Serves bytes of a peer whose messages may be compressed, with an inflater of its own or a lent one. Returns
/// what the last frame was, and how many bytes they have inflated to.
#[cold]
fn serve_inflated(
    bytes: &mut [u8],
    scratch: &mut Scratch,
    agreement: Agreement,
    peer: &mut Peer<'_>,
    handler: &mut dyn Application,
) -> (Option<Last>, usize) {
    let turn = peer.context.turn;
    let before = peer.context.inflated.in_turn(turn);
    let begun = peer.extra.as_mut().and_then(|extra| extra.inflater.take());
    let mut inflater = begun.unwrap_or_else(|| peer.context.pool.inflater(agreement));
    let last = handler.serve(bytes, scratch, Some(&mut *inflater), peer);
    if agreement.received.takeover || peer.connection.is_inflating() {
        peer.extra.get_or_insert_default().inflater = Some(inflater);
    } else {
        peer.context.pool.give_back(inflater);
    }
    (last, peer.context.inflated.in_turn(turn).saturating_sub(before))
}

/// Tenths of a second, which are enough for ages and take little memory: they last for 13 years.
pub(super) fn tenths(moment: Instant) -> u32 {
    u32::try_from(moment.as_millis() / 100).unwrap_or(u32::MAX)
}

/// Gives back what only the messages of an open connection need. Those of a peer that has yet to answer
/// a Close are still inflated, to find that answer.
fn forget_messages(extra: &mut Option<Box<Extra>>) {
    if let Some(extra) = extra {
        extra.message = None;
        extra.deflater = None;
    }
}
