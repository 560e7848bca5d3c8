//! One connection, as a handler sees it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use ws_proto::deflate::Agreement;
use ws_proto::{CloseCode, Connection, Framed, Message, SendError, Server, Sink, State};

use crate::Identity;
use crate::context::Context;
use crate::cork::LARGE;
use crate::extra::Extra;
use crate::frame::Frame;
use crate::id::{Key, PeerId};
use crate::mailbox::Publication;
use crate::query::{self, QueryError};
use crate::record::Cause;

/// A connection, for the time of a call to its [`Handler`](crate::Handler).
pub struct Peer<'t> {
    pub(crate) key: Key,
    pub(crate) connection: &'t mut Connection<Server>,
    /// How its messages are compressed, if they are.
    pub(crate) deflate: Option<Agreement>,
    pub(crate) extra: &'t mut Option<Box<Extra>>,
    pub(crate) context: &'t mut Context,
    /// The message that the handler is given, if its frame can be sent from where it lies.
    pub(crate) framed: Option<Framed<'t>>,
}

impl Peer<'_> {
    /// The connection's name.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        PeerId { worker: self.context.worker, key: self.key }
    }

    /// What stands in the request's path for `{name}` of the route, percent-decoded.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let params = &self.extra.as_ref()?.about.params;
        params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter of the request's query, percent-decoded, with `+` for a space; of several of this
    /// name, the first. The query is there in [`on_open`](crate::Handler::on_open) only: what is needed later is
    /// to be kept then, so that connections whose handlers don't ask have no memory taken for it.
    ///
    /// # Errors
    /// The value's percent-encoding is malformed, or not of UTF-8.
    pub fn query(&self, name: &str) -> Result<Option<Cow<'_, str>>, QueryError> {
        query::get(&self.context.query, name)
    }

    /// Who connected, if the server asks for that ([`Builder::authenticate`](crate::Builder::authenticate)).
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.extra.as_ref()?.about.identity.as_deref()
    }

    /// The client's address, as a trusted proxy told it ([`Builder::trust_proxy`](crate::Builder::trust_proxy));
    /// `None` without one.
    #[must_use]
    pub fn forwarded_for(&self) -> Option<IpAddr> {
        self.extra.as_ref()?.about.client
    }

    /// Sends a message. Nothing goes out once the closing handshake has begun.
    ///
    /// What the kernel does not take is queued; a peer with more than 64 KiB in its queue is not read
    /// from until it has taken them. One that is sent more than the limit
    /// ([`Builder::max_queued`](crate::Builder::max_queued)) and a message beyond what it asked for by
    /// its own messages is closed with code 1013. What is sent so is never dropped otherwise.
    // In line, so that an echo of a small message is a few comparisons.
    #[inline(always)]
    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) {
        let message = message.into();
        if let Some(framed) = &self.framed
            && self.is_open()
            && self.context.cork.put_back(message, framed)
        {
            return;
        }
        let Self { connection, deflate, extra, context, .. } = self;
        // It fails only when the connection is closing: `on_close` tells. A message goes in two registers, and
        // the peer itself nowhere, so that it need not be in memory.
        let _ = match message {
            Message::Text(text) => send_text(connection, *deflate, extra, context, text),
            Message::Binary(bytes) => send_binary(connection, *deflate, extra, context, bytes),
        };
    }

    /// Subscribes the peer to a topic of this server; a second time changes nothing.
    ///
    /// It gets what is published from here on; by way of other workers, what was published just before
    /// may still come. `false`: it is not subscribed, for it has as many topics as it may
    /// ([`Builder::max_topics`](crate::Builder::max_topics)).
    pub fn subscribe(&mut self, topic: &str) -> bool {
        let topics = self.extra.as_ref().map_or(&[][..], |extra| &extra.topics);
        if topics.len() >= self.context.settings.max_topics {
            return topics.iter().any(|name| **name == *topic);
        }
        if let Some(topic) = self.context.topics.subscribe(topic, self.key) {
            self.extra.get_or_insert_default().topics.push(topic);
        }
        true
    }

    /// Ends a subscription; without one, nothing happens.
    pub fn unsubscribe(&mut self, topic: &str) {
        self.context.topics.unsubscribe(topic, self.key);
        if let Some(extra) = self.extra {
            extra.topics.retain(|name| **name != *topic);
        }
    }

    /// Sends a message to all subscribers of a topic, on all workers, but not to this peer.
    ///
    /// All subscribers get the messages of a topic in the same order.
    pub fn publish<'m>(&mut self, topic: &str, message: impl Into<Message<'m>>) {
        let publication = Publication {
            topic: Arc::from(topic),
            frame: Arc::new(Frame::new(message.into())),
            except: Some(self.id()),
            at: self.context.turn,
        };
        self.context.publications.push(publication);
    }

    /// Begins the closing handshake. No further message of the peer is delivered. A reason over 123
    /// bytes is cut, between two code points.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        let reason = reason.get(..reason.floor_char_boundary(123)).unwrap_or(reason);
        // It fails only when the connection is closing already.
        if self.connection.close(code, reason, &mut self.context.cork).is_ok() {
            let cause = Cause::new(code, reason, self.queued());
            self.extra.get_or_insert_default().about.cause = Some(Box::new(cause));
        }
    }

    /// Whether messages can still be sent to the peer.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.connection.state() == State::Open
    }

    /// Whether the server is stopping, or being drained: its peers are leaving because it sends them away.
    #[must_use]
    pub const fn is_stopping(&self) -> bool {
        self.context.stopping
    }

    /// Bytes that wait to be sent to the peer, those of this call included.
    #[must_use]
    pub fn queued(&self) -> usize {
        let outbox = self.extra.as_ref().map_or(0, |extra| extra.outbox.len());
        outbox.saturating_add(self.context.cork.len())
    }

    /// The same peer, in a place of its own.
    #[inline(always)]
    pub(crate) fn again(&mut self) -> Peer<'_> {
        Peer {
            key: self.key,
            connection: &mut *self.connection,
            deflate: self.deflate,
            extra: &mut *self.extra,
            context: &mut *self.context,
            framed: None,
        }
    }
}

#[inline(never)]
fn send_text(
    connection: &mut Connection<Server>,
    deflate: Option<Agreement>,
    extra: &mut Option<Box<Extra>>,
    context: &mut Context,
    text: &str,
) -> Result<(), SendError> {
    send(connection, deflate, extra, context, Message::Text(text))
}

#[inline(never)]
fn send_binary(
    connection: &mut Connection<Server>,
    deflate: Option<Agreement>,
    extra: &mut Option<Box<Extra>>,
    context: &mut Context,
    bytes: &[u8],
) -> Result<(), SendError> {
    send(connection, deflate, extra, context, Message::Binary(bytes))
}

#[inline]
fn send(
    connection: &mut Connection<Server>,
    deflate: Option<Agreement>,
    extra: &mut Option<Box<Extra>>,
    context: &mut Context,
    message: Message<'_>,
) -> Result<(), SendError> {
    let Context { pool, cork, .. } = context;
    let deflater = deflate.and_then(|agreement| {
        let own = extra.as_mut().and_then(|extra| extra.deflater.as_deref_mut());
        own.or_else(|| pool.deflater(agreement.sent.window))
    });
    let payload = message.as_bytes();
    match deflater {
        Some(deflater) => connection.send_deflated(message, true, deflater, cork),
        None if payload.len() < LARGE => connection.send(message, true, cork),
        None => {
            let header = connection.send_header(message.kind(), payload.len() as u64, true)?;
            cork.put(header.as_bytes(), &[])?;
            cork.put_payload(payload);
            Ok(())
        }
    }
}

impl std::fmt::Debug for Peer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// How a connection ended, in the terms of RFC 6455 §7.1.5 and §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending<'a> {
    /// The status code: what the Close frame said, 1005 if it had none, 1006 if none came.
    pub code: u16,
    /// The reason that came with it.
    pub reason: &'a str,
    /// Who ended it.
    pub by: EndedBy,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The peer began the closing handshake.
    Peer,
    /// This server did, with or without an answer: a handler, a limit, a violation by the peer, a
    /// shutdown.
    Server,
    /// Nobody said anything: the connection broke, or the peer stopped answering.
    Network,
}

impl std::fmt::Display for EndedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl EndedBy {
    /// In one word, for logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Server => "server",
            Self::Network => "network",
        }
    }
}
