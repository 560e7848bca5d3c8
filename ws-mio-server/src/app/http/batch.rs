//! `/api/batch`: many messages in one request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use ws_mio_server::hub::Id;
use ws_mio_server::{Answer, Call, CallId, Handle, Reply};

use super::answers::{malformed, refusal};
use super::api::{Publication, key, refused};
use super::fields::Fields;
use super::recent::Recent;
use crate::app::chat::wire::{Complaint, MAX_CLIENT_ID};
use crate::app::rooms::{Answer as Told, Rooms};

/// The most messages of a batch.
const MOST: usize = 1000;
/// How long all of them may take to be stored.
const WITHIN: Duration = Duration::from_secs(30);

/// To whom a message goes.
enum To {
    Room(String),
    User(String),
}

/// What becomes of the messages, one after the other, in any order.
struct Results {
    each: Box<[OnceLock<Value>]>,
    left: AtomicUsize,
    call: CallId,
    handle: Option<Handle>,
}

impl Results {
    fn set(&self, number: usize, result: Value) {
        if let Some(place) = self.each.get(number) {
            // Each is told of once.
            let _ = place.set(result);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let results: Vec<_> = self.each.iter().filter_map(OnceLock::get).collect();
            let body = json!({ "results": results }).to_string();
            if let Some(handle) = &self.handle {
                handle.answer(self.call, Answer::json(200, body));
            }
        }
    }
}

/// Publishes all messages of a body, or none, if one of them is malformed. What becomes of each stands in the
/// answer, in the same order.
pub(super) fn publish(call: &Call<'_>, rooms: &Rooms, recent: &Recent) -> Result<Reply, Complaint> {
    let mut fields = Fields::read(call.body())?;
    let messages = fields.list("messages")?;
    fields.finish()?;
    if messages.is_empty() || messages.len() > MOST {
        return Err(malformed(format!("`messages` must be 1 to {MOST}")));
    }
    let key = key(call)?;
    let read = |(number, message)| {
        let of = key.as_ref().map(|key| format!("{key}/{number}"));
        let of = of.filter(|key| key.len() <= MAX_CLIENT_ID);
        read(message, of).map_err(|complaint| {
            let what = format!("message {number}: {}", complaint.message);
            Complaint { message: what, ..complaint }
        })
    };
    let messages: Vec<_> =
        messages.into_iter().enumerate().map(read).collect::<Result<_, Complaint>>()?;
    let results = Arc::new(Results {
        each: messages.iter().map(|_| OnceLock::new()).collect(),
        left: AtomicUsize::new(messages.len()),
        call: call.id(),
        handle: rooms.handle().cloned(),
    });
    for (number, (to, publication)) in messages.into_iter().enumerate() {
        let results = Arc::clone(&results);
        match to {
            To::User(user) => {
                let result = recent.direct(rooms, &user, &publication);
                let said = |delivered| json!({ "delivered": delivered });
                results.set(number, result.map_or_else(|why| refused(&why), said));
            }
            To::Room(room) => {
                let Publication { username, content, client_id } = publication;
                let tell = move |result: Result<Id, Complaint>| {
                    let said = |id: Id| json!({ "id": id.to_string() });
                    results.set(number, result.map_or_else(|why| refused(&why), said));
                };
                let answer = Told::Call(Box::new(tell));
                rooms.publish(&room, &username, &content, client_id.as_deref(), answer);
            }
        }
    }
    let late = "it is not known yet what is stored; send it again, with the same names";
    Ok(Reply::Later { within: WITHIN, otherwise: refusal(&Complaint::busy(late)) })
}

fn read(message: Value, key: Option<String>) -> Result<(To, Publication), Complaint> {
    let mut fields = Fields::of(message)?;
    let to = match (fields.name("room")?, fields.name("user")?) {
        (Some(room), None) => To::Room(room),
        (None, Some(user)) => To::User(user),
        _ => return Err(malformed("either `room` or `user` is due")),
    };
    let named = fields.client_id()?;
    let mut publication = Publication::take(&mut fields, None)?;
    publication.client_id = named.or(key);
    fields.finish()?;
    Ok((to, publication))
}
