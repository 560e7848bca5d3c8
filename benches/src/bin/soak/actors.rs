//! Who comes to the server, what they do there, and how they go.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use benches::{Numbers, Result, json};
use ws_proto::deflate::{Agreement, Deflater, Settings};
use ws_proto::handshake::Agreed;
use ws_proto::{Config, Connection, Server};

use crate::peer::{BINARY, CLOSE, PING, Peer, TEXT, frame};

const RSV1: u8 = 0x40;

/// What an actor knows.
pub(crate) struct World<'a> {
    pub(crate) address: &'a str,
    pub(crate) key: &'a str,
    pub(crate) is_over: &'a AtomicBool,
    /// How often somebody was asked to come again later.
    pub(crate) busy: &'a AtomicU64,
}

/// One that comes again and again, in one role.
pub(crate) struct Actor<'a> {
    world: &'a World<'a>,
    numbers: Numbers,
    /// Its number, which is part of its name.
    number: usize,
    /// The last id that it saw in its room.
    since: String,
}

pub(crate) type Role = fn(&mut Actor<'_>) -> Result<()>;

/// The roles, and how many actors are in each.
pub(crate) const ROLES: &[(&str, usize, Role)] = &[
    ("echo", 4, |actor| actor.echo()),
    ("deflate", 3, |actor| actor.deflated()),
    ("relay", 4, |actor| actor.relay()),
    ("chat", 8, |actor| actor.chat()),
    ("API", 2, |actor| actor.api()),
    ("events", 3, |actor| actor.events()),
    ("polls", 3, |actor| actor.polls()),
    ("cuts", 2, |actor| actor.cut()),
    ("hostile", 3, |actor| actor.hostile()),
];

impl<'a> Actor<'a> {
    pub(crate) fn new(world: &'a World<'a>, number: usize, seed: u64) -> Self {
        let seed = seed.wrapping_mul(1_000).wrapping_add(number as u64);
        Self { world, numbers: Numbers(seed), number, since: String::new() }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.numbers.next().unwrap_or(0) % below.max(1)
    }

    fn goes_on(&self) -> bool {
        !self.world.is_over.load(Ordering::Relaxed)
    }

    fn pause(&mut self, most: u64) {
        thread::sleep(Duration::from_millis(1 + self.random(most)));
    }

    /// The server has too much to do: it says so, and when to try again.
    fn come_later(&self) {
        self.world.busy.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
    }

    /// Goes in one of the ways in which peers go.
    fn leave(&mut self, peer: Peer) -> Result<()> {
        match self.random(4) {
            0 => peer.reset(),
            1 => drop(peer),
            _ => peer.close()?,
        }
        Ok(())
    }

    fn echo(&mut self) -> Result<()> {
        let mut peer = Peer::open(self.world.address, "/echo", "")?;
        for _ in 0..self.random(100) {
            let size = 1 << self.random(15);
            let text = json(self.random(1000), 48 + size);
            let start = if self.random(2) == 0 { TEXT } else { BINARY };
            peer.send(start, text.as_bytes())?;
            if peer.message()? != text.as_bytes() {
                return Err("an echo is another".into());
            }
            self.pause(20);
        }
        self.leave(peer)
    }

    fn deflated(&mut self) -> Result<()> {
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        let mut peer = Peer::open(self.world.address, "/echo", offer)?;
        for _ in 0..self.random(60) {
            let size = 1 << (8 + self.random(8));
            let text = json(self.random(1000), size);
            peer.send(BINARY | RSV1, &deflate(text.as_bytes())?)?;
            if peer.message()?.len() < 10 {
                return Err("an echo is short".into());
            }
            self.pause(30);
        }
        self.leave(peer)
    }

    fn relay(&mut self) -> Result<()> {
        let room = self.random(3);
        let mut peer = Peer::open(self.world.address, &format!("/relay/{room}"), "")?;
        for _ in 0..self.random(100) {
            let size = 48 + (1 << self.random(12));
            let text = json(self.random(1000), size);
            peer.send(BINARY, text.as_bytes())?;
            let within = Duration::from_millis(1 + self.random(20));
            peer.drain(within)?;
        }
        self.leave_unread(peer)
    }

    /// Who has not looked at all that came can't wait for an orderly end.
    fn leave_unread(&mut self, peer: Peer) -> Result<()> {
        if self.random(2) == 0 {
            peer.reset();
        }
        Ok(())
    }

    fn chat(&mut self) -> Result<()> {
        let (room, since) = (self.number % 4, &self.since);
        let path = format!("/chat/{room}?username=user-{}&since={since}", self.number);
        let mut peer = Peer::open(self.world.address, &path, "")?;
        for said in 0..self.random(60) {
            let (client, size) = (self.random(1 << 40), 48 + self.random(500) as usize);
            let content = json(said, size).replace('"', "'");
            let message =
                format!(r#"{{"type":"message","content":"{content}","clientId":"{client}"}}"#);
            peer.send(TEXT, message.as_bytes())?;
            let due = format!(r#""clientId":"{client}""#);
            loop {
                let text = String::from_utf8(peer.message()?)?;
                if let Some((_, rest)) = text.split_once(r#""id":""#) {
                    self.since = rest.split('"').next().unwrap_or_default().to_owned();
                }
                if text.starts_with(r#"{"type":"ack""#) && text.contains(&due) {
                    break;
                }
                if text.contains(r#""code":"busy""#) {
                    self.come_later();
                    peer.send(TEXT, message.as_bytes())?;
                } else if text.starts_with(r#"{"type":"error""#) {
                    return Err(text.into());
                }
            }
            self.pause(100);
        }
        self.leave(peer)
    }

    fn api(&mut self) -> Result<()> {
        let mut peer = Peer::connect(self.world.address)?;
        for _ in 0..self.random(30) {
            let (room, key) = (self.random(4), self.world.key);
            let body = format!(r#"{{"content":"from a program, {}"}}"#, self.random(1000));
            let head = match self.random(3) {
                0 => format!("GET /api/rooms/{room}/messages?limit=20"),
                1 => format!("GET /api/rooms/{room}/presence"),
                _ => format!("POST /api/rooms/{room}/messages"),
            };
            let body = if head.starts_with("POST") { &body } else { "" };
            let length = body.len();
            peer.write(
                format!(
                    "{head} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\
                     Content-Length: {length}\r\n\r\n{body}"
                )
                .as_bytes(),
            )?;
            let (status, body) = peer.response()?;
            if status == 503 {
                self.come_later();
            } else if status != 200 {
                return Err(format!("{head}: {status} {}", String::from_utf8_lossy(&body)).into());
            }
            self.pause(50);
        }
        Ok(())
    }

    fn events(&mut self) -> Result<()> {
        let mut peer = Peer::connect(self.world.address)?;
        let path = format!("/sse/{}?username=reader-{}", self.random(4), self.number);
        peer.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?;
        let head = peer.head()?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head.into());
        }
        let until = Instant::now() + Duration::from_millis(self.random(8_000));
        while self.goes_on() && Instant::now() < until {
            peer.drain(Duration::from_millis(100))?;
        }
        self.leave_unread(peer)
    }

    fn polls(&mut self) -> Result<()> {
        let mut peer = Peer::connect(self.world.address)?;
        let room = self.random(4);
        for _ in 0..self.random(10) {
            peer.write(
                format!("GET /poll/{room}?wait=1&since={} HTTP/1.1\r\nHost: a\r\n\r\n", self.since)
                    .as_bytes(),
            )?;
            // Some do not wait for the answer.
            if self.random(5) == 0 {
                return Ok(());
            }
            let (status, body) = peer.response()?;
            let body = String::from_utf8(body)?;
            if status != 200 {
                return Err(format!("a poll: {status} {body}").into());
            }
            if let Some((_, rest)) = body.rsplit_once(r#""id":""#) {
                self.since = rest.split('"').next().unwrap_or_default().to_owned();
            }
        }
        Ok(())
    }

    /// Comes, and is gone at some point of whatever it was about.
    fn cut(&mut self) -> Result<()> {
        let paths = ["/echo", "/relay/0", "/chat/0?username=cut", "/sse/0", "/poll/0?wait=1", "/"];
        let path = paths[self.random(6) as usize];
        let mut peer = Peer::connect(self.world.address)?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let bytes = [head.into_bytes(), frame(BINARY, &[b'x'; 2000])].concat();
        let some = self.random(bytes.len() as u64) as usize;
        peer.write(&bytes[..some])?;
        self.pause(50);
        if self.random(2) == 0 {
            peer.reset();
        }
        Ok(())
    }

    fn hostile(&mut self) -> Result<()> {
        let path = ["/echo", "/relay/1", "/chat/1?username=mallory"][self.random(3) as usize];
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let mut peer = Peer::open(self.world.address, path, offer)?;
        // Whatever it is told, and whether it is heard at all, is not its concern.
        let _ = match self.random(7) {
            0 => {
                let noise = benches::noise(self.random(1 << 40), 500);
                peer.write(&noise)
            }
            // It never reads, and asks for much.
            1 => {
                peer.stream.set_write_timeout(Some(Duration::from_millis(200)))?;
                let pings = frame(PING, &[b'p'; 125]).repeat(500);
                for _ in 0..20 {
                    let _ = peer.stream.write(&pings);
                }
                Ok(())
            }
            2 => {
                peer.stream.set_write_timeout(Some(Duration::from_millis(200)))?;
                let zeros = frame(BINARY | RSV1, &deflate(&[0; 500_000])?).repeat(10);
                let _ = peer.stream.write(&zeros);
                Ok(())
            }
            3 => peer
                .write(&frame(BINARY & 0x7f, b"").repeat(1))
                .and_then(|()| peer.write(&frame(0, b"x").repeat(5_000))),
            4 => peer.write(&[BINARY, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0]),
            5 => peer.send(TEXT, b"\xff"),
            _ => peer.send(CLOSE, &[3]),
        };
        self.pause(500);
        self.leave_unread(peer)
    }
}

/// Compresses a message for itself.
fn deflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let agreed = Agreed::elsewhere().with_deflate(Agreement::default());
    let mut sender = Connection::new(Server, Config::default(), agreed);
    let settings = Settings { threshold: Some(0), ..Settings::default() };
    let mut deflater = Deflater::new(&settings, Agreement::default().sent);
    let mut frame = Vec::new();
    sender
        .send_deflated(bytes, true, &mut deflater, &mut frame)
        .map_err(|error| error.to_string())?;
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    Ok(frame.split_off(header))
}
