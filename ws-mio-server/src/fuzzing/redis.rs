//! What Redis says.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use crate::backplane::redis::decode::{self, Outcome};
use crate::backplane::wire::{Answer, Append, Ask, Failure, Keep, Push};

/// A value, made of bytes: of each kind that matters, and nested.
fn value(bytes: &mut &[u8], depth: usize) -> Value {
    let Some((kind, rest)) = bytes.split_first() else { return Value::Nil };
    *bytes = rest;
    let mut text = || {
        let Some((len, rest)) = bytes.split_first() else { return Vec::new() };
        let (text, rest) = rest.split_at_checked(usize::from(*len)).unwrap_or((rest, &[]));
        *bytes = rest;
        text.to_vec()
    };
    match kind % 8 {
        0 => Value::Nil,
        1 => Value::Int(i64::from(*kind)),
        2 => Value::SimpleString(String::from_utf8_lossy(&text()).into_owned()),
        3 => {
            let line = [b"-".to_vec(), text(), b"\r\n".to_vec()].concat();
            redis::parse_redis_value(&line).unwrap_or(Value::Okay)
        }
        4 | 5 if depth < 4 => {
            let count = usize::from(kind / 8);
            let mut values = Vec::new();
            while values.len() < count && !bytes.is_empty() {
                values.push(value(bytes, depth.saturating_add(1)));
            }
            Value::Array(values)
        }
        _ => Value::BulkString(text()),
    }
}

/// What Redis may answer and publish, as values.
pub fn redis(bytes: &[u8]) {
    let room: Arc<str> = "room".into();
    let node: Arc<str> = "node".into();
    let said = value(&mut { bytes }, 0);
    let keep = Keep { count: 1, bytes: 1, age: Duration::ZERO };
    let append = Append {
        room: Arc::clone(&room),
        user: "user".into(),
        key: None,
        name: None,
        content: [].into(),
        at: 0,
        keep,
        epoch: 0,
    };
    let asks = [
        Ask::Append(append),
        Ask::Attach { room: Arc::clone(&room), after: None, run: 0, most: 9, epoch: 0 },
        Ask::Read { room: Arc::clone(&room), from: 0, to: 9, most: 9, newest: false, epoch: 0 },
        Ask::People { room: Arc::clone(&room) },
        Ask::Renew { node, lease: Duration::ZERO },
        Ask::Listen { room: Arc::clone(&room) },
        Ask::Rooms { skip: 0, most: 9 },
        Ask::Listed { room: Arc::clone(&room) },
        Ask::List { node: Arc::clone(&room), lease: Duration::ZERO, rooms: Vec::new() },
    ];
    for ask in asks {
        match decode::answer(&ask, said.clone(), 1) {
            Outcome::Told(Ok(Answer::Page(page))) => {
                let pairs = page.messages.iter().zip(page.messages.iter().skip(1));
                for (one, next) in pairs {
                    assert_eq!(one.id.offset.checked_add(1), Some(next.id.offset));
                    assert_eq!(one.id.epoch, page.position.epoch);
                }
            }
            Outcome::Told(Ok(Answer::People(people))) => {
                assert!(people.iter().all(|entry| entry.connections > 0));
            }
            Outcome::Told(Err(Failure::Refused(why)))
            | Outcome::Told(Err(Failure::Unknown(why))) => {
                assert!(!why.is_empty() && why.chars().count() <= 200);
            }
            _ => {}
        }
    }
    let _ = decode::heard(said);
    for push in decode::pushes(&room, bytes) {
        let of = match push {
            Push::Message { room, .. }
            | Push::Whisper { room, .. }
            | Push::Present { room, .. } => room,
            Push::Shout { .. } | Push::Lost { .. } => panic!("that is of no room's channel"),
        };
        assert_eq!(of, room);
    }
    let _ = decode::shout(bytes);
}
