//! A connection until its request has come in whole.

use std::net::IpAddr;

use ws_proto::Scratch;
use ws_proto::handshake::head::HeadReader;
use ws_proto::keepalive::Instant;

use super::answer::{Answered, Opened, answer, method, respond};
use super::open::Open;
use super::serving::Serving;
use super::{Handlers, Phase, Step};
use crate::context::{Context, Settings};
use crate::extra::Extra;
use crate::id::Key;
use crate::listener::Serves;
use crate::proxy::preamble;

/// A connection whose request has not come in whole.
#[derive(Debug)]
pub(super) struct Opening {
    since: Instant,
    serves: Serves,
    /// What has come, if anything has.
    head: Option<Box<PartialHead>>,
}

#[derive(Debug)]
struct PartialHead {
    reader: HeadReader,
    bytes: Vec<u8>,
    preamble: Preamble,
    /// Whether it is not the connection's first.
    is_next: bool,
}

/// The header of the PROXY protocol in front of the request.
#[derive(Clone, Copy, Debug)]
enum Preamble {
    Due,
    /// There is none, or it told nobody.
    Nobody,
    Client(IpAddr),
}

impl Preamble {
    const fn client(self) -> Option<IpAddr> {
        match self {
            Self::Client(address) => Some(address),
            Self::Due | Self::Nobody => None,
        }
    }
}

impl Opening {
    pub(super) const fn new(now: Instant, serves: Serves) -> Self {
        Self { since: now, serves, head: None }
    }

    /// A connection whose last request was answered just now; `told` is whom a proxy speaks for in front of all
    /// requests.
    pub(super) fn kept(now: Instant, serves: Serves, told: Option<IpAddr>) -> Self {
        let preamble = told.map_or(Preamble::Nobody, Preamble::Client);
        let (reader, bytes) = (HeadReader::request(), Vec::new());
        let head = Some(Box::new(PartialHead { reader, bytes, preamble, is_next: true }));
        Self { since: now, serves, head }
    }

    /// Whether a request was answered and nothing of the next has come.
    pub(super) fn is_idle(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.is_next && head.bytes.is_empty())
    }

    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    /// The peer takes what it asked for: the time for its next request begins now.
    pub(super) const fn wait_on(&mut self, now: Instant) {
        self.since = now;
    }

    /// Takes bytes of the peer; the next phase, once the head is complete or can't become so. Messages that
    /// came behind the head of an opening handshake are served then.
    pub(super) fn receive(
        &mut self,
        key: Key,
        bytes: &mut [u8],
        scratch: &mut Scratch,
        extra: &mut Option<Box<Extra>>,
        handlers: &mut Handlers,
        context: &mut Context,
    ) -> Option<Step> {
        if self.is_idle() {
            self.since = context.now;
        }
        let (came, mut partial) = (bytes.len(), self.head.take());
        if partial.is_none() && bytes.starts_with(&[0x16, 0x03]) {
            let reason =
                "the client speaks TLS, and this port does not: connect by ws:// or http://";
            context.client = None;
            return Some(Step::last(respond(400, &[], reason, b"", context)));
        }
        let mut fresh = HeadReader::request();
        let is_first = partial.is_none();
        let mut preamble = match &partial {
            Some(partial) => partial.preamble,
            None if context.settings.trust.preamble && self.serves == Serves::Everyone => {
                Preamble::Due
            }
            None => Preamble::Nobody,
        };
        let (reader, mut bytes) = match &mut partial {
            Some(partial) => {
                partial.bytes.extend_from_slice(bytes);
                (&mut partial.reader, partial.bytes.as_mut_slice())
            }
            None => (&mut fresh, bytes),
        };
        let before = bytes.len().saturating_sub(came);
        let mut skipped = 0;
        context.client = None;
        if matches!(preamble, Preamble::Due) {
            match read_preamble(bytes, context) {
                Ok(None) => {}
                Ok(Some(read)) => {
                    skipped = read.len;
                    bytes = bytes.get_mut(skipped..).unwrap_or_default();
                    preamble = read.client.map_or(Preamble::Nobody, |c| Preamble::Client(c.ip()));
                }
                Err((status, reason)) => {
                    return Some(Step::last(respond(status, &[], &reason, b"", context)));
                }
            }
        }
        context.client = preamble.client();
        let end = match preamble {
            Preamble::Due => Ok(None),
            _ => reader.end(bytes),
        };
        let end = match end {
            Ok(Some(end)) => end,
            Ok(None) => {
                // Copied once: what comes later is appended.
                let begun = is_first.then(|| {
                    let (reader, bytes) = (fresh, bytes.to_vec());
                    Box::new(PartialHead { reader, bytes, preamble, is_next: false })
                });
                self.head = partial.or(begun);
                if let Some(partial) = self.head.as_mut().filter(|_| !is_first) {
                    partial.bytes.drain(..skipped);
                    partial.preamble = preamble;
                }
                return None;
            }
            Err(error) => {
                let reason = error.to_string();
                let phase = respond(error.status(), &[], &reason, method(bytes), context);
                return Some(Step::last(phase));
            }
        };
        let (head, rest) = bytes.split_at_mut_checked(end).unwrap_or_default();
        let nearest = preamble.client().or(context.peer);
        let taken = skipped.saturating_add(end).saturating_sub(before);
        let opened = match answer(head, nearest, self.serves, handlers, context) {
            Answered::Opened(opened) => opened,
            Answered::Done => return Some(Step::last(Phase::Ending { since: context.now })),
            Answered::Asked(mut asked, body) => {
                asked.told = preamble.client();
                let serving = Serving::new(asked, body, head, context.now);
                return Some(Step { phase: Phase::Serving(Box::new(serving)), taken });
            }
        };
        let Opened { route, params, deflate, memory, identity, place, connection } = opened;
        context.counters.accepted.add_one();
        context.cork.begin_frames();
        if let Some(recording) = extra.as_mut().and_then(|extra| extra.about.recording.as_mut()) {
            let most = context.settings.max_message;
            recording.opened(head.len(), rest.len(), most, deflate, context.turn);
        }
        if !params.is_empty() {
            extra.get_or_insert_default().about.params = params;
        }
        if context.client.is_some() {
            extra.get_or_insert_default().about.client = context.client;
        }
        if place.is_some() {
            extra.get_or_insert_default().about.place = place;
        }
        if identity.is_some() {
            extra.get_or_insert_default().about.identity = identity;
        }
        let open = Open::new(key, route, deflate, connection, extra, handlers, context);
        context.query.clear();
        let mut open = open.with_memory(memory);
        if open.receive_first(key, rest, scratch, extra, handlers, context) {
            return Some(Step::last(Phase::Ending { since: context.now }));
        }
        Some(Step::last(Phase::Open(open)))
    }

    pub(super) fn expire(&mut self, context: &mut Context) -> Option<Phase> {
        if context.now < self.deadline(&context.settings) {
            return None;
        }
        if self.is_idle() {
            return Some(Phase::Ending { since: context.now });
        }
        context.client = self.head.as_ref().and_then(|head| head.preamble.client());
        respond(408, &[], "the request did not come in time", b"", context);
        // All that came is read, and for more nobody waits: its place is free when it is told.
        Some(Phase::Ended { since: context.now })
    }

    pub(super) fn deadline(&self, settings: &Settings) -> Instant {
        let is_idle = self.is_idle();
        self.since.after(if is_idle { settings.keep_alive } else { settings.handshake_timeout })
    }
}

/// The header of the PROXY protocol, which only trusted proxies may send.
fn read_preamble(
    bytes: &[u8],
    context: &Context,
) -> Result<Option<preamble::Preamble>, (u16, String)> {
    if !context.peer.is_some_and(|peer| context.settings.trust.trusts(peer)) {
        return Err((403, "only trusted proxies may connect here".to_owned()));
    }
    preamble::parse(bytes).map_err(|error| (400, error.to_string()))
}
