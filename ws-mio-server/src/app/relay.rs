//! `/relay/{room}`: every message goes, as it is, to everyone else in the room.

use std::collections::HashMap;
use std::sync::Arc;

use ws_mio_server::hub::check_name;
use ws_mio_server::{CloseCode, Ending, Handler, Message, Peer, PeerId};

use super::rooms::{BINARY, Rooms, TEXT};

/// What topics of relays begin with: no name of a room has a control character, so none is of the chat.
const PREFIX: char = '\u{1}';

#[derive(Clone)]
pub(crate) struct Relay {
    rooms: Rooms,
    /// Who of this worker's peers is where, and may send there.
    seats: HashMap<PeerId, (Arc<str>, bool)>,
}

impl Relay {
    pub(crate) fn new(rooms: Rooms) -> Self {
        Self { rooms, seats: HashMap::new() }
    }

    /// Where a peer is to be, and whether it may send there.
    fn place(&self, peer: &Peer<'_>) -> Result<(Arc<str>, bool), (u16, String)> {
        let bad = |reason| (super::BAD_REQUEST, reason);
        let asked = peer.query("room").map_err(|error| bad(error.to_string()))?;
        let room = peer.param("room").or(asked.as_deref()).filter(|room| !room.is_empty());
        let room = room.unwrap_or(&self.rooms.settings().default_room);
        check_name(room).map_err(|error| bad(format!("the room's name is not good: {error}")))?;
        let allowed = self.rooms.allowed(room, peer.identity());
        if !allowed.join {
            return Err((super::FORBIDDEN, "you may not join this room".to_owned()));
        }
        Ok((format!("{PREFIX}{room}").into(), allowed.publish))
    }
}

impl Handler for Relay {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        match self.place(peer) {
            Ok((topic, may_send)) => {
                peer.subscribe(&topic);
                self.rooms.listen(&topic);
                self.seats.insert(peer.id(), (topic, may_send));
            }
            // Nothing else is sent but what peers say.
            Err((code, reason)) => close(peer, code, &reason),
        }
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        match self.seats.get(&peer.id()) {
            Some((topic, true)) => {
                match &message {
                    Message::Text(text) => self.rooms.whisper(topic, TEXT, text.as_bytes()),
                    Message::Binary(bytes) => self.rooms.whisper(topic, BINARY, bytes),
                }
                peer.publish(topic, message);
            }
            Some((_, false)) => close(peer, super::FORBIDDEN, "you may not publish in this room"),
            None => {}
        }
    }

    fn on_close(&mut self, peer: &mut Peer<'_>, _: Ending<'_>) {
        if let Some((topic, _)) = self.seats.remove(&peer.id()) {
            self.rooms.unlisten(&topic);
        }
    }
}

fn close(peer: &mut Peer<'_>, code: u16, reason: &str) {
    if let Some(code) = CloseCode::new(code) {
        peer.close(code, reason);
    }
}
