//! `/api`: publishing, presence, history and users, for programs that have a key.

use std::time::Duration;

use serde_json::json;
use ws_mio_server::backplane::node::History;
use ws_mio_server::hub::{Id, IdError, Page, People, RoomInfo};
use ws_mio_server::{Answer, Builder, Call, CloseCode, Reply, Service};

use super::answers::{malformed, number, publish, query, refusal, reply, room, user};
use super::batch;
use super::fields::{Fields, check_client_id};
use super::keys::Keys;
use super::recent::Recent;
use crate::app::FORBIDDEN;
use crate::app::chat::wire::{self, Complaint};
use crate::app::rooms::{Listed, Rooms, Told};

/// Who says what is published without a name.
const SERVER: &str = "server";

/// How what is told of other nodes is to be taken.
pub(super) const EVENTUAL: &str = "eventual";

/// A part of the API.
#[derive(Clone)]
pub(crate) struct Api {
    rooms: Rooms,
    recent: Recent,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Rooms,
    Room,
    Presence,
    Messages,
    Batch,
    ToUser,
    Disconnect,
}

/// What is said to a room or to a user.
pub(super) struct Publication {
    pub(super) username: String,
    pub(super) content: String,
    pub(super) client_id: Option<String>,
}

impl Publication {
    /// Takes what is said from a body; `key` is what stands in for the name of the message, if it has none.
    pub(super) fn take(fields: &mut Fields, key: Option<String>) -> Result<Self, Complaint> {
        let content = fields.due("content")?;
        let username = fields.name("username")?.unwrap_or_else(|| SERVER.to_owned());
        let client_id = match (fields.client_id()?, key) {
            (Some(id), Some(key)) if id != key => {
                return Err(malformed("`Idempotency-Key` and `clientId` differ"));
            }
            (id, key) => id.or(key),
        };
        Ok(Self { username, content, client_id })
    }
}

/// What the request calls what it asks for, so that it may ask again.
pub(super) fn key(call: &Call<'_>) -> Result<Option<String>, Complaint> {
    let key = call.request().header("Idempotency-Key");
    check_client_id(key, "Idempotency-Key")?;
    Ok(key.map(str::to_owned))
}

impl Api {
    /// Serves all of it to those who have one of the keys.
    pub(crate) fn serve(builder: Builder, rooms: &Rooms, keys: &Keys) -> Builder {
        let recent = Recent::default();
        let parts = [
            ("/api/rooms", Part::Rooms),
            ("/api/rooms/{room}", Part::Room),
            ("/api/rooms/{room}/presence", Part::Presence),
            ("/api/rooms/{room}/messages", Part::Messages),
            ("/api/batch", Part::Batch),
            ("/api/users/{user}/messages", Part::ToUser),
            ("/api/users/{user}/disconnect", Part::Disconnect),
        ];
        parts.into_iter().fold(builder, |builder, (path, part)| {
            let (rooms, recent) = (rooms.clone(), recent.clone());
            builder.guarded_service(path, keys.clone(), Self { rooms, recent, part })
        })
    }

    fn call(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        match self.part {
            Part::Rooms => self.list(call),
            Part::Room => self.one(call),
            Part::Presence => self.presence(call),
            Part::Messages if call.method() == "POST" => self.publish(call),
            Part::Messages => self.history(call),
            Part::Batch => batch::publish(call, &self.rooms, &self.recent),
            Part::ToUser => self.to_user(call),
            Part::Disconnect => self.disconnect(call),
        }
    }

    fn list(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let (most, skip) = (limit(call, &self.rooms, 100)?, skip(call)?);
        if self.rooms.is_clustered() {
            let tell = later(call, &self.rooms, |(rooms, total): (Vec<Listed>, usize)| {
                let rooms: Vec<_> = rooms.iter().map(listed).collect();
                json!({ "total": total, "consistency": EVENTUAL, "rooms": rooms }).to_string()
            });
            self.rooms.rooms_of_all(skip, most, tell);
            return Ok(waits());
        }
        let (rooms, total) = busiest(&self.rooms, skip, most);
        let rooms: Vec<_> = rooms.iter().map(described).collect();
        Ok(said(&json!({ "total": total, "rooms": rooms })))
    }

    fn one(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let room = room(call, &self.rooms)?;
        if self.rooms.is_clustered() {
            let tell = answer_later(call, &self.rooms, |room: Option<Listed>| match room {
                Some(room) => {
                    let mut value = listed(&room);
                    label(&mut value);
                    Answer::json(200, value.to_string())
                }
                None => refusal(&Complaint::new("not-found", "nobody is in this room now")),
            });
            self.rooms.room_of_all(room, tell);
            return Ok(waits());
        }
        match self.rooms.room(room) {
            Some(room) => Ok(said(&described(&room))),
            None => Err(Complaint::new("not-found", "there is no such room now")),
        }
    }

    fn presence(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let room = room(call, &self.rooms)?;
        if self.rooms.is_clustered() {
            let tell = later(call, &self.rooms, |people| {
                let mut value = present(people);
                label(&mut value);
                value.to_string()
            });
            self.rooms.people_of_all(room, tell);
            return Ok(waits());
        }
        Ok(said(&present(self.rooms.people(room))))
    }

    fn history(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let room = room(call, &self.rooms)?;
        let most = number(call, "limit", 1..=1000, 100)?;
        let id = |name: &str| {
            let parsed = query(call, name)?.map(|text| text.parse::<Id>());
            parsed.transpose().map_err(|error: IdError| malformed(format!("`{name}`: {error}")))
        };
        let page = match (id("before")?, id("after")?) {
            (None, None) => Page::Newest,
            (Some(id), None) => Page::Before(id),
            (None, Some(id)) => Page::After(id),
            (Some(_), Some(_)) => return Err(malformed("`before` and `after` exclude each other")),
        };
        if self.rooms.is_clustered() {
            let tell = later(call, &self.rooms, |found: History| {
                wire::page(found.position, &found.messages, found.more)
            });
            self.rooms.history_of_all(room, page, most, tell);
            return Ok(waits());
        }
        let position = self.rooms.position(room);
        let (messages, more) = self.rooms.history(room, page, most);
        Ok(Reply::Now(Answer::json(200, wire::page(position, &messages, more))))
    }

    fn publish(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let room = room(call, &self.rooms)?;
        let mut fields = Fields::read(call.body())?;
        let Publication { username, content, client_id } =
            Publication::take(&mut fields, key(call)?)?;
        fields.finish()?;
        let say = |id: Id| json!({ "id": id.to_string() }).to_string();
        let what = (content.as_str(), client_id.as_deref());
        Ok(publish(call, &self.rooms, (room, &username), what, say))
    }

    fn to_user(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let user = user(call)?;
        let mut fields = Fields::read(call.body())?;
        let publication = Publication::take(&mut fields, key(call)?)?;
        fields.finish()?;
        let delivered = self.recent.direct(&self.rooms, user, &publication)?;
        Ok(said(&json!({ "delivered": delivered })))
    }

    fn disconnect(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let user = user(call)?;
        let mut fields = Fields::read(call.body())?;
        let reason = fields.text("reason")?.unwrap_or_else(|| "disconnected".to_owned());
        fields.finish()?;
        let code = CloseCode::new(FORBIDDEN).unwrap_or(CloseCode::POLICY_VIOLATION);
        Ok(said(&json!({ "closed": self.rooms.disconnect(user, code, &reason) })))
    }
}

impl Service for Api {
    fn methods(&self) -> &[&str] {
        match self.part {
            Part::Rooms | Part::Room | Part::Presence => &["GET"],
            Part::Messages => &["GET", "POST"],
            Part::Batch | Part::ToUser | Part::Disconnect => &["POST"],
        }
    }

    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        reply(self.call(call))
    }
}

/// Answers a call when something is known.
fn later<T>(
    call: &Call<'_>,
    rooms: &Rooms,
    say: impl FnOnce(T) -> String + Send + 'static,
) -> Told<T> {
    answer_later(call, rooms, |found| Answer::json(200, say(found)))
}

fn answer_later<T>(
    call: &Call<'_>,
    rooms: &Rooms,
    answer: impl FnOnce(T) -> Answer + Send + 'static,
) -> Told<T> {
    let (id, handle) = (call.id(), rooms.handle().cloned());
    Box::new(move |result| {
        let answer = match result {
            Ok(found) => answer(found),
            Err(complaint) => refusal(&complaint),
        };
        if let Some(handle) = handle {
            handle.answer(id, answer);
        }
    })
}

fn waits() -> Reply {
    let otherwise = refusal(&Complaint::busy("the backplane has not answered in time; try again"));
    Reply::Later { within: Duration::from_secs(10), otherwise }
}

fn present(people: People) -> serde_json::Value {
    let People { people, connections, users } = people;
    let users = users.map(|users| {
        let user = |(name, connections): &(std::sync::Arc<str>, usize)| {
            json!({ "username": **name, "connections": connections })
        };
        users.iter().map(user).collect::<Vec<_>>()
    });
    json!({ "userCount": people, "connections": connections, "users": users })
}

fn said(value: &serde_json::Value) -> Reply {
    Reply::Now(Answer::json(200, value.to_string()))
}

/// How many rooms a list is to have at most. Where there are several nodes, Redis tells no other of anything meanwhile.
pub(super) fn limit(call: &Call<'_>, rooms: &Rooms, default: usize) -> Result<usize, Complaint> {
    let most = if rooms.is_clustered() { 1_000 } else { 10_000 };
    number(call, "limit", 1..=most, default)
}

/// How many rooms of a list to leave out.
pub(super) fn skip(call: &Call<'_>) -> Result<usize, Complaint> {
    number(call, "offset", 0..=1_000_000_000, 0)
}

/// The rooms with the most connections, without some of them, and how many rooms there are.
pub(super) fn busiest(rooms: &Rooms, skip: usize, most: usize) -> (Vec<RoomInfo>, usize) {
    let mut rooms = rooms.rooms();
    let total = rooms.len();
    rooms.sort_unstable_by(|a, b| {
        b.connections.cmp(&a.connections).then_with(|| a.name.cmp(&b.name))
    });
    (rooms.into_iter().skip(skip).take(most).collect(), total)
}

fn described(room: &RoomInfo) -> serde_json::Value {
    json!({
        "room": *room.name,
        "userCount": room.people,
        "connections": room.connections,
        "id": room.position.to_string(),
        "history": room.kept,
        "bytes": room.bytes,
        "unstored": room.unstored,
    })
}

fn listed(room: &Listed) -> serde_json::Value {
    json!({
        "room": *room.name,
        "userCount": room.people,
        "connections": room.connections,
        "id": room.position.map(|id| id.to_string()),
        "history": room.kept,
        "bytes": room.bytes,
        "unstored": 0,
    })
}

/// What is told of other nodes may be late.
fn label(value: &mut serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert("consistency".to_owned(), EVENTUAL.into());
    }
}

/// What a batch says of one of its messages that comes to nothing.
pub(super) fn refused(complaint: &Complaint) -> serde_json::Value {
    // What is written as JSON is JSON.
    serde_json::from_slice(refusal(complaint).body()).unwrap_or_default()
}
