//! The messages of the chat, as they are on the wire: JSON, one object in a text message.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use ws_mio_server::hub::{Id, Message, Recovery, Refused, check_name};

/// The longest name that a client may give to a message, in bytes.
pub(crate) const MAX_CLIENT_ID: usize = 128;

/// After how many seconds it is worth to try again what the server had no room for.
pub(crate) const RETRY_AFTER: u32 = 1;

/// What a client has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Message { content: String, client_id: Option<String> },
    Typing(bool),
}

/// Why something that a client has said comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What the client called its message, if that is known.
    pub(crate) client_id: Option<String>,
}

impl Complaint {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), client_id: None }
    }

    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new("busy", message)
    }

    pub(crate) fn of(self, client_id: Option<&str>) -> Self {
        Self { client_id: client_id.map(str::to_owned), ..self }
    }
}

impl From<Refused> for Complaint {
    fn from(why: Refused) -> Self {
        let code = match why {
            Refused::TooLong(_) => "too-long",
            Refused::KeyReused => "clientid-reused",
            Refused::RoomFull | Refused::TooManyRooms => "room-full",
            Refused::AlreadyIn => "malformed",
            Refused::StoreBusy | Refused::StoreFailed | Refused::Unsure => "busy",
            Refused::LogAway => "busy",
        };
        Self::new(code, why.to_string())
    }
}

/// Reads what a client has said; `longest` is how many bytes a content may have.
pub(crate) fn read(text: &str, longest: usize) -> Result<Said, Complaint> {
    let malformed = |message: &str| Complaint::new("malformed", message);
    let value: Value = serde_json::from_str(text)
        .map_err(|error| malformed(&format!("the message is not JSON: {error}")))?;
    let Value::Object(mut object) = value else {
        return Err(malformed("the message is not a JSON object"));
    };
    let client_id = match object.remove("clientId") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.len() <= MAX_CLIENT_ID && check_name(&id).is_ok() => Some(id),
        Some(_) => {
            let due = format!("`clientId` must be a text of 1 to {MAX_CLIENT_ID} bytes");
            return Err(malformed(&format!("{due} without control characters")));
        }
    };
    let wrong = |complaint: Complaint| Err(complaint.of(client_id.as_deref()));
    let kind = match object.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(_) => return wrong(malformed("`type` must be a text")),
        None => return wrong(malformed("the message has no `type`")),
    };
    match kind {
        "message" => match object.remove("content") {
            Some(Value::String(content)) if content.len() > longest => {
                wrong(Refused::TooLong(longest).into())
            }
            Some(Value::String(content)) => Ok(Said::Message { content, client_id }),
            Some(_) => wrong(malformed("`content` must be a text")),
            None => wrong(malformed("the message has no `content`")),
        },
        "typing" => match object.get("isTyping") {
            Some(Value::Bool(is_typing)) => Ok(Said::Typing(*is_typing)),
            Some(_) => wrong(malformed("`isTyping` must be true or false")),
            None => wrong(malformed("the message has no `isTyping`")),
        },
        _ => wrong(Complaint::new(
            "unknown-type",
            "the `type` is not known: `message` or `typing` is due",
        )),
    }
}

/// Milliseconds since 1970-01-01 UTC as ISO 8601 has them.
pub(crate) fn timestamp(millis: u64) -> String {
    // Further on, a year has five digits.
    const LAST: u64 = 253_402_300_799_999;
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(millis.min(LAST)));
    humantime::format_rfc3339_millis(at.unwrap_or(UNIX_EPOCH)).to_string()
}

/// A text as JSON has it.
fn quoted(text: &str) -> Value {
    Value::from(text)
}

/// A message of a room.
pub(crate) fn message(message: &Message) -> String {
    // What is published here came as text.
    let content = String::from_utf8_lossy(&message.content);
    let mut text = format!(
        r#"{{"type":"message","id":"{}","username":{},"content":{},"timestamp":"{}""#,
        message.id,
        quoted(&message.user),
        quoted(&content),
        timestamp(message.at),
    );
    // A string takes everything.
    if let Some(key) = &message.key {
        let _ = write!(text, r#","clientId":{}"#, quoted(key));
    }
    text.push('}');
    text
}

/// A message that only those here get, without an id: it is kept nowhere.
pub(crate) fn transient(message: &Message) -> String {
    let content = String::from_utf8_lossy(&message.content);
    let key = message.key.as_ref();
    let key = key.map_or_else(String::new, |key| format!(r#","clientId":{}"#, quoted(key)));
    format!(
        r#"{{"type":"message","username":{},"content":{},"timestamp":"{}"{key},"transient":true}}"#,
        quoted(&message.user),
        quoted(&content),
        timestamp(message.at),
    )
}

/// Such a message is accepted.
pub(crate) fn ack_here(client_id: &str) -> String {
    format!(r#"{{"type":"ack","clientId":{},"transient":true}}"#, quoted(client_id))
}

/// Messages from before somebody came.
pub(crate) fn history<'m>(messages: impl Iterator<Item = &'m Message>) -> String {
    let messages: Vec<_> = messages.map(message).collect();
    format!(r#"{{"type":"history","messages":[{}]}}"#, messages.join(","))
}

/// What a joiner gets first.
#[derive(Debug)]
pub(crate) struct Joined<'a> {
    pub(crate) position: Id,
    pub(crate) people: usize,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) user: &'a str,
    /// Who is there, as far as that is told.
    pub(crate) users: Option<Vec<&'a str>>,
}

pub(crate) fn joined(joined: &Joined<'_>) -> String {
    let Joined { position, people, recovery, user, users } = joined;
    let mut text = format!(r#"{{"type":"joined","id":"{position}","userCount":{people}"#);
    recovered(*recovery, &mut text);
    let _ = write!(text, r#","username":{}"#, quoted(user));
    if let Some(users) = users {
        let _ = write!(text, r#","users":{}"#, Value::from(users.as_slice()));
    }
    text.push('}');
    text
}

/// What the server itself says to a room, and why.
pub(crate) fn system(
    said: &str,
    people: usize,
    at: u64,
    event: &str,
    user: Option<&str>,
) -> String {
    let (said, at) = (quoted(said), timestamp(at));
    let user = user.map_or_else(String::new, |user| format!(r#","username":{}"#, quoted(user)));
    format!(
        r#"{{"type":"system","message":{said},"userCount":{people},"timestamp":"{at}","event":"{event}"{user}}}"#
    )
}

/// Somebody begins to write, or stops.
pub(crate) fn typing(user: &str, is_typing: bool) -> String {
    format!(r#"{{"type":"typing","username":{},"isTyping":{is_typing}}}"#, quoted(user))
}

/// A message to one user alone, which no room has.
pub(crate) fn direct(from: &str, content: &str, at: u64) -> String {
    format!(
        r#"{{"type":"direct","username":{},"content":{},"timestamp":"{}"}}"#,
        quoted(from),
        quoted(content),
        timestamp(at)
    )
}

/// A message is accepted.
pub(crate) fn ack(client_id: Option<&str>, id: Id) -> String {
    match client_id {
        Some(name) => format!(r#"{{"type":"ack","clientId":{},"id":"{id}"}}"#, quoted(name)),
        None => format!(r#"{{"type":"ack","id":"{id}"}}"#),
    }
}

/// What somebody gets who asks for a room again and again; `id` is what to ask for next.
pub(crate) fn poll(id: Id, recovery: Option<Recovery>, messages: &[Arc<Message>]) -> String {
    let mut text = format!(r#"{{"type":"poll","id":"{id}""#);
    recovered(recovery, &mut text);
    // A string takes everything.
    let _ = write!(text, r#","messages":[{}]}}"#, list(messages));
    text
}

/// The same with the one message that has come.
pub(crate) fn poll_one(message: &Arc<Message>) -> String {
    let recovery = Recovery { missed: 1, gap: Some(0) };
    poll(message.id, Some(recovery), std::slice::from_ref(message))
}

/// Messages that a room keeps, and whether there are more; `position` is the room's last.
pub(crate) fn page(position: Id, messages: &[Arc<Message>], more: bool) -> String {
    format!(r#"{{"id":"{position}","messages":[{}],"more":{more}}}"#, list(messages))
}

fn list(messages: &[Arc<Message>]) -> String {
    messages.iter().map(|one| message(one)).collect::<Vec<_>>().join(",")
}

fn recovered(recovery: Option<Recovery>, text: &mut String) {
    if let Some(recovery) = recovery {
        let Recovery { missed, gap } = recovery;
        let gap = gap.map_or_else(|| "null".to_owned(), |gap| gap.to_string());
        let recovered = recovery.is_complete();
        // A string takes everything.
        let _ = write!(text, r#","recovered":{recovered},"missed":{missed},"gap":{gap}"#);
    }
}

/// Something that was said comes to nothing.
pub(crate) fn error(complaint: &Complaint) -> String {
    let Complaint { code, message, client_id } = complaint;
    let mut text = format!(r#"{{"type":"error","message":{},"code":"{code}""#, quoted(message));
    if let Some(client_id) = client_id {
        let _ = write!(text, r#","clientId":{}"#, quoted(client_id));
    }
    if *code == "busy" {
        let _ = write!(text, r#","retryAfter":{RETRY_AFTER}"#);
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::{Complaint, Joined, Said, ack, error, joined, message, read, timestamp};
    use serde_json::{Value, json};
    use ws_mio_server::hub::{Epoch, Id, Message, Recovery};

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_clients_say_is_read() {
        let said = |text| read(text, 10);
        let message = |content: &str, client_id: Option<&str>| {
            let client_id = client_id.map(str::to_owned);
            Ok(Said::Message { content: content.to_owned(), client_id })
        };
        assert_eq!(said(r#"{"type":"message","content":"안녕"}"#), message("안녕", None));
        assert_eq!(
            said(r#" {"content":"","clientId":"가-1","x":[1],"type":"message"} "#),
            message("", Some("가-1"))
        );
        assert_eq!(
            said(r#"{"type":"message","content":"0123456789"}"#),
            message("0123456789", None)
        );
        assert_eq!(said(r#"{"type":"typing","isTyping":true}"#), Ok(Said::Typing(true)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, code, names) in [
            ("", "malformed", "JSON"),
            ("{", "malformed", "JSON"),
            (r#"{"type":"message","content":"a"} x"#, "malformed", "JSON"),
            ("[]", "malformed", "object"),
            ("null", "malformed", "object"),
            ("{}", "malformed", "`type`"),
            (r#"{"type":7}"#, "malformed", "`type`"),
            (r#"{"type":"mesage"}"#, "unknown-type", "`message`"),
            (r#"{"type":"message"}"#, "malformed", "`content`"),
            (r#"{"type":"message","content":7}"#, "malformed", "`content`"),
            (r#"{"type":"message","content":null}"#, "malformed", "`content`"),
            (r#"{"type":"message","content":"0123456789a"}"#, "too-long", "10 bytes"),
            (r#"{"type":"message","content":"a","clientId":7}"#, "malformed", "`clientId`"),
            (r#"{"type":"message","content":"a","clientId":""}"#, "malformed", "`clientId`"),
            (r#"{"type":"message","content":"a","clientId":"\n"}"#, "malformed", "`clientId`"),
            (r#"{"type":"typing"}"#, "malformed", "`isTyping`"),
            (r#"{"type":"typing","isTyping":"yes"}"#, "malformed", "`isTyping`"),
        ] {
            let complaint = read(text, 10).unwrap_err();
            assert_eq!(complaint.code, code, "{text}");
            assert!(complaint.message.contains(names), "{text}: {}", complaint.message);
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(&deep, 10).unwrap_err().code, "malformed");
        let named = read(r#"{"type":"message","clientId":"a"}"#, 10).unwrap_err();
        assert_eq!(named.client_id.as_deref(), Some("a"));
    }

    #[test]
    fn what_is_sent_has_these_fields_and_names_do_not_break_it() {
        let id = Id { epoch: Epoch::from_entropy(7), offset: 3 };
        let evil = "</script>\"\\\n\u{2028}👩‍👩‍👧";
        let sent = Message {
            id,
            at: 1_767_225_600_123,
            user: evil.into(),
            key: None,
            content: evil.as_bytes().into(),
        };
        let due = json!({
            "type": "message", "id": "00000007:3", "username": evil, "content": evil,
            "timestamp": "2026-01-01T00:00:00.123Z",
        });
        assert_eq!(parsed(&message(&sent)), due);
        let recovery = Some(Recovery { missed: 0, gap: None });
        let of = Joined { position: id, people: 2, recovery, user: evil, users: Some(vec![evil]) };
        let due = json!({
            "type": "joined", "id": "00000007:3", "userCount": 2, "recovered": false, "missed": 0,
            "gap": null, "username": evil, "users": [evil],
        });
        assert_eq!(parsed(&joined(&of)), due);
        assert_eq!(
            parsed(&ack(Some(evil), id)),
            json!({"type": "ack", "clientId": evil, "id": "00000007:3"})
        );
        let busy = Complaint::busy(evil).of(Some(evil));
        let due = json!({
            "type": "error", "message": evil, "code": "busy", "clientId": evil, "retryAfter": 1,
        });
        assert_eq!(parsed(&error(&busy)), due);
    }

    #[test]
    fn moments_have_milliseconds_and_a_year_of_four_digits() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
