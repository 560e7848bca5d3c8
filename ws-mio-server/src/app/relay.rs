//! `/relay/{room}`: every message goes, as it is, to everyone else in the room.

use ws_mio_server::{Handler, Message, Peer};

#[derive(Clone)]
pub(crate) struct Relay;

impl Handler for Relay {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let topic = topic(peer);
        peer.subscribe(&topic);
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        let topic = topic(peer);
        peer.publish(&topic, message);
    }
}

fn topic(peer: &Peer<'_>) -> String {
    format!("relay/{}", peer.param("room").unwrap_or_default())
}
