//! What this node tells others, and what it asks of rooms that they have, too.

use std::sync::Arc;

use serde_json::{Value, json};
use ws_mio_server::CloseCode;
use ws_mio_server::backplane::node::History;
use ws_mio_server::backplane::wire::{Ask, Request};
use ws_mio_server::hub::{Page, People, RoomInfo, Since};

use super::{Answer, Read, Rooms, Shard, Told};

/// What a whisper begins with that is a text, or bytes, for all members here.
pub(crate) const TEXT: u8 = b't';
pub(crate) const BINARY: u8 = b'b';
/// What one begins with that the server says in its own name.
pub(super) const NOTICE: u8 = b'n';

impl Rooms {
    /// Tells the members of a room, or of a relay, on other nodes something.
    pub(crate) fn whisper(&self, room: &str, kind: u8, message: &[u8]) {
        if self.is_clustered() {
            let payload: Arc<[u8]> = [&[kind], message].concat().into();
            let name = Arc::from(room);
            self.turn_node(room, |node, _, _, out| node.whisper(&name, payload, out));
        }
    }

    /// Somebody here is in a relay.
    pub(crate) fn listen(&self, name: &Arc<str>) {
        self.turn_node(name, |node, _, _, out| node.listen(name, out));
    }

    /// It has gone.
    pub(crate) fn unlisten(&self, name: &Arc<str>) {
        self.turn_node(name, |node, _, _, out| node.unlisten(name, out));
    }

    fn shout(&self, what: &Value) {
        let Some(cluster) = &self.0.cluster else { return };
        let (from, payload) = (Arc::clone(cluster.name()), what.to_string().into_bytes());
        cluster.ask(Request { tag: 0, ask: Ask::Shout { from, payload: payload.into() } });
    }

    pub(super) fn shout_to_user(&self, user: &str, text: &str) {
        self.shout(&json!({ "to": user, "text": text }));
    }

    pub(super) fn shout_disconnect(&self, user: &str, code: CloseCode, reason: &str) {
        self.shout(&json!({ "close": user, "code": code.get(), "reason": reason }));
    }

    pub(super) fn shouted(&self, payload: &[u8]) {
        let Ok(said) = serde_json::from_slice::<Value>(payload) else { return };
        let text = |name| said.get(name).and_then(Value::as_str);
        if let (Some(user), Some(text)) = (text("to"), text("text")) {
            self.send_to_user_here(user, text);
        }
        if let (Some(user), Some(reason)) = (text("close"), text("reason")) {
            let code = said.get("code").and_then(Value::as_u64);
            let code = code.and_then(|code| u16::try_from(code).ok()).and_then(CloseCode::new);
            let code = code.unwrap_or(CloseCode::POLICY_VIOLATION);
            self.disconnect_here(user, code, reason);
        }
    }

    /// A room with those who are in it on all nodes, as far as this one knows.
    pub(super) fn as_seen(&self, shard: &Shard, room: RoomInfo) -> RoomInfo {
        let seen = shard.node.as_ref().and_then(|node| node.seen_people(&shard.hub, &room.name));
        match seen {
            Some(People { people, connections, .. }) => RoomInfo { people, connections, ..room },
            None => room,
        }
    }

    /// Asks what a joiner would get, where there are several nodes; the room stays attached until
    /// [`Rooms::wait_no_more`].
    pub(crate) fn read_all(&self, room: &str, since: Since, tell: Told<Read>) {
        let answer = Answer::Read(tell);
        self.turn_node(room, |node, hub, now, out| {
            node.read(hub, room, since, answer, now, out);
        });
    }

    /// Keeps a room attached, or no more.
    pub(crate) fn hold(&self, room: &str, holds: bool) {
        self.turn_node(room, |node, hub, now, out| match holds {
            true => node.hold(hub, room, now, out),
            false => node.release(room),
        });
    }

    /// Asks for messages that a room keeps, where there are several nodes.
    pub(crate) fn history_of_all(&self, room: &str, page: Page, most: usize, tell: Told<History>) {
        let name = Arc::from(room);
        let answer = Answer::History(tell);
        self.turn_node(room, |node, _, _, out| node.history(&name, page, most, answer, out));
    }

    /// Asks who is in a room, where there are several nodes.
    pub(crate) fn people_of_all(&self, room: &str, tell: Told<People>) {
        let name = Arc::from(room);
        let answer = Answer::People(tell);
        self.turn_node(room, |node, hub, _, out| node.people(hub, &name, answer, out));
    }
}
