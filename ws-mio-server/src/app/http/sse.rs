//! `/sse/{room}`: a room as a stream of events, and what is said in it by single requests.

use std::collections::HashMap;
use std::sync::Arc;

use ws_mio_server::hub::Since;
use ws_mio_server::{Answer, Call, CallId, PeerId, Reply, Service};

use super::answers::{malformed, publish, query, reply, seat};
use crate::app::chat::wire::{self, Complaint, Said};
use crate::app::rooms::Rooms;

/// The streams; each worker has its own.
#[derive(Clone)]
pub(crate) struct Sse {
    rooms: Rooms,
    /// In which room each of this worker's streams is.
    seats: HashMap<PeerId, Arc<str>>,
}

impl Sse {
    pub(crate) fn new(rooms: Rooms) -> Self {
        Self { rooms, seats: HashMap::new() }
    }

    fn join(&mut self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let (room, user) = seat(call, &self.rooms)?;
        if !self.rooms.allowed(room, call.identity()).join {
            return Err(Complaint::new("forbidden", "you may not join this room"));
        }
        // What a client saw last is newer than what its URL says, which is the same each time it connects.
        let last = call.request().header("Last-Event-ID").filter(|id| !id.is_empty());
        let since = Since::parse(last.or(query(call, "since")?.as_deref()));
        let peer = call.id().peer();
        self.rooms.join(room, peer, &user, since)?;
        self.seats.insert(peer, Arc::from(room));
        Ok(Reply::Events { retry: None })
    }

    fn hear(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let (room, user) = seat(call, &self.rooms)?;
        let allowed = self.rooms.allowed(room, call.identity());
        let text = str::from_utf8(call.body()).map_err(|_| malformed("the body is not UTF-8"))?;
        let said = wire::read(text, allowed.max_content)?;
        let client_id = match &said {
            Said::Message { client_id, .. } => client_id.clone(),
            Said::Typing(_) => None,
        };
        if !allowed.publish {
            let complaint = Complaint::new("forbidden", "you may not publish in this room");
            return Err(complaint.of(client_id.as_deref()));
        }
        match said {
            Said::Message { content, .. } => {
                let named = client_id.clone();
                let say = move |id| wire::ack(named.as_deref(), id);
                let what = (content.as_str(), client_id.as_deref());
                Ok(publish(call, &self.rooms, (room, &user), what, say))
            }
            Said::Typing(is_typing) => {
                self.rooms.typing(room, None, &user, is_typing)?;
                Ok(Reply::Now(Answer::json(200, "{}")))
            }
        }
    }
}

impl Service for Sse {
    fn methods(&self) -> &[&str] {
        &["GET", "POST"]
    }

    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        reply(if call.method() == "POST" { self.hear(call) } else { self.join(call) })
    }

    fn on_end(&mut self, call: CallId) {
        if let Some(room) = self.seats.remove(&call.peer()) {
            // Where all leave because the server stops, nobody is told of each.
            let stops = self.rooms.handle().is_some_and(|handle| handle.stats().is_stopping);
            self.rooms.leave(&room, call.peer(), stops);
        }
    }
}
