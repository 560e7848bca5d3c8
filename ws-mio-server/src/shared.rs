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
}
