//! What Redis says, as answers and pushes. It may say anything: nothing here panics.

use std::str;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use super::encode::parse_body;
use crate::backplane::wire::{Answer, Ask, Attached, Entry, Failure, Page, Push, RoomList};
use crate::hub::{Epoch, Id, Message};

/// What becomes of a request by an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Whoever asked is told this.
    Told(Result<Answer, Failure>),
    /// It was not done, and is to be asked again.
    Again(Remedy),
    /// This Redis does nothing of the kind now: the link is of no use.
    Lost(String),
}

/// What helps before a request is asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// To give Redis the scripts.
    Scripts,
    /// To ask another node from now on: the rest of the error.
    Moved(String),
    /// To ask another node this once: the rest of the error.
    Elsewhere(String),
    /// To wait a bit.
    Wait,
}

/// The longest text of an error that is passed on, in characters.
const LONGEST_ERROR: usize = 200;

/// What an answer says to what was asked, by a Redis of this run.
pub(crate) fn answer(ask: &Ask, value: Value, run: u64) -> Outcome {
    if let Value::ServerError(error) = &value {
        return refused(error.code(), error.details().unwrap_or_default());
    }
    let told = match ask {
        Ask::Append(_) => return Outcome::Told(appended(&value)),
        Ask::Attach { room: _, .. } => attached(value, run).map(Answer::Attached),
        Ask::Read { .. } => match value {
            Value::Array(fields) => page(&fields, true).map(Answer::Page),
            _ => None,
        },
        Ask::People { .. } => people(&value).map(Answer::People),
        Ask::Renew { .. } => nodes(&value).map(Answer::Nodes),
        Ask::List { .. } => listed(&value),
        Ask::Rooms { .. } => rooms(&value).map(Answer::Rooms),
        Ask::Listed { room } => one_room(room, &value).map(Answer::Rooms),
        Ask::Listen { .. }
        | Ask::Detach { .. }
        | Ask::Whisper { .. }
        | Ask::Present { .. }
        | Ask::Sweep { .. }
        | Ask::Unlist { .. }
        | Ask::Resign { .. }
        | Ask::Shout { .. } => Some(Answer::Done),
    };
    Outcome::Told(told.ok_or_else(not_understood))
}

fn not_understood() -> Failure {
    Failure::Unknown(
        "the answer of Redis is not understood: is something else using the prefix?".into(),
    )
}

/// What an error means.
pub(super) fn refused(code: &str, details: &str) -> Outcome {
    let text = || -> String { format!("{code} {details}").chars().take(LONGEST_ERROR).collect() };
    match code {
        "NOSCRIPT" => Outcome::Again(Remedy::Scripts),
        "MOVED" => Outcome::Again(Remedy::Moved(details.to_owned())),
        "ASK" => Outcome::Again(Remedy::Elsewhere(details.to_owned())),
        "TRYAGAIN" => Outcome::Again(Remedy::Wait),
        "LOADING" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY" | "NOAUTH" => Outcome::Lost(text()),
        _ => Outcome::Told(Err(Failure::Refused(text().into()))),
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    str::from_utf8(bytes(value)?).ok()
}

fn array(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

fn appended(value: &Value) -> Result<Answer, Failure> {
    match text(value) {
        Some("!") => Err(Failure::KeyReused),
        Some(id) => id.parse().map(|id| Answer::Appended { id }).map_err(|_| not_understood()),
        None => Err(not_understood()),
    }
}

fn attached(value: Value, run: u64) -> Option<Attached> {
    let Value::Array(fields) = value else { return None };
    let people = people(fields.get(4)?)?;
    let version = text(fields.get(5)?)?.parse().ok()?;
    Some(Attached { page: page(&fields, false)?, people, version, run })
}

/// `[EPOCH, last, first, [id, message, …]]`
fn page(fields: &[Value], exact: bool) -> Option<Page> {
    let [epoch, last, first, messages, rest @ ..] = fields else { return None };
    if exact && !rest.is_empty() {
        return None;
    }
    let epoch: Epoch = text(epoch)?.parse().ok()?;
    let position = Id { epoch, offset: text(last)?.parse().ok()? };
    let mut kept: Vec<Message> = Vec::new();
    for pair in array(messages)?.chunks(2) {
        let [id, body] = pair else { return None };
        let (offset, at) = text(id)?.split_once('-')?;
        let id = Id { epoch, offset: offset.parse().ok()? };
        let is_next =
            kept.last().is_none_or(|last| last.id.offset.checked_add(1) == Some(id.offset));
        if !is_next {
            // Somebody else has taken some out: a page may not look as if there was no hole.
            kept.clear();
        }
        kept.push(message(id, at.parse().ok()?, bytes(body)?)?);
    }
    Some(Page { position, first: text(first)?.parse().ok()?, messages: kept })
}

fn message(id: Id, at: u64, body: &[u8]) -> Option<Message> {
    let (user, key, content) = parse_body(body)?;
    Some(Message { id, at, user: user.into(), key: key.map(Arc::from), content: content.into() })
}

/// `[NODE\0USER, connections, …]`; entries that are not understood are left out.
fn people(value: &Value) -> Option<Vec<Entry>> {
    let entry = |pair: &[Value]| {
        let [entry, connections] = pair else { return None };
        let (node, user) = text(entry)?.split_once('\0')?;
        let connections = text(connections)?.parse().ok().filter(|connections| *connections > 0)?;
        Some(Entry { node: node.into(), user: user.into(), connections })
    };
    Some(array(value)?.chunks(2).filter_map(entry).collect())
}

/// `[NODE, milliseconds, …]`
fn nodes(value: &Value) -> Option<Vec<(Arc<str>, Duration)>> {
    let node = |pair: &[Value]| {
        let [node, left] = pair else { return None };
        Some((text(node)?.into(), Duration::from_millis(text(left)?.parse().ok()?)))
    };
    array(value)?.chunks(2).map(node).collect()
}

/// `[1 or 0, NODE, …]`
fn listed(value: &Value) -> Option<Answer> {
    let (is_known, silent) = array(value)?.split_first()?;
    let silent = silent.iter().map(|node| text(node).map(Arc::from)).collect::<Option<_>>()?;
    Some(Answer::Listed { is_known: *is_known == Value::Int(1), silent })
}

/// `[number, ROOM, -connections, …]`
fn rooms(value: &Value) -> Option<RoomList> {
    let (Value::Int(total), rooms) = array(value)?.split_first()? else { return None };
    let room = |pair: &[Value]| {
        let [room, score] = pair else { return None };
        Some((text(room)?.into(), connections(score)?))
    };
    let rooms = rooms.chunks(2).map(room).collect::<Option<_>>()?;
    Some(RoomList { total: usize::try_from(*total).ok()?, rooms })
}

/// `-connections`, or nothing.
fn one_room(room: &Arc<str>, value: &Value) -> Option<RoomList> {
    if *value == Value::Nil {
        return Some(RoomList::default());
    }
    Some(RoomList { total: 1, rooms: vec![(Arc::clone(room), connections(value)?)] })
}

fn connections(score: &Value) -> Option<u64> {
    text(score)?.strip_prefix('-')?.parse().ok()
}

/// What stands in a subscription's connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A channel has a message.
    Message { channel: Vec<u8>, payload: Vec<u8> },
    /// A channel is subscribed, or is not any more.
    Subscribed { channel: Vec<u8>, ended: bool },
    /// A command was refused.
    Refused(Outcome),
    /// Something else.
    Other,
}

pub(crate) fn heard(value: Value) -> Heard {
    let fields = match value {
        Value::ServerError(error) => {
            return Heard::Refused(refused(error.code(), error.details().unwrap_or_default()));
        }
        Value::Array(fields) => fields,
        _ => return Heard::Other,
    };
    let mut fields = fields.into_iter();
    let (Some(kind), Some(channel), Some(payload)) = (fields.next(), fields.next(), fields.next())
    else {
        return Heard::Other;
    };
    let Value::BulkString(channel) = channel else { return Heard::Other };
    match (bytes(&kind), payload) {
        (Some(b"message" | b"smessage"), Value::BulkString(payload)) => {
            Heard::Message { channel, payload }
        }
        (Some(b"subscribe" | b"ssubscribe"), _) => Heard::Subscribed { channel, ended: false },
        (Some(b"unsubscribe" | b"sunsubscribe"), _) => Heard::Subscribed { channel, ended: true },
        _ => Heard::Other,
    }
}

/// What was published on the channel of a room; nothing if it is not understood.
pub(crate) fn pushes(room: &Arc<str>, payload: &[u8]) -> Vec<Push> {
    let all = match payload.split_first() {
        Some((b'M', rest)) => told_message(rest)
            .map(|message| vec![Push::Message { room: Arc::clone(room), message }]),
        Some((b'P', rest)) => told_presence(room, rest),
        Some((b'W', rest)) => split_node(rest).map(|(from, payload)| {
            vec![Push::Whisper { room: Arc::clone(room), from, payload: payload.into() }]
        }),
        _ => None,
    };
    all.unwrap_or_default()
}

/// What was published for all nodes.
pub(crate) fn shout(payload: &[u8]) -> Option<Push> {
    let (from, payload) = split_node(payload)?;
    Some(Push::Shout { from, payload: payload.into() })
}

fn split_at(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|found| *found == byte)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

fn split_node(bytes: &[u8]) -> Option<(Arc<str>, &[u8])> {
    let (node, rest) = split_at(bytes, 0)?;
    Some((str::from_utf8(node).ok()?.into(), rest))
}

/// `EPOCH:OFFSET:TIME BODY`
fn told_message(bytes: &[u8]) -> Option<Message> {
    let (head, body) = split_at(bytes, b' ')?;
    let (id, at) = str::from_utf8(head).ok()?.rsplit_once(':')?;
    message(id.parse().ok()?, at.parse().ok()?, body)
}

/// `VERSION NODE\0USER\0CONNECTIONS\0USER\0CONNECTIONS…`
fn told_presence(room: &Arc<str>, bytes: &[u8]) -> Option<Vec<Push>> {
    let (version, rest) = split_at(bytes, b' ')?;
    let version = str::from_utf8(version).ok()?.parse().ok()?;
    let (node, rest) = split_node(rest)?;
    let fields: Vec<_> = str::from_utf8(rest).ok()?.split('\0').collect();
    let push = |pair: &[&str]| {
        let [user, connections] = pair else { return None };
        Some(Push::Present {
            room: Arc::clone(room),
            node: Arc::clone(&node),
            user: (*user).into(),
            connections: connections.parse().ok()?,
            version,
        })
    };
    fields.chunks(2).map(push).collect()
}
