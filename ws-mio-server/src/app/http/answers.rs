//! What the services answer with.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ws_mio_server::hub::check_name;
use ws_mio_server::{Answer, Call, Reply};

use crate::app::chat::wire::{self, Complaint, RETRY_AFTER};
use crate::app::rooms::{Answer as Told, Rooms};

/// How long a publication may take to be stored.
const WITHIN: Duration = Duration::from_secs(30);

/// Something comes to nothing.
pub(super) fn refusal(complaint: &Complaint) -> Answer {
    let status = match complaint.code {
        "forbidden" => 403,
        "not-found" => 404,
        "clientid-reused" => 409,
        "too-long" => 413,
        "unsupported" => 415,
        "busy" | "room-full" => 503,
        _ => 400,
    };
    let answer = Answer::json(status, wire::error(complaint));
    match status {
        503 => answer.with_field("Retry-After", RETRY_AFTER.to_string()),
        _ => answer,
    }
}

pub(super) fn malformed(what: impl Into<String>) -> Complaint {
    Complaint::new("malformed", what)
}

/// A parameter of the query.
pub(super) fn query<'r>(call: &Call<'r>, name: &str) -> Result<Option<Cow<'r, str>>, Complaint> {
    call.query(name).map_err(|error| malformed(error.to_string()))
}

/// A number of the query.
pub(super) fn number(
    call: &Call<'_>,
    name: &str,
    range: RangeInclusive<usize>,
    default: usize,
) -> Result<usize, Complaint> {
    let Some(text) = query(call, name)? else { return Ok(default) };
    let found = text.parse().ok().filter(|number| range.contains(number));
    let (least, most) = (range.start(), range.end());
    found.ok_or_else(|| malformed(format!("`{name}` must be a number from {least} to {most}")))
}

/// The room that a path names, or else the default.
pub(super) fn room<'r>(call: &Call<'r>, rooms: &'r Rooms) -> Result<&'r str, Complaint> {
    let room = call.param("room").unwrap_or(&rooms.settings().default_room);
    match check_name(room) {
        Ok(()) => Ok(room),
        Err(error) => Err(malformed(format!("the room's name is not good: {error}"))),
    }
}

/// The user that a path names.
pub(super) fn user<'r>(call: &Call<'r>) -> Result<&'r str, Complaint> {
    let user = call.param("user").unwrap_or_default();
    match check_name(user) {
        Ok(()) => Ok(user),
        Err(error) => Err(malformed(format!("the user's name is not good: {error}"))),
    }
}

/// A room, and the person that asks for it.
pub(super) fn seat<'r>(
    call: &Call<'r>,
    rooms: &'r Rooms,
) -> Result<(&'r str, Arc<str>), Complaint> {
    let room = room(call, rooms)?;
    let user = rooms.person(call.identity(), query(call, "username")?.as_deref())?;
    Ok((room, user))
}

/// Publishes in a room, and answers as `say` does when it is done.
pub(super) fn publish(
    call: &Call<'_>,
    rooms: &Rooms,
    (room, user): (&str, &str),
    (content, client_id): (&str, Option<&str>),
    say: impl FnOnce(ws_mio_server::hub::Id) -> String + Send + 'static,
) -> Reply {
    let (call, handle) = (call.id(), rooms.handle().cloned());
    let named = client_id.map(str::to_owned);
    let tell = move |result: Result<_, Complaint>| {
        let answer = match result {
            Ok(id) => Answer::json(200, say(id)),
            Err(complaint) => refusal(&complaint.of(named.as_deref())),
        };
        if let Some(handle) = handle {
            handle.answer(call, answer);
        }
    };
    rooms.publish(room, user, content, client_id, Told::Call(Box::new(tell)));
    let late = "it is not known yet whether the message is stored; send it again, as the same";
    let otherwise = refusal(&Complaint::busy(late).of(client_id));
    Reply::Later { within: WITHIN, otherwise }
}

/// The answer, whichever it is.
pub(super) fn reply(result: Result<Reply, Complaint>) -> Reply {
    result.unwrap_or_else(|complaint| Reply::Now(refusal(&complaint)))
}
