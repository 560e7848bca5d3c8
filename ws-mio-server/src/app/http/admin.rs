//! `/admin/api`: what those who run the server see and do.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ws_mio_server::{
    Answer, Builder, Call, CloseCode, ConnectionInfo, ConnectionKind, EndedConnection, Handle,
    PeerId, Reply, Service,
};

use super::answers::{malformed, number, query};
use super::api::{EVENTUAL, busiest, limit, skip};
use super::fields::Fields;
use super::recent::MAX_DIRECT;
use crate::app::FORBIDDEN;
use crate::app::chat::wire::{Complaint, timestamp};
use crate::app::rooms::{Listed, Rooms};
use crate::clock;

/// How many members are looked through for who a connection is of.
const NAMED: usize = 10_000;
/// How long workers may take to tell of their connections.
const WITHIN: Duration = Duration::from_secs(5);

/// A part of what is served to those who run the server.
#[derive(Clone)]
pub(crate) struct Admin {
    rooms: Rooms,
    /// How long connections may take to be closed before the server stops.
    drain: Duration,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    State,
    Rooms,
    Connections,
    Closes,
    Notify,
    Kick,
    Drain,
}

impl Admin {
    /// Serves all of it at the address for those who run the server.
    pub(crate) fn serve(builder: Builder, rooms: &Rooms, drain: Duration) -> Builder {
        let parts = [
            ("/admin/api/state", Part::State),
            ("/admin/api/rooms", Part::Rooms),
            ("/admin/api/connections", Part::Connections),
            ("/admin/api/closes", Part::Closes),
            ("/admin/api/notify", Part::Notify),
            ("/admin/api/kick", Part::Kick),
            ("/admin/api/drain", Part::Drain),
        ];
        parts.into_iter().fold(builder, |builder, (path, part)| {
            builder.admin_service(path, Self { rooms: rooms.clone(), drain, part })
        })
    }

    fn call(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let Some(handle) = self.rooms.handle() else {
            return Err(Complaint::busy("the server is about to start"));
        };
        if call.method() == "POST" {
            check_type(call)?;
        }
        match self.part {
            Part::State => Ok(said(&self.state(handle))),
            Part::Rooms => self.list(call),
            Part::Connections => self.connections(call, handle),
            Part::Closes => {
                let most = number(call, "limit", 1..=1000, 100)?;
                let closes: Vec<_> = handle.ended(most).iter().map(ended).collect();
                Ok(said(&json!({ "closes": closes })))
            }
            Part::Notify => self.notify(call),
            Part::Kick => self.kick(call, handle),
            Part::Drain => self.drain(call, handle),
        }
    }

    fn state(&self, handle: &Handle) -> Value {
        let (stats, mailboxes) = (handle.stats(), handle.mailboxes());
        let data = self.rooms.settings().data.as_ref();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime": stats.running.as_secs(),
            "now": timestamp(clock::unix_millis()),
            "workers": mailboxes.len(),
            "draining": stats.is_stopping,
            "connections": stats.connections,
            "rooms": self.rooms.count(),
            "counters": {
                "accepted": stats.accepted,
                "refused": stats.refused,
                "messagesIn": stats.messages,
                "messagesOut": stats.delivered,
                "bytesIn": stats.bytes_received,
                "bytesOut": stats.bytes_sent,
            },
            "queues": {
                "bytes": stats.queued_bytes,
                "mailboxes": mailboxes,
                "store": self.rooms.store_stats().map(|store| store.waiting),
            },
            "store": data.map(|data| data.display().to_string()),
        })
    }

    fn list(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let (most, skip) = (limit(call, &self.rooms, 200)?, skip(call)?);
        if self.rooms.is_clustered() {
            return Ok(self.list_all(call, skip, most));
        }
        Ok(said(&self.list_here(skip, most)))
    }

    /// The rooms of all nodes, or those of this one while it can't ask for them.
    fn list_all(&self, call: &Call<'_>, skip: usize, most: usize) -> Reply {
        let (id, this) = (call.id(), self.clone());
        let tell = move |found: Result<(Vec<Listed>, usize), Complaint>| {
            let body = match found {
                Ok((rooms, total)) => {
                    let rooms: Vec<_> = rooms.iter().map(listed).collect();
                    json!({ "total": total, "scope": "cluster", "consistency": EVENTUAL, "rooms": rooms })
                }
                Err(_) => {
                    let mut body = this.list_here(skip, most);
                    if let Some(body) = body.as_object_mut() {
                        body.insert("scope".to_owned(), "node".into());
                    }
                    body
                }
            };
            if let Some(handle) = this.rooms.handle() {
                handle.answer(id, Answer::json(200, body.to_string()));
            }
        };
        self.rooms.rooms_of_all(skip, most, Box::new(tell));
        let otherwise = answer(&Complaint::busy("the backplane does not answer; try again"));
        Reply::Later { within: WITHIN, otherwise }
    }

    fn list_here(&self, skip: usize, most: usize) -> Value {
        let (rooms, total) = busiest(&self.rooms, skip, most);
        let room = |room: &ws_mio_server::hub::RoomInfo| {
            json!({
                "room": *room.name,
                "connections": room.connections,
                "users": room.people,
                "id": room.position.to_string(),
                "history": room.kept,
                "unstored": room.unstored,
            })
        };
        let rooms: Vec<_> = rooms.iter().map(room).collect();
        json!({ "total": total, "rooms": rooms })
    }

    fn connections(&self, call: &Call<'_>, handle: &Handle) -> Result<Reply, Complaint> {
        let most = number(call, "limit", 1..=10_000, 200)?;
        let room = query(call, "room")?;
        let members = match &room {
            Some(room) => self.rooms.members_of(room, most),
            None => self.rooms.members(NAMED),
        };
        let peers: Vec<_> = members.iter().map(|(peer, ..)| *peer).collect();
        let of = members.into_iter().map(|(peer, room, user)| (peer, (room, user)));
        let of: HashMap<PeerId, (Arc<str>, Arc<str>)> = of.collect();
        let (id, answers) = (call.id(), handle.clone());
        let count = room.is_some().then_some(peers.len());
        let tell = move |mut found: Vec<ConnectionInfo>, total: usize| {
            found.truncate(most);
            let now = clock::unix_millis();
            let connections: Vec<_> =
                found.iter().map(|one| described(one, of.get(&one.id), now)).collect();
            let body = json!({ "total": count.unwrap_or(total), "connections": connections });
            answers.answer(id, Answer::json(200, body.to_string()));
        };
        match room {
            Some(_) => handle.connections_of(peers, tell),
            None => handle.connections(most, tell),
        }
        let otherwise = answer(&Complaint::busy("the workers are busy; try again"));
        Ok(Reply::Later { within: WITHIN, otherwise })
    }

    fn notify(&self, call: &Call<'_>) -> Result<Reply, Complaint> {
        let mut fields = Fields::read(call.body())?;
        let (room, user) = (fields.name("room")?, fields.name("user")?);
        let message = fields.due("message")?;
        fields.finish()?;
        if message.len() > MAX_DIRECT {
            return Err(malformed(format!("`message` is too long: at most {MAX_DIRECT} bytes")));
        }
        let delivered = match (room, user) {
            (Some(room), None) => self.rooms.notify_room(&room, &message)?,
            (None, Some(user)) => self.rooms.notify_user(&user, &message)?,
            _ => return Err(malformed("either `room` or `user` is due")),
        };
        Ok(said(&json!({ "delivered": delivered })))
    }

    fn kick(&self, call: &Call<'_>, handle: &Handle) -> Result<Reply, Complaint> {
        let mut fields = Fields::read(call.body())?;
        let (connection, user) = (fields.text("connection")?, fields.name("user")?);
        let reason = fields.text("reason")?.unwrap_or_else(|| "disconnected".to_owned());
        fields.finish()?;
        let code = CloseCode::new(FORBIDDEN).unwrap_or(CloseCode::POLICY_VIOLATION);
        let closed = match (connection, user) {
            (Some(id), None) => {
                let peer: PeerId =
                    id.parse().map_err(|error| malformed(format!("`connection`: {error}")))?;
                handle.close(peer, code, &reason);
                1
            }
            (None, Some(user)) => self.rooms.disconnect(&user, code, &reason),
            _ => return Err(malformed("either `connection` or `user` is due")),
        };
        Ok(said(&json!({ "closed": closed })))
    }

    fn drain(&self, call: &Call<'_>, handle: &Handle) -> Result<Reply, Complaint> {
        let mut fields = Fields::read(call.body())?;
        let within = fields.number("seconds")?.map_or(self.drain, Duration::from_secs);
        fields.finish()?;
        if within > Duration::from_secs(24 * 60 * 60) {
            return Err(malformed("`seconds` must be those of a day at most"));
        }
        tracing::info!(within = within.as_secs(), "draining, as the admin page asks");
        handle.drain(within);
        Ok(Reply::Now(Answer::json(202, json!({ "draining": true }).to_string())))
    }
}

impl Service for Admin {
    fn methods(&self) -> &[&str] {
        match self.part {
            Part::State | Part::Rooms | Part::Connections | Part::Closes => &["GET"],
            Part::Notify | Part::Kick | Part::Drain => &["POST"],
        }
    }

    fn max_body(&self) -> Option<usize> {
        Some(64 * 1024)
    }

    fn on_call(&mut self, call: &Call<'_>) -> Reply {
        self.call(call).unwrap_or_else(|complaint| Reply::Now(answer(&complaint)))
    }
}

/// Pages of other origins can't send this type without being asked for it first.
fn check_type(call: &Call<'_>) -> Result<(), Complaint> {
    let kind = call.request().header("Content-Type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Complaint::new("unsupported", "`Content-Type: application/json` is due")),
    }
}

fn answer(complaint: &Complaint) -> Answer {
    let status = match complaint.code {
        "busy" => 503,
        "unsupported" => 415,
        "too-long" => 413,
        _ => 400,
    };
    Answer::json(status, json!({ "error": complaint.message }).to_string())
}

fn said(value: &Value) -> Reply {
    Reply::Now(Answer::json(200, value.to_string()))
}

fn listed(room: &Listed) -> Value {
    json!({
        "room": *room.name,
        "connections": room.connections,
        "here": room.here,
        "users": room.people,
        "id": room.position.map(|id| id.to_string()),
        "history": room.kept,
        "unstored": 0,
    })
}

fn described(
    connection: &ConnectionInfo,
    member: Option<&(Arc<str>, Arc<str>)>,
    now: u64,
) -> Value {
    let age = u64::try_from(connection.age.as_millis()).unwrap_or(u64::MAX);
    let forwarded = connection.forwarded_for.map(|address| address.to_string());
    let user = member.map(|(_, user)| &**user).or(connection.user.as_deref());
    json!({
        "connection": connection.id.to_string(),
        "room": member.map(|(room, _)| &**room),
        "username": user,
        "transport": match connection.kind {
            ConnectionKind::WebSocket => "websocket",
            ConnectionKind::Events => "sse",
            ConnectionKind::Request => "http",
            ConnectionKind::Ending => "ending",
        },
        "address": forwarded.or(connection.address.as_ref().map(SocketAddr::to_string)),
        "since": timestamp(now.saturating_sub(age)),
        "queued": connection.queued,
    })
}

fn ended(ended: &EndedConnection) -> Value {
    json!({
        "at": timestamp(ended.unix_time.saturating_mul(1000)),
        "address": ended.address.as_ref().map(SocketAddr::to_string),
        "username": ended.user,
        "code": ended.code,
        "by": ended.by.to_string(),
        "reason": ended.reason,
        "seconds": ended.age,
    })
}
