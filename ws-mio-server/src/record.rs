//! What the log says of a connection that has ended.

use std::net::SocketAddr;

use ws_proto::CloseCode;

use crate::clock;
use crate::extra::Extra;
use crate::peer::{EndedBy, Ending};
use crate::{EndedConnection, Identity};

/// The end of an open connection, for one line of the log.
#[derive(Debug)]
pub(crate) struct CloseRecord {
    by: EndedBy,
    code: u16,
    /// Why this end closed it. What a peer gives as its reason has no place in a log.
    reason: String,
    queued: usize,
    /// How many messages were dropped because the peer did not take them.
    dropped: u32,
    /// In seconds.
    age: f64,
    last: Last,
    user: Option<String>,
    client: Option<String>,
}

/// The last frame that came from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Nothing,
    /// The last one of a message.
    Message,
    /// One of a message that has not come in whole.
    Part,
    Ping,
    Pong,
    Close,
    /// One that breaks the protocol.
    Violation,
    /// One behind a Close, or while its answer was due: it is not looked at.
    AfterClose,
}

impl Last {
    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Message => "message",
            Self::Part => "part of a message",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
            Self::Violation => "violation",
            Self::AfterClose => "ignored",
        }
    }
}

/// Why this end has begun to close a connection.
#[derive(Debug)]
pub(crate) struct Cause {
    code: u16,
    reason: Box<str>,
    /// How much waited for the peer.
    queued: usize,
}

impl Cause {
    pub(crate) fn new(code: CloseCode, reason: &str, queued: usize) -> Self {
        Self { code: code.get(), reason: reason.into(), queued }
    }
}

impl CloseRecord {
    /// The code that a connection ended with: that of our Close, whatever came of it, before any other.
    pub(crate) fn code(ending: &Ending<'_>, extra: Option<&Extra>) -> u16 {
        let cause = extra.and_then(|extra| extra.about.cause.as_ref());
        cause.map_or(ending.code, |cause| cause.code)
    }

    /// The record of an ending, if the log has one or somebody else wants it; its age is yet to be told.
    pub(crate) fn of(ending: &Ending<'_>, extra: Option<&Extra>, is_wanted: bool) -> Option<Self> {
        let cause = extra.and_then(|extra| extra.about.cause.as_ref());
        let code = Self::code(ending, extra);
        let shown = match is_good(ending.by, code) {
            true => tracing::enabled!(tracing::Level::DEBUG),
            false => tracing::enabled!(tracing::Level::INFO),
        };
        if !shown && !is_wanted {
            return None;
        }
        let reason = match (cause, ending.by) {
            (Some(cause), _) => cause.reason.to_string(),
            // A violation, in words of our own.
            (None, EndedBy::Server) => ending.reason.to_owned(),
            (None, EndedBy::Peer | EndedBy::Network) => String::new(),
        };
        let queued = extra.map_or(0, |extra| extra.outbox.len());
        Some(Self {
            by: ending.by,
            code,
            reason,
            queued: cause.map_or(queued, |cause| cause.queued),
            dropped: extra.map_or(0, |extra| extra.outbox.dropped()),
            age: 0.0,
            last: Last::Nothing,
            user: extra.and_then(|extra| extra.about.identity.as_deref()).map(user),
            client: extra.and_then(|extra| extra.about.client).map(|client| client.to_string()),
        })
    }

    /// The connection was open for so many tenths of a second, this was its last frame, and this is what made
    /// it end, too.
    pub(crate) fn complete(&mut self, age: u32, last: Last, deadline: Option<&'static str>) {
        self.last = last;
        self.age = f64::from(age) / 10.0;
        if let Some(missed) = deadline {
            let between = if self.reason.is_empty() { "" } else { "; " };
            self.reason.push_str(between);
            self.reason.push_str(missed);
        }
    }

    /// What is remembered of it.
    pub(crate) fn to_remember(&self, address: Option<SocketAddr>) -> EndedConnection {
        EndedConnection {
            unix_time: clock::unix_time(),
            user: self.user.clone(),
            address,
            code: self.code,
            by: self.by,
            reason: self.reason.clone(),
            age: self.age,
        }
    }

    /// Writes the line. A good end is told at the level `debug`, any other at `info`.
    pub(crate) fn log(self, peer: Option<SocketAddr>) {
        let peer = peer.map(|peer| peer.to_string());
        let Self { by, code, reason, queued, dropped, age, last, user, client } = self;
        let last = last.name();
        let by_whom = by.name();
        if is_good(by, code) {
            tracing::debug!(
                peer,
                client,
                user,
                by = by_whom,
                code,
                reason,
                queued,
                dropped,
                age,
                last,
                "closed"
            );
        } else {
            tracing::info!(
                peer,
                client,
                user,
                by = by_whom,
                code,
                reason,
                queued,
                dropped,
                age,
                last,
                "closed"
            );
        }
    }
}

fn user(identity: &Identity) -> String {
    identity.user().to_owned()
}

/// Whether a connection ended as it should: by a code that tells of nothing bad.
const fn is_good(by: EndedBy, code: u16) -> bool {
    !matches!(by, EndedBy::Network) && matches!(code, 1000 | 1001 | 1005 | 1012)
}
