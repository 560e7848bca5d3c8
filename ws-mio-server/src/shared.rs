//! A message that is sent more than once.

use std::sync::Arc;

use ws_proto::Message;

use crate::frame::Frame;

/// A message, encoded and compressed once, to be sent to any number of peers at any time: see
/// [`Handle::deliver`](crate::Handle::deliver). Clones share its memory.
///
/// ```
/// use ws_mio_server::Shared;
/// let message = Shared::new("for everyone");
/// ```
#[derive(Clone, Debug)]
pub struct Shared(pub(crate) Arc<Frame>);

impl Shared {
    /// Takes a copy of a message.
    #[must_use]
    pub fn new<'m>(message: impl Into<Message<'m>>) -> Self {
        Self(Arc::new(Frame::new(message.into())))
    }

    /// The same, with the id that it has as an event of a stream ([`Reply::Events`](crate::Reply::Events)):
    /// a client that connects again tells the last that it saw. Line ends and NUL are left out, for an id can't
    /// have them.
    ///
    /// ```
    /// use ws_mio_server::Shared;
    /// let message = Shared::new(r#"{"type":"message"}"#).with_event_id("e7:12");
    /// ```
    #[must_use]
    pub fn with_event_id(self, id: &str) -> Self {
        let id = id.replace(['\r', '\n', '\0'], "").into_boxed_str();
        Self(Arc::new(Frame::with_id(self.0.message(), Some(id))))
    }
}
