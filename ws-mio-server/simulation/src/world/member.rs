//! One member of a room, across its connections: it checks that its own stream has no gap and no duplicate.

use serde_json::Value;
use ws_mio_server::hub::Id;

use super::ledger::Ledger;
use super::wire::{Heard, Wire};
use crate::dice::Dice;
use crate::plan::SECOND;

/// How long an answer to the request for a connection may take, and `joined` behind it.
const OPENING: u64 = 15 * SECOND;
/// How long an acknowledgement may take: then the connection counts as dead.
const ACKNOWLEDGED: u64 = 8 * SECOND;
/// How long the server may take to end a connection that it has closed (RFC 6455 §7.1.1): the link may be gone by then.
const CLOSING: u64 = 5 * SECOND;

/// What a member says and is not acknowledged.
struct Waiting {
    number: usize,
    is_sent: bool,
    since: u64,
    not_before: u64,
}

pub(super) struct Member {
    pub(super) number: usize,
    pub(super) room: usize,
    every: u64,
    size: u64,
    wire: Option<Wire>,
    begun: u64,
    /// Whether `joined` has come.
    is_in: bool,
    /// Since when the server has closed the connection.
    closed: Option<u64>,
    pub(super) retry_at: u64,
    pub(super) next_word: u64,
    last: Option<Id>,
    missed: u64,
    waiting: Vec<Waiting>,
    /// It says no more.
    pub(super) is_done: bool,
    dice: Dice,
}

impl Member {
    pub(super) fn new(
        number: usize,
        room: usize,
        at: u64,
        every: u64,
        size: u64,
        seed: u64,
    ) -> Self {
        Self {
            number,
            room,
            every,
            size,
            wire: None,
            begun: 0,
            is_in: false,
            closed: None,
            retry_at: at,
            next_word: at,
            last: None,
            missed: 0,
            waiting: Vec::new(),
            is_done: false,
            dice: Dice::new(seed),
        }
    }

    /// Where it stands, if it is there, and has nothing unacknowledged.
    pub(super) fn rests_at(&self) -> Option<Id> {
        self.last.filter(|_| self.is_in && self.missed == 0 && self.waiting.is_empty())
    }

    pub(super) fn unrest(&self) -> String {
        format!(
            "member {} of room {}: there {}, at {:?}, {} missed are due, {} unacknowledged",
            self.number,
            self.room,
            self.is_in,
            self.last.map(|last| last.to_string()),
            self.missed,
            self.waiting.len()
        )
    }

    /// The request of a new connection.
    pub(super) fn connect(&mut self, now: u64) -> Vec<u8> {
        let since = self.last.map(|last| format!("&since={last}")).unwrap_or_default();
        let target = format!("/chat/room-{}?username=member-{}{since}", self.room, self.number);
        let mut wire = Wire::new(&target, self.dice.next());
        let out = std::mem::take(&mut wire.out);
        (self.wire, self.begun, self.is_in, self.missed) = (Some(wire), now, false, 0);
        self.closed = None;
        out
    }

    /// Its connection is over.
    pub(super) fn end(&mut self, now: u64) {
        self.wire = None;
        self.is_in = false;
        self.missed = 0;
        self.retry_at = now + SECOND / 20 + self.dice.skewed(SECOND);
        self.waiting.iter_mut().for_each(|waiting| waiting.is_sent = false);
    }

    /// What time brings; `false`: it gives the connection up. What it sends comes back.
    pub(super) fn tick(&mut self, now: u64, ledger: &mut Ledger) -> (bool, Vec<u8>) {
        if self.wire.is_none() {
            return (true, Vec::new());
        }
        if !self.is_in && now > self.begun + OPENING {
            return (false, Vec::new());
        }
        if self.closed.is_some_and(|since| now > since + CLOSING) {
            return (false, Vec::new());
        }
        let overdue = |it: &Waiting| it.is_sent && now > it.since + ACKNOWLEDGED;
        if self.waiting.iter().any(overdue) {
            return (false, Vec::new());
        }
        if self.is_in && !self.is_done && now >= self.next_word {
            self.next_word = now + self.every / 2 + self.dice.below(self.every);
            self.say(now, ledger);
        }
        (true, self.send(now, ledger))
    }

    pub(super) fn say(&mut self, now: u64, ledger: &mut Ledger) {
        let number = ledger.say(self.room, self.size);
        self.waiting.push(Waiting { number, is_sent: false, since: now, not_before: 0 });
    }

    fn send(&mut self, now: u64, ledger: &Ledger) -> Vec<u8> {
        let Some(wire) = self.wire.as_mut().filter(|wire| self.is_in && wire.is_open()) else {
            return self
                .wire
                .as_mut()
                .map(|wire| std::mem::take(&mut wire.out))
                .unwrap_or_default();
        };
        for waiting in self.waiting.iter_mut().filter(|it| !it.is_sent && it.not_before <= now) {
            (waiting.is_sent, waiting.since) = (true, now);
            let number = waiting.number;
            let said = &ledger.said[number].text;
            let text = format!(r#"{{"type":"message","content":"{said}","clientId":"{number}"}}"#);
            let fragments = if self.dice.percent(20) { 1 + self.dice.index(4) } else { 1 };
            wire.send(ws_proto::Kind::Text, text.as_bytes(), fragments);
        }
        std::mem::take(&mut wire.out)
    }

    /// Takes what has come; what it sends, and whether the server ended the connection, comes back: by a code, or
    /// by a status.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        now: u64,
        ledger: &mut Ledger,
    ) -> (Vec<u8>, Option<u16>) {
        let Some(wire) = &mut self.wire else { return (Vec::new(), None) };
        let (mut heard, mut ended) = (Vec::new(), None);
        wire.feed(bytes, &mut heard);
        for heard in heard {
            match heard {
                Heard::Open => {}
                Heard::Status(status) => ended = Some(status),
                Heard::Text(text) => match serde_json::from_str(&text) {
                    Ok(value) => self.hear(&value, now, ledger),
                    Err(error) => {
                        ledger.find(|| format!("member {}: {error}: {text}", self.number))
                    }
                },
                Heard::Close(code, reason) => {
                    ended = Some(code);
                    self.closed = Some(now);
                    if !matches!(code, 1001 | 1012 | 1013) {
                        ledger
                            .find(|| format!("member {} was closed: {code} {reason}", self.number));
                    }
                }
                Heard::Binary(_) | Heard::Wrong(_) => {
                    ledger.find(|| format!("member {} got {heard:?}", self.number));
                }
            }
        }
        (self.send(now, ledger), ended)
    }

    fn hear(&mut self, text: &Value, now: u64, ledger: &mut Ledger) {
        let id = |value: &Value| value["id"].as_str().and_then(|id| id.parse::<Id>().ok());
        let number = self.number;
        let wrong = |ledger: &mut Ledger, what: &str| {
            ledger.find(|| format!("member {number}: {what}: {text}"))
        };
        match text["type"].as_str().unwrap_or_default() {
            "message" => {
                let content = text["content"].as_str().unwrap_or_default();
                let Some(id) = id(text) else {
                    if text["transient"] != Value::Bool(true) {
                        wrong(ledger, "no id");
                    }
                    return;
                };
                let Some(last) = self.last.filter(|_| self.is_in) else {
                    return wrong(ledger, "not joined");
                };
                if id != (Id { offset: last.offset + 1, ..last }) {
                    wrong(ledger, &format!("not the one behind {last}"));
                }
                self.missed = self.missed.saturating_sub(1);
                ledger.hear(self.room, id, content);
                self.last = Some(id);
            }
            "joined" => match id(text) {
                Some(position) => self.joined(position, text, ledger),
                None => wrong(ledger, "no id"),
            },
            "ack" => {
                let Some(content) = text["clientId"].as_str().and_then(|it| it.parse().ok()) else {
                    return wrong(ledger, "nothing that could be acknowledged");
                };
                if let Some(id) = id(text) {
                    ledger.acknowledge(self.room, content, id);
                } else if text["transient"] != Value::Bool(true) {
                    wrong(ledger, "acknowledged without an id");
                }
                self.waiting.retain(|waiting| waiting.number != content);
            }
            "history" => {
                for message in text["messages"].as_array().into_iter().flatten() {
                    match (id(message), message["content"].as_str()) {
                        (Some(id), Some(content)) => ledger.hear(self.room, id, content),
                        _ => wrong(ledger, "no message"),
                    }
                }
            }
            "error" => {
                let content = text["clientId"].as_str().and_then(|it| it.parse::<usize>().ok());
                let waiting = self.waiting.iter_mut().find(|it| Some(it.number) == content);
                match (text["code"].as_str(), waiting) {
                    (Some("busy"), Some(waiting)) => {
                        (waiting.is_sent, waiting.not_before) = (false, now + SECOND / 2);
                    }
                    // It can't join now.
                    (Some("busy"), None) if !self.is_in => {}
                    _ => wrong(ledger, "refused"),
                }
            }
            "system" | "typing" => {}
            _ => wrong(ledger, "not expected"),
        }
    }

    fn joined(&mut self, position: Id, text: &Value, ledger: &mut Ledger) {
        let missed = text["missed"].as_u64().unwrap_or(0);
        let number = self.number;
        let wrong = |ledger: &mut Ledger, what: &str| {
            ledger.find(|| format!("member {number}: {what}: {text}"))
        };
        self.last = Some(match (self.last, text["recovered"].as_bool()) {
            (None, None) => position,
            (Some(last), Some(true)) => {
                if (Id { offset: last.offset + missed, ..last }) != position {
                    wrong(ledger, &format!("not behind {last}"));
                }
                ledger.recovered += 1;
                last
            }
            (Some(last), Some(false)) => {
                match text["gap"].as_u64() {
                    Some(gap) => {
                        let due = Id { offset: last.offset + gap + missed, ..last };
                        if gap == 0 || due != position {
                            wrong(ledger, &format!("not what is missing behind {last}"));
                        }
                    }
                    None if last.epoch == position.epoch && !ledger.guesses => {
                        wrong(ledger, "the epoch is the same, and nobody knows");
                    }
                    None => {}
                }
                Id { offset: position.offset.saturating_sub(missed), ..position }
            }
            _ => return wrong(ledger, "not the answer that is due"),
        });
        (self.missed, self.is_in) = (missed, true);
    }
}
