//! The memory of a connection that is not idle.

use std::net::IpAddr;
use std::sync::Arc;

use ws_proto::deflate::{Deflater, Inflater};
use ws_proto::keepalive::Instant;

use crate::Identity;
use crate::admission::Place;
use crate::arriving::Arriving;
use crate::outbox::Outbox;
use crate::rates::Spent;
use crate::record::Cause;
use crate::recording::Recording;
use crate::route::Params;
use crate::slow::Patience;
use crate::tls::Stream;

/// What only some connections have, at some time.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) params: Params,
    pub(crate) identity: Option<Box<Identity>>,
    /// Whom a trusted proxy speaks for.
    pub(crate) client: Option<IpAddr>,
    /// Its place among those who are here, if that is limited by what names it.
    pub(crate) place: Option<Box<Place>>,
    /// What it has sent, if that is limited.
    pub(crate) spent: Option<Box<Spent>>,
    /// How it is encrypted, if it is.
    pub(crate) tls: Option<Box<Stream>>,
    /// How it is recorded, if it is.
    pub(crate) recording: Option<Box<Recording>>,
    /// Why this end has begun to close the connection.
    pub(crate) cause: Option<Box<Cause>>,
    pub(crate) topics: Vec<Arc<str>>,
    pub(crate) outbox: Outbox,
    /// For messages that refer to those before them, or one that has come in part.
    pub(crate) inflater: Option<Inflater>,
    /// For messages that refer to those before them.
    pub(crate) deflater: Option<Deflater>,
    /// A message that has come in part.
    pub(crate) message: Option<Arriving>,
    /// When the peer last took something of the outbox, or the outbox was empty, or all that had waited too
    /// long was dropped.
    pub(crate) progress: Instant,
}

impl Extra {
    pub(crate) fn is_empty(&self) -> bool {
        self.params.is_empty()
            && self.identity.is_none()
            && self.client.is_none()
            && self.place.is_none()
            && self.spent.is_none()
            && self.tls.is_none()
            && self.recording.is_none()
            && self.cause.is_none()
            && self.topics.is_empty()
            && self.outbox.is_idle()
            && self.inflater.is_none()
            && self.deflater.is_none()
            && self.message.is_none()
    }

    /// When a peer that takes nothing has had its time.
    pub(crate) fn stalled_at(&self, patience: Patience) -> Option<Instant> {
        (!self.outbox.is_empty()).then(|| self.progress.after(patience.stall_timeout))
    }
}
