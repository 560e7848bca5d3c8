//! The memory of a connection that is not idle.

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
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

/// What only some connections have, at some time: many that are in the middle of a message, so it is small.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) about: Lazy<About>,
    pub(crate) topics: Vec<Arc<str>>,
    pub(crate) outbox: Lazy<Outbox>,
    /// For messages that refer to those before them, or one that has come in part.
    pub(crate) inflater: Option<Box<Inflater>>,
    /// For messages that refer to those before them.
    pub(crate) deflater: Option<Box<Deflater>>,
    /// A message that has come in part.
    pub(crate) message: Option<Arriving>,
    /// When the peer last took something of the outbox, or the outbox was empty, or all that had waited too
    /// long was dropped.
    pub(crate) progress: Instant,
}

/// What a connection has from its beginning, or for its end.
#[derive(Debug, Default)]
pub(crate) struct About {
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
}

/// What takes memory of its own from when it is written to.
#[derive(Debug, Default)]
pub(crate) struct Lazy<T>(Option<Box<T>>);

/// What can be empty.
pub(crate) trait Empty: 'static {
    const EMPTY: &Self;
}

impl<T> Lazy<T> {
    /// What was written to, if it was.
    pub(crate) fn written(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T: Empty> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::EMPTY)
    }
}

impl<T: Empty + Default> DerefMut for Lazy<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl Empty for About {
    const EMPTY: &Self = &Self {
        params: Params::new(),
        identity: None,
        client: None,
        place: None,
        spent: None,
        tls: None,
        recording: None,
        cause: None,
    };
}

impl Empty for Outbox {
    const EMPTY: &Self = &Self::new();
}

impl Extra {
    pub(crate) fn is_empty(&self) -> bool {
        let About { params, identity, client, place, spent, tls, recording, cause } = &*self.about;
        params.is_empty()
            && identity.is_none()
            && client.is_none()
            && place.is_none()
            && spent.is_none()
            && tls.is_none()
            && recording.is_none()
            && cause.is_none()
            && self.outbox.is_idle()
            && self.topics.is_empty()
            && self.inflater.is_none()
            && self.deflater.is_none()
            && self.message.is_none()
    }

    /// When a peer that takes nothing has had its time.
    pub(crate) fn stalled_at(&self, patience: Patience) -> Option<Instant> {
        (!self.outbox.is_empty()).then(|| self.progress.after(patience.stall_timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::Extra;

    #[test]
    fn a_connection_that_is_not_idle_takes_little_more() {
        assert!(size_of::<Extra>() <= 128, "{}", size_of::<Extra>());
    }
}
