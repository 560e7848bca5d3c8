//! One member of a room, across its connections: it checks that its own stream has no gap and no duplicate.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use benches::Result;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use serde_json::Value;

use super::ledger::{Ledger, Place};
use super::wire;

/// How long an answer to the request for a connection may take, and `joined` behind it.
const OPENING: Duration = Duration::from_secs(10);
/// How long an acknowledgement may take: then the connection counts as dead, as with `client.js`.
const ACKNOWLEDGED: Duration = Duration::from_secs(15);
/// Waits between attempts grow to this.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// What a member says and is not acknowledged.
struct Waiting {
    content: usize,
    /// When it was sent by this connection, if it was.
    sent: Option<Instant>,
    /// It was refused for now.
    not_before: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    Connecting,
    Asked,
    /// `joined` is due.
    Joining,
    Open,
}

struct Link {
    stream: TcpStream,
    phase: Phase,
    begun: Instant,
    /// What has come, and is not whole.
    inbound: Vec<u8>,
    /// What the kernel has not taken.
    outbound: Vec<u8>,
}

/// A member, across its connections.
pub(super) struct Member {
    number: usize,
    pub(super) room: usize,
    /// Which of the targets it is connected to.
    pub(super) node: usize,
    link: Option<Link>,
    /// When it connects next.
    pub(super) retry_at: Option<Instant>,
    attempts: u32,
    last: Option<Place>,
    /// How many of the messages to come are those that it missed.
    missed: u64,
    waiting: VecDeque<Waiting>,
}

impl Member {
    pub(super) fn new(number: usize, room: usize, first: Instant) -> Self {
        Self {
            number,
            room,
            node: 0,
            link: None,
            retry_at: Some(first),
            attempts: 0,
            last: None,
            missed: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.phase == Phase::Open)
    }

    /// Where it stands, if it is there, waits for nothing, and has nothing unacknowledged.
    pub(super) fn rests_at(&self) -> Option<Place> {
        self.last.filter(|_| self.is_open() && self.missed == 0 && self.waiting.is_empty())
    }

    /// What is missing for it to rest.
    pub(super) fn unrest(&self, ledger: &Ledger) -> String {
        format!(
            "member {} of room {}: open {}, at {:?}, {} missed are due, {} unacknowledged",
            self.number,
            self.room,
            self.is_open(),
            self.last.map(|last| ledger.id(last)),
            self.missed,
            self.waiting.len()
        )
    }

    /// Begins to connect.
    pub(super) fn connect(
        &mut self,
        node: usize,
        to: SocketAddr,
        registry: &Registry,
    ) -> Result<()> {
        self.retry_at = None;
        self.node = node;
        let mut stream = TcpStream::connect(to)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, Token(self.number), interest)?;
        let (inbound, outbound) = (Vec::new(), Vec::new());
        let (phase, begun) = (Phase::Connecting, Instant::now());
        self.link = Some(Link { stream, phase, begun, inbound, outbound });
        Ok(())
    }

    /// Its connection is over, or did not come about.
    fn end(&mut self, why: &str, wait: f64, ledger: &mut Ledger) {
        if self.link.take().is_none() {
            return;
        }
        *ledger.counts.ends.entry(why.to_owned()).or_default() += 1;
        let most = Duration::from_secs(1).saturating_mul(1 << self.attempts.min(8));
        self.attempts += 1;
        self.retry_at = Some(Instant::now() + most.min(LONGEST_WAIT).mul_f64(wait));
        self.missed = 0;
        for waiting in &mut self.waiting {
            waiting.sent = None;
        }
    }

    /// Is cut off; what has come and was not read is lost to it.
    pub(super) fn cut(&mut self, reset: bool, wait: f64, ledger: &mut Ledger) {
        if let Some(link) = self.link.as_ref().filter(|_| reset) {
            let linger = Some(Duration::ZERO);
            let _ = rustix::net::sockopt::set_socket_linger(&link.stream, linger);
        }
        if self.is_open() {
            ledger.counts.cut += 1;
            self.end("cut off here", wait, ledger);
        }
    }

    /// Says something, if it is there.
    pub(super) fn say(&mut self, ledger: &mut Ledger) {
        let content = ledger.say(self.room, self.node);
        self.waiting.push_back(Waiting { content, sent: None, not_before: None });
        self.send_waiting(ledger);
    }

    fn send_waiting(&mut self, ledger: &Ledger) {
        let Some(link) = self.link.as_mut().filter(|link| link.phase == Phase::Open) else {
            return;
        };
        let now = Instant::now();
        for waiting in &mut self.waiting {
            if waiting.sent.is_none() && waiting.not_before.is_none_or(|until| until <= now) {
                waiting.sent = Some(now);
                let content = waiting.content;
                let said = ledger.content(content);
                let text =
                    format!(r#"{{"type":"message","content":"{said}","clientId":"{content}"}}"#);
                wire::frame(0x81, text.as_bytes(), &mut link.outbound);
            }
        }
    }

    /// What time brings: answers that are overdue, what was refused for now.
    pub(super) fn tick(&mut self, now: Instant, wait: f64, ledger: &mut Ledger) {
        let Some(link) = &self.link else { return };
        if link.phase != Phase::Open && now.duration_since(link.begun) > OPENING {
            return self.end("no answer in time", wait, ledger);
        }
        let oldest = self.waiting.iter().find_map(|waiting| waiting.sent);
        if oldest.is_some_and(|sent| now.duration_since(sent) > ACKNOWLEDGED) {
            return self.end("no acknowledgement in time", wait, ledger);
        }
        if self.waiting.iter().any(|waiting| waiting.sent.is_none()) {
            self.send_waiting(ledger);
            self.write(wait, ledger);
        }
    }

    /// Its socket can be written to.
    pub(super) fn writable(&mut self, to: SocketAddr, wait: f64, ledger: &mut Ledger) {
        let Some(link) = &mut self.link else { return };
        if link.phase == Phase::Connecting {
            if let Ok(Some(_)) | Err(_) = link.stream.take_error() {
                return self.end("refused", wait, ledger);
            }
            if link.stream.peer_addr().is_err() {
                return;
            }
            let _ = link.stream.set_nodelay(true);
            let since = self.last.map(|last| format!("&since={}", ledger.id(last)));
            let since = since.unwrap_or_default();
            let room = ledger.first_room + self.room;
            let target = format!("/chat/room-{room}?username=member-{}{since}", self.number);
            link.outbound = wire::request(&to.to_string(), &target);
            link.phase = Phase::Asked;
        }
        self.write(wait, ledger);
    }

    pub(super) fn write(&mut self, wait: f64, ledger: &mut Ledger) {
        let Some(link) = &mut self.link else { return };
        while !link.outbound.is_empty() {
            match link.stream.write(&link.outbound) {
                Ok(n) => drop(link.outbound.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // What has come is to be read first.
                Err(_) => return self.end("broken", wait, ledger),
            }
        }
    }

    /// Reads all that has come.
    pub(super) fn read(&mut self, wait: f64, ledger: &mut Ledger) {
        let mut buffer = [0; 32 * 1024];
        loop {
            let Some(link) = &mut self.link else { return };
            let end = match link.stream.read(&mut buffer) {
                Ok(0) => Some("ended without a Close"),
                Ok(n) => {
                    link.inbound.extend_from_slice(&buffer[..n]);
                    None
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) if link.phase == Phase::Connecting => Some("refused"),
                Err(_) => Some("reset"),
            };
            self.take(wait, ledger);
            if let Some(why) = end {
                return self.end(why, wait, ledger);
            }
        }
    }

    /// Takes what is whole of that which has come.
    fn take(&mut self, wait: f64, ledger: &mut Ledger) {
        let Some(link) = &mut self.link else { return };
        let inbound = std::mem::take(&mut link.inbound);
        let mut rest = inbound.as_slice();
        if link.phase == Phase::Asked {
            match wire::head(rest) {
                None => {}
                Some((101, behind)) => {
                    link.phase = Phase::Joining;
                    rest = behind;
                }
                Some((status, _)) => {
                    return self.end(&format!("status {status}"), wait, ledger);
                }
            }
        }
        while let Some(((start, payload), behind)) = wire::next(rest)
            .filter(|_| self.link.as_ref().is_some_and(|l| l.phase >= Phase::Joining))
        {
            rest = behind;
            match start {
                0x81 => match serde_json::from_slice(payload) {
                    Ok(text) => self.hear(&text, ledger),
                    Err(error) => {
                        let text = String::from_utf8_lossy(payload);
                        ledger.find(format!("member {}: {error}: {text}", self.number));
                    }
                },
                0x88 => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    if let Some(link) = &mut self.link {
                        wire::frame(0x88, &payload[..payload.len().min(2)], &mut link.outbound);
                    }
                    self.write(wait, ledger);
                    return self.end(&format!("code {code}"), wait, ledger);
                }
                0x89 => {
                    if let Some(link) = &mut self.link {
                        wire::frame(0x8a, payload, &mut link.outbound);
                    }
                    self.write(wait, ledger);
                }
                other => ledger.find(format!("member {} got a frame {other:#x}", self.number)),
            }
        }
        let rest = rest.to_vec();
        if let Some(link) = &mut self.link {
            link.inbound = rest;
        }
        self.send_waiting(ledger);
        self.write(wait, ledger);
    }

    fn hear(&mut self, text: &Value, ledger: &mut Ledger) {
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
                    return;
                };
                let Some(last) = self.last else { return wrong(ledger, "not joined") };
                if place != (Place { offset: last.offset + 1, ..last }) {
                    let what = format!("not the one behind {}", ledger.id(last));
                    wrong(ledger, &what);
                }
                ledger.counts.deliveries += 1;
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
                let (Some(place), Some(content)) = (place, content) else {
                    return wrong(ledger, "nothing that could be acknowledged");
                };
                ledger.acknowledge(self.room, place, content);
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
            (None, None) => position,
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
                    _ => ledger.counts.new_epochs += 1,
                }
                Place { offset: position.offset.saturating_sub(missed), ..position }
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
            _ => ledger.find(format!("member {}: {text}", self.number)),
        }
        *ledger.counts.errors.entry(code).or_default() += 1;
    }
}
