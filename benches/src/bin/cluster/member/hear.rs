//! What a member hears, and whether it is what is due.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Member, Phase};
use crate::ledger::{Ledger, Place};

impl Member {
    pub(super) fn hear(&mut self, text: &Value, ledger: &mut Ledger) {
        let place = text["id"].as_str().and_then(|id| ledger.place(id));
        let wrong = |ledger: &mut Ledger, what: &str| {
            ledger.find(format!("member {}: {what}: {text}", self.number));
        };
        match text["type"].as_str().unwrap_or_default() {
            "message" => {
                let Some(content) = text["content"].as_str().and_then(Ledger::number) else {
                    return wrong(ledger, "not what anybody says");
                };
                let Some(place) = place else {
                    ledger.counts.transient += 1;
                    return self.unasked.retain(|unasked| *unasked != content);
                };
                let Some(last) = self.last else { return wrong(ledger, "not joined") };
                if place != (Place { offset: last.offset + 1, ..last }) {
                    let what = format!("not the one behind {}", ledger.id(last));
                    wrong(ledger, &what);
                }
                ledger.counts.deliveries += 1;
                self.unasked.retain(|unasked| *unasked != content);
                let news = (self.missed == 0).then_some(self.node);
                self.missed = self.missed.saturating_sub(1);
                ledger.hear(self.room, place, content, news);
                self.last = Some(place);
            }
            "joined" => {
                let Some(position) = place else { return wrong(ledger, "no id") };
                self.joined(position, text, ledger);
            }
            "ack" => {
                let content = text["clientId"].as_str().and_then(|content| content.parse().ok());
                let Some(content) = content else {
                    return wrong(ledger, "nothing that could be acknowledged");
                };
                // Without one, it was given to those of this node alone.
                if let Some(place) = place {
                    ledger.acknowledge(self.room, place, content);
                }
                self.waiting.retain(|waiting| waiting.content != content);
            }
            "history" => {
                for message in text["messages"].as_array().into_iter().flatten() {
                    let place = message["id"].as_str().and_then(|id| ledger.place(id));
                    let content = message["content"].as_str().and_then(Ledger::number);
                    let (Some(place), Some(content)) = (place, content) else {
                        return wrong(ledger, "no message");
                    };
                    ledger.hear(self.room, place, content, None);
                }
            }
            "error" => self.refused(text, ledger),
            "system" | "typing" | "direct" => {}
            _ => wrong(ledger, "not expected"),
        }
    }

    /// What was told when it joined, or when the node has lost the thread of the room.
    fn joined(&mut self, position: Place, text: &Value, ledger: &mut Ledger) {
        let missed = text["missed"].as_u64().unwrap_or(0);
        let wrong = |ledger: &mut Ledger, what: &str| {
            ledger.find(format!("member {}: {what}: {text}", self.number));
        };
        self.last = Some(match (self.last, text["recovered"].as_bool()) {
            (None, None) => {
                ledger.begin(self.room, position);
                position
            }
            (Some(last), Some(true)) => {
                let due = Place { offset: last.offset + missed, ..last };
                if due != position {
                    let what = format!("not behind {}", ledger.id(last));
                    wrong(ledger, &what);
                }
                ledger.counts.recovered += 1;
                ledger.counts.missed += missed;
                last
            }
            (Some(last), Some(false)) => {
                match text["gap"].as_u64() {
                    Some(gap) if last.epoch == position.epoch => {
                        ledger.counts.gaps += 1;
                        if gap == 0 || last.offset + gap + missed != position.offset {
                            let what = format!("not what is missing behind {}", ledger.id(last));
                            wrong(ledger, &what);
                        }
                    }
                    // Rooms here keep more than anybody misses.
                    _ if last.epoch == position.epoch => {
                        ledger.counts.gaps += 1;
                        wrong(ledger, "the epoch is the same, and nobody knows");
                    }
                    _ => {
                        ledger.counts.new_epochs += 1;
                        // They may have been of the old one.
                        self.unasked.clear();
                    }
                }
                let begin = Place { offset: position.offset.saturating_sub(missed), ..position };
                if last.epoch != position.epoch {
                    ledger.begin(self.room, begin);
                }
                begin
            }
            _ => return wrong(ledger, "not the answer that is due"),
        });
        self.missed = missed;
        self.attempts = 0;
        if let Some(link) = &mut self.link {
            link.phase = Phase::Open;
        }
    }

    /// What was said came to nothing, for now.
    fn refused(&mut self, text: &Value, ledger: &mut Ledger) {
        let code = text["code"].as_str().unwrap_or("none").to_owned();
        let content: Option<usize> = text["clientId"].as_str().and_then(|c| c.parse().ok());
        let waiting = self.waiting.iter_mut().find(|waiting| Some(waiting.content) == content);
        match (text["retryAfter"].as_f64(), waiting) {
            (Some(seconds), Some(waiting)) if code == "busy" => {
                waiting.sent = None;
                waiting.not_before = Some(Instant::now() + Duration::from_secs_f64(seconds));
            }
            // Of those without an id, it is one of the first.
            (Some(_), None) if code == "busy" && self.unasked.pop_front().is_some() => {}
            _ => ledger.find(format!("member {}: {text}", self.number)),
        }
        *ledger.counts.errors.entry(code).or_default() += 1;
    }
}
