//! `/chat/{room}`: rooms with names, history and recovery, in JSON.

pub(crate) mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use ws_mio_server::hub::{Since, check_name};
use ws_mio_server::{CloseCode, Ending, Handler, Message, Peer, PeerId};

use super::rooms::{Answer, Rooms};
use super::{BAD_REQUEST, FORBIDDEN};
use wire::{Complaint, RETRY_AFTER, Said};

/// The chat; each worker has one.
#[derive(Clone)]
pub(crate) struct Chat {
    rooms: Rooms,
    /// Who of this worker's peers is where.
    seats: HashMap<PeerId, Seat>,
}

/// One connection in its room.
#[derive(Clone)]
struct Seat {
    room: Arc<str>,
    user: Arc<str>,
    may_publish: bool,
    max_content: usize,
}

impl Chat {
    pub(crate) fn new(rooms: Rooms) -> Self {
        Self { rooms, seats: HashMap::new() }
    }

    fn enter(&mut self, peer: &Peer<'_>) -> Result<(), (u16, Complaint)> {
        let bad = |complaint| (BAD_REQUEST, complaint);
        let malformed = |what: String| bad(Complaint::new("malformed", what));
        let settings = self.rooms.settings();
        let room = peer.param("room").unwrap_or(&settings.default_room);
        check_name(room)
            .map_err(|error| malformed(format!("the room's name is not good: {error}")))?;
        let query = |name| peer.query(name).map_err(|error| malformed(error.to_string()));
        let (username, since) = (query("username")?, query("since")?);
        let user = self.rooms.person(peer.identity(), username.as_deref()).map_err(bad)?;
        let allowed = self.rooms.allowed(room, peer.identity());
        if !allowed.join {
            let complaint = Complaint::new("forbidden", "you may not join this room");
            return Err((FORBIDDEN, complaint));
        }
        let since = Since::parse(since.as_deref());
        let joined = self.rooms.join(room, peer.id(), &user, since);
        joined.map_err(|complaint| (CloseCode::TRY_AGAIN_LATER.get(), complaint))?;
        let (may_publish, max_content) = (allowed.publish, allowed.max_content);
        let seat = Seat { room: Arc::from(room), user, may_publish, max_content };
        self.seats.insert(peer.id(), seat);
        Ok(())
    }

    fn hear(&self, peer: &Peer<'_>, message: &Message<'_>) -> Result<(), Complaint> {
        let Some(seat) = self.seats.get(&peer.id()) else { return Ok(()) };
        let Message::Text(text) = message else {
            return Err(Complaint::new("malformed", "messages are texts of JSON, not binary"));
        };
        match wire::read(text, seat.max_content)? {
            Said::Message { client_id, .. } if !seat.may_publish => {
                let complaint = Complaint::new("forbidden", "you may not publish in this room");
                Err(complaint.of(client_id.as_deref()))
            }
            Said::Message { content, client_id } => {
                let id = client_id.as_deref();
                let answer = Answer::Member { peer: peer.id(), client_id: id.map(Box::from) };
                self.rooms.publish(&seat.room, &seat.user, &content, id, answer);
                Ok(())
            }
            Said::Typing(_) if !seat.may_publish => {
                Err(Complaint::new("forbidden", "you may not publish in this room"))
            }
            Said::Typing(is_typing) => {
                self.rooms.typing(&seat.room, Some(peer.id()), &seat.user, is_typing)
            }
        }
    }
}

impl Handler for Chat {
    fn on_open(&mut self, peer: &mut Peer<'_>) {
        let Err((code, complaint)) = self.enter(peer) else { return };
        peer.send(wire::error(&complaint).as_str());
        if let Some(code) = CloseCode::new(code) {
            let reason = match code {
                CloseCode::TRY_AGAIN_LATER => {
                    format!("{}; retry-after={RETRY_AFTER}", complaint.message)
                }
                _ => complaint.message,
            };
            peer.close(code, &reason);
        }
    }

    fn on_message(&mut self, peer: &mut Peer<'_>, message: Message<'_>) {
        if let Err(complaint) = self.hear(peer, &message) {
            peer.send(wire::error(&complaint).as_str());
        }
    }

    fn on_gap(&mut self, peer: &mut Peer<'_>, _: u32) {
        // Whoever connects again gets what is missing, or is told how much it is.
        peer.close(CloseCode::TRY_AGAIN_LATER, "you missed messages: connect again to get them");
    }

    fn on_close(&mut self, peer: &mut Peer<'_>, _: Ending<'_>) {
        if let Some(seat) = self.seats.remove(&peer.id()) {
            // Where all leave because the server stops, nobody is told of each.
            let stops = peer.is_stopping();
            self.rooms.leave(&seat.room, peer.id(), stops);
        }
    }
}
