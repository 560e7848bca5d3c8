//! The client's end of a connection: bytes in, what they say out.

use ws_proto::handshake::{Agreed, Ask, Pending};
use ws_proto::{Client, CloseCode, Config, Connection, Event, Input, Kind, Scratch};

use crate::dice::Dice;

type Keys = Box<dyn FnMut() -> [u8; 4]>;

/// What a client has heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Open,
    /// The server has answered with another status than 101.
    Status(u16),
    Text(String),
    Binary(Vec<u8>),
    Close(u16, String),
    /// The server does not keep to the protocol.
    Wrong(String),
}

/// A client of the protocol.
pub(super) struct Wire {
    proof: [u8; 28],
    head: Vec<u8>,
    connection: Option<Connection<Client<Keys>>>,
    scratch: Scratch,
    part: Vec<u8>,
    dice: Dice,
    is_refused: bool,
    /// What is to be sent.
    pub(super) out: Vec<u8>,
}

impl Wire {
    /// Asks for a WebSocket.
    pub(super) fn new(target: &str, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut nonce = [0; 16];
        nonce.fill_with(|| dice.next() as u8);
        let mut out = Vec::new();
        let ask = Ask { host: "simulated", target, ..Ask::default() };
        let proof = Pending::request(ask, nonce, &mut out).unwrap().proof();
        let (head, connection, part) = (Vec::new(), None, Vec::new());
        let scratch = Scratch::new();
        Self { proof, head, connection, scratch, part, dice, is_refused: false, out }
    }

    fn open(&mut self, agreed: Agreed) {
        let mut dice = Dice::new(self.dice.next());
        let keys: Keys = Box::new(move || (dice.next() as u32).to_be_bytes());
        self.connection = Some(Connection::new(Client(keys), Config::default(), agreed));
    }

    /// Takes what has come.
    pub(super) fn feed(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        let mut bytes = bytes.to_vec();
        if self.connection.is_none() {
            self.head.append(&mut bytes);
            let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
                return;
            };
            if self.is_refused {
                return;
            }
            bytes = self.head.split_off(end + 4);
            let accepted = Pending::of_proof(self.proof, &[]).finish_head(&self.head);
            match accepted.map(|accepted| accepted.agreed) {
                Ok(agreed) => self.open(agreed),
                Err(error) => {
                    self.is_refused = true;
                    let status = str::from_utf8(&self.head).ok().and_then(|head| head.get(9..12));
                    return heard.push(match status.and_then(|status| status.parse().ok()) {
                        Some(status) if status != 101 => Heard::Status(status),
                        _ => Heard::Wrong(error.to_string()),
                    });
                }
            }
            heard.push(Heard::Open);
        }
        let Some(connection) = &mut self.connection else { return };
        let mut input = Input::new(&mut bytes, &mut self.scratch);
        loop {
            match connection.next_event(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Text(part))) => {
                    self.part.extend_from_slice(part.data.as_bytes());
                    if part.last {
                        let text = String::from_utf8(std::mem::take(&mut self.part));
                        heard.push(Heard::Text(text.unwrap()));
                    }
                }
                Ok(Some(Event::Binary(part))) => {
                    self.part.extend_from_slice(part.data);
                    if part.last {
                        heard.push(Heard::Binary(std::mem::take(&mut self.part)));
                    }
                }
                Ok(Some(Event::Close(code, reason))) => {
                    heard.push(Heard::Close(code.map_or(1005, CloseCode::get), reason.to_owned()));
                }
                Ok(Some(Event::Ping(_) | Event::Pong(_))) => {}
                Err(error) => {
                    heard.push(Heard::Wrong(error.to_string()));
                    break;
                }
            }
            // Pings are answered one by one.
            let _ = connection.poll_transmit(&mut self.out);
        }
        let _ = connection.poll_transmit(&mut self.out);
    }

    /// Whether messages can be sent.
    pub(super) fn is_open(&self) -> bool {
        self.connection.as_ref().is_some_and(|it| it.state() == ws_proto::State::Open)
    }

    /// Sends a message, in as many fragments.
    pub(super) fn send(&mut self, kind: Kind, payload: &[u8], fragments: usize) {
        let Some(connection) = &mut self.connection else { return };
        let size = payload.len().div_ceil(fragments.max(1)).max(1);
        let mut pieces = payload.chunks(size).peekable();
        if pieces.peek().is_none() {
            send_one(connection, kind, &[], true, &mut self.out);
        }
        while let Some(piece) = pieces.next() {
            send_one(connection, kind, piece, pieces.peek().is_none(), &mut self.out);
        }
    }

    pub(super) fn ping(&mut self) {
        if let Some(connection) = &mut self.connection {
            let _ = connection.ping(b"there?", &mut self.out);
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(connection) = &mut self.connection {
            let _ = connection.close(CloseCode::NORMAL, "", &mut self.out);
        }
    }
}

fn send_one(
    connection: &mut Connection<Client<Keys>>,
    kind: Kind,
    piece: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) {
    // Texts here are ASCII: they can be cut anywhere.
    let message = match kind {
        Kind::Text => ws_proto::Message::Text(str::from_utf8(piece).unwrap()),
        Kind::Binary => ws_proto::Message::Binary(piece),
    };
    let _ = connection.send(message, last, out);
}
