//! A message to many peers, encoded and compressed once.

use std::sync::{Arc, OnceLock};

use ws_proto::deflate::{Deflater, WindowBits};
use ws_proto::{Header, Kind, Message};

use crate::http::event;

/// A whole message as one frame, to be sent to any number of peers, of any worker.
#[derive(Debug)]
pub(crate) struct Frame {
    plain: Arc<[u8]>,
    kind: Kind,
    /// Where the payload starts in it.
    payload: usize,
    /// The frame compressed with each window, from the smallest, once somebody wants it so, if that is
    /// worth it.
    deflated: [OnceLock<Option<Arc<[u8]>>>; 7],
    /// The id that it has as an event.
    id: Option<Box<str>>,
    /// The message as an event, once somebody wants it so, if it is text.
    event: OnceLock<Option<Arc<[u8]>>>,
}

impl Frame {
    pub(crate) fn new(message: Message<'_>) -> Self {
        Self::with_id(message, None)
    }

    /// A message that has an id as an event.
    pub(crate) fn with_id(message: Message<'_>, id: Option<Box<str>>) -> Self {
        let payload = message.as_bytes();
        // No slice is longer than a frame may be.
        let header = Header::broadcast(message.kind(), payload.len() as u64);
        let header = header.as_ref().map(Header::as_bytes).unwrap_or_default();
        Self {
            plain: [header, payload].concat().into(),
            kind: message.kind(),
            payload: header.len(),
            deflated: [const { OnceLock::new() }; 7],
            id,
            event: OnceLock::new(),
        }
    }

    /// Bytes of the frame as it is.
    pub(crate) fn len(&self) -> usize {
        self.plain.len()
    }

    /// The frame as it is.
    pub(crate) fn plain(&self) -> Arc<[u8]> {
        Arc::clone(&self.plain)
    }

    /// The frame compressed with this window; `None` if it is not worth that.
    ///
    /// A worker that finds another at it waits, no longer than it would take to do the same itself: all
    /// workers come to a message at about the same time, and each would do it.
    pub(crate) fn deflated(
        &self,
        window: WindowBits,
        deflater: &mut Deflater,
    ) -> Option<Arc<[u8]>> {
        let index = window.get().checked_sub(WindowBits::MIN.get())?;
        let slot = self.deflated.get(usize::from(index))?;
        let deflate = || {
            let mut frame = Vec::new();
            matches!(deflater.broadcast(self.message(), &mut frame), Ok(true)).then(|| frame.into())
        };
        slot.get_or_init(deflate).clone()
    }

    /// The message as an event of a stream; `None` if it is not text.
    pub(crate) fn event(&self) -> Option<Arc<[u8]>> {
        let encode = || match self.message() {
            Message::Text(text) => Some(event(self.id.as_deref(), text).into()),
            Message::Binary(_) => None,
        };
        self.event.get_or_init(encode).clone()
    }

    pub(crate) fn message(&self) -> Message<'_> {
        let payload = self.plain.get(self.payload..).unwrap_or_default();
        match self.kind {
            // It was text when the frame was made.
            Kind::Text => Message::Text(str::from_utf8(payload).unwrap_or_default()),
            Kind::Binary => Message::Binary(payload),
        }
    }
}
