//! `/echo`: every message comes back to its sender.

use ws_mio_server::{Handler, Message, Peer};

#[derive(Clone)]
pub(crate) struct Echo;

impl Handler for Echo {
    #[inline(always)]
    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        peer.send(message);
    }
}
