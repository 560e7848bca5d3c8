//! One member of a room, across its connections: it checks that its own stream has no gap and no duplicate.

mod hear;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::ledger::{Ledger, Place};
use super::wire;
use benches::Result;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

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
    /// What it has said on this connection without asking for an acknowledgement, and has not come back.
    unasked: VecDeque<usize>,
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
            unasked: VecDeque::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.phase == Phase::Open)
    }

    /// Where it stands, if it is there, waits for nothing, and has nothing unacknowledged.
    pub(super) fn rests_at(&self) -> Option<Place> {
        let waits = self.missed > 0 || !self.waiting.is_empty() || !self.unasked.is_empty();
        self.last.filter(|_| self.is_open() && !waits)
    }

    /// What is missing for it to rest.
    pub(super) fn unrest(&self, ledger: &Ledger) -> String {
        format!(
            "member {} of room {}: open {}, at {:?}, {} missed are due, {} unacknowledged, {} not back",
            self.number,
            self.room,
            self.is_open(),
            self.last.map(|last| ledger.id(last)),
            self.missed,
            self.waiting.len(),
            self.unasked.len()
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
        // Nobody knows what became of them.
        self.unasked.clear();
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

    /// Says something, with an id for the acknowledgement, or without; it must be there.
    pub(super) fn say(&mut self, is_asked: bool, ledger: &mut Ledger) {
        let content = ledger.say(self.room, self.node);
        if is_asked {
            self.waiting.push_back(Waiting { content, sent: None, not_before: None });
            return self.send_waiting(ledger);
        }
        if let Some(link) = &mut self.link {
            self.unasked.push_back(content);
            let said = ledger.content(content);
            let text = format!(r#"{{"type":"message","content":"{said}"}}"#);
            wire::frame(0x81, text.as_bytes(), &mut link.outbound);
        }
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
}
