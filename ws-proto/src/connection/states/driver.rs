//! A connection that is driven by [`Act`]s through its public interface.

use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::act::{Act, Call, Mask};
use super::place::Place;
use crate::connection::Connection;
use crate::handshake::Agreed;
use crate::{
    Client, CloseCode, Config, Error, Event, Input, Kind, Role, Scratch, SendError, Server, Slice,
    State, Store, Transport,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(super) type Masking = Client<fn() -> [u8; 4]>;

/// What a connection did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) told: Told,
    /// What was sent, as a page says it.
    pub(super) sent: Vec<String>,
    pub(super) after: Place,
    pub(super) state: State,
    pub(super) transport: Transport,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Event(String),
    Violation(Error),
    Refused(SendError),
    Ended(crate::Closed),
}

pub(super) struct Driver<R> {
    conn: Connection<R>,
    /// A frame that has begun, and what it lacks.
    frame: &'static str,
    to_come: Vec<u8>,
}

impl Driver<Server> {
    pub(super) fn server() -> Self {
        Self::of(Server)
    }
}

impl Driver<Masking> {
    pub(super) fn client() -> Self {
        Self::of(Client(|| KEY))
    }
}

impl<R: Role> Driver<R> {
    fn of(role: R) -> Self {
        let conn = Connection::new(role, Config::default(), Agreed::elsewhere());
        Self { conn, frame: "", to_come: Vec::new() }
    }

    pub(super) fn place(&self) -> Place {
        Place::of(&self.conn, self.frame, self.to_come.len())
    }

    pub(super) fn apply(&mut self, act: Act) -> Outcome {
        let mut sent = Vec::new();
        let told = match act {
            Act::Frame(_, first, payload) => {
                let [second] = u8::try_from(payload.len()).unwrap().to_be_bytes();
                let bytes = Self::frame(first, Mask::Right(second), payload);
                self.read(bytes)
            }
            Act::Header(_, first, mask, extended) => {
                let [first, second, ..] = Self::frame(first, mask, &[])[..] else { panic!() };
                self.read([&[first, second], extended].concat())
            }
            Act::Begin(name, first, payload) => {
                self.frame = name;
                let [second] = u8::try_from(payload.len()).unwrap().to_be_bytes();
                let mut bytes = Self::frame(first, Mask::Right(second), payload);
                self.to_come = bytes.split_off(1);
                self.read(bytes)
            }
            Act::Byte => {
                let bytes = self.to_come.drain(..1).collect();
                self.read(bytes)
            }
            Act::Rest => {
                let bytes = self.to_come.drain(..).collect();
                self.read(bytes)
            }
            Act::Ask => self.read(Vec::new()),
            Act::End => Told::Ended(self.conn.peer_eof()),
            Act::Call(call) => self.call(call, &mut sent),
        };
        let (state, transport) = (self.conn.state(), self.conn.transport());
        Outcome { told, sent, after: self.place(), state, transport }
    }

    fn frame(first: u8, mask: Mask, payload: &[u8]) -> Vec<u8> {
        let (second, masked) = match mask {
            Mask::Right(second) => (second, R::READS_MASKED),
            Mask::Wrong(second) => (second, !R::READS_MASKED),
        };
        if !masked {
            return [&[first, second], payload].concat();
        }
        let payload = payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key);
        [first, 0x80 | second].into_iter().chain(KEY).chain(payload).collect()
    }

    /// One call of `next_event`, which must take all of these bytes.
    fn read(&mut self, mut bytes: Vec<u8>) -> Told {
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut bytes, &mut scratch);
        let told = match self.conn.next_event(&mut input) {
            Ok(None) => Told::Nothing,
            Ok(Some(event)) => Told::Event(show(event)),
            Err(error) => Told::Violation(error),
        };
        if matches!(told, Told::Nothing) {
            assert!(input.is_empty(), "`Ok(None)`, and there are bytes left");
        }
        told
    }

    fn call(&mut self, call: Call, sent: &mut Vec<String>) -> Told {
        let room = match call {
            Call::TextInVain | Call::PingInVain | Call::CloseInVain | Call::TransmitInVain => 1,
            // A pong of one or two bytes, and no Close frame behind it.
            Call::TransmitPong => {
                if R::READS_MASKED {
                    4
                } else {
                    8
                }
            }
            _ => 200,
        };
        let mut buffer = vec![0; room];
        let mut out = Slice::new(&mut buffer);
        let code = CloseCode::new(4000).unwrap();
        let conn = &mut self.conn;
        let result = match call {
            Call::Text { last } => conn.send("hi", last, &mut out),
            Call::TextInVain => conn.send("hi", true, &mut out),
            Call::Binary { last } => conn.send(b"hi", last, &mut out),
            Call::Header => conn.send_header(Kind::Text, 2, true).map(|header| {
                let kind = if header.as_bytes()[0] & 0xf == 0 { "continuation" } else { "text" };
                sent.push(format!("header of {kind}, last"));
            }),
            Call::Ping | Call::PingInVain => conn.ping(b"p", &mut out),
            Call::Pong => conn.pong(b"q", &mut out),
            Call::Close | Call::CloseInVain => conn.close(code, "done", &mut out),
            Call::LongClose => conn.close(code, &"x".repeat(124), &mut out),
            Call::Transmit | Call::TransmitPong | Call::TransmitInVain => {
                conn.poll_transmit(&mut out).map_err(SendError::from)
            }
        };
        sent.extend(frames(out.stored(), R::READS_MASKED));
        result.map_or_else(Told::Refused, |()| Told::Nothing)
    }
}

impl Driver<Server> {
    /// As a host with many connections keeps it between reads.
    pub(super) fn park(&mut self) {
        if let Some(parked) = self.conn.park() {
            assert_eq!(parked.state(), self.conn.state());
            assert_eq!(parked.payload_left(), self.conn.payload_left());
            self.conn = parked.resume();
        }
    }
}

fn show(event: Event<'_>) -> String {
    let part = |kind: &str, data: &[u8], first, last| {
        let stands = match (first, last) {
            (true, true) => "",
            (true, false) => ", first part",
            (false, true) => ", last part",
            (false, false) => ", a part",
        };
        let empty = if data.is_empty() { ", empty" } else { "" };
        format!("{kind}{stands}{empty}")
    };
    match event {
        Event::Text(it) => part("Text", it.data.as_bytes(), it.first, it.last),
        Event::Binary(it) => part("Binary", it.data, it.first, it.last),
        Event::Ping(_) => "Ping".into(),
        Event::Pong(_) => "Pong".into(),
        Event::Close(code, _) => code.map_or("Close".into(), |code| format!("Close {code}")),
    }
}

/// The frames in `bytes`, as a page says them; each with a mask if, and only if, it is from a client.
fn frames(mut bytes: &[u8], from_server: bool) -> Vec<String> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        assert_eq!(second & 0x80 == 0, from_server, "the mask");
        let len = usize::from(second & 0x7f);
        assert!(len < 126);
        let (key, rest) = if from_server { (&[0; 4][..], rest) } else { rest.split_at(4) };
        let (payload, behind) = rest.split_at(len);
        let payload: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        let last = if first & 0x80 == 0 { ", not the last" } else { "" };
        frames.push(match first & 0x7f {
            0 if last.is_empty() => "last continuation".into(),
            0 => "continuation".into(),
            1 => format!("text{last}"),
            2 => format!("binary{last}"),
            8 => payload.first_chunk().map_or("Close".into(), |code| {
                let reason = std::str::from_utf8(&payload[2..]).unwrap();
                assert!(reason.len() <= 123);
                format!("Close {}", u16::from_be_bytes(*code))
            }),
            9 => "ping".into(),
            10 => "pong".into(),
            other => panic!("{other:#x}"),
        });
        bytes = behind;
    }
    assert!(bytes.is_empty());
    frames
}
