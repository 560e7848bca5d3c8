//! Two connections with a small buffer each way, as sockets have.

use std::collections::VecDeque;

use crate::harness::{End, FixedKey, Wire, client_conn, server_conn};
use ws_proto::{
    CloseCode, Closed, Config, Connection, Event, Input, Kind, Part, Role, Scratch, SendError,
    Server, Sink, State, Transport, mask,
};

/// Something that one of the two does, or that happens to the bytes between them.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A text in fragments of these sizes and the rest, with a ping before each.
    Text {
        from: End,
        text: String,
        cuts: Vec<usize>,
        pings: bool,
    },
    Binary {
        from: End,
        bytes: Vec<u8>,
        cuts: Vec<usize>,
        pings: bool,
    },
    Ping {
        from: End,
        bytes: Vec<u8>,
    },
    /// As many bytes arrive, if they are there, in one read.
    Deliver {
        to: End,
        most: usize,
    },
}

/// What went one way.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) messages: Vec<(Kind, Vec<u8>)>,
    pub(crate) pings: Vec<Vec<u8>>,
    pub(crate) pongs: Vec<Vec<u8>>,
}

/// A frame that has yet to find room.
#[derive(Debug)]
enum Frame {
    Data { kind: Kind, bytes: Vec<u8>, last: bool, whole: Vec<u8> },
    Ping(Vec<u8>),
    Close,
}

struct Host<R> {
    conn: Connection<R>,
    to_send: VecDeque<Frame>,
    out: Wire,
    sent: Seen,
    got: Seen,
    part: Vec<u8>,
}

impl<R: Role> Host<R> {
    fn new(conn: Connection<R>, room: usize) -> Self {
        let (sent, got) = (Seen::default(), Seen::default());
        let out = Wire::with_capacity(room);
        Self { conn, to_send: VecDeque::new(), out, sent, got, part: Vec::new() }
    }

    fn queue(&mut self, kind: Kind, whole: &[u8], cuts: &[usize], pings: bool) {
        let mut rest = whole;
        for (n, cut) in cuts.iter().enumerate() {
            let (bytes, behind) = rest.split_at((*cut).min(rest.len()));
            rest = behind;
            if pings {
                self.to_send.push_back(Frame::Ping(vec![n as u8; n]));
            }
            let (bytes, whole) = (bytes.to_vec(), Vec::new());
            self.to_send.push_back(Frame::Data { kind, bytes, last: false, whole });
        }
        let (bytes, whole) = (rest.to_vec(), whole.to_vec());
        self.to_send.push_back(Frame::Data { kind, bytes, last: true, whole });
    }

    /// Sends until there is no room, or nothing more can be sent.
    fn flush(&mut self) {
        if self.conn.poll_transmit(&mut self.out).is_err() {
            return;
        }
        while let Some(frame) = self.to_send.pop_front() {
            let result = match &frame {
                Frame::Data { kind: Kind::Binary, bytes, last, .. } => {
                    self.conn.send(&bytes[..], *last, &mut self.out)
                }
                Frame::Data { kind: Kind::Text, bytes, last, .. } => match str::from_utf8(bytes) {
                    Ok(text) => self.conn.send(text, *last, &mut self.out),
                    // The fragment ends in a code point, as it may.
                    Err(_) => self.send_in_two(Kind::Text, bytes, *last),
                },
                Frame::Ping(bytes) => self.conn.ping(bytes, &mut self.out),
                Frame::Close => self.conn.close(CloseCode::NORMAL, "done", &mut self.out),
            };
            match (result, frame) {
                (Ok(()), Frame::Data { kind, last: true, whole, .. }) => {
                    self.sent.messages.push((kind, whole));
                }
                (Ok(()), Frame::Ping(bytes)) => self.sent.pings.push(bytes),
                (Ok(()), _) => {}
                (Err(SendError::Full), frame) => {
                    self.to_send.push_front(frame);
                    return;
                }
                (Err(SendError::Closing), _) => assert_ne!(self.conn.state(), State::Open),
                (Err(error), frame) => panic!("{error}: {frame:?}"),
            }
        }
    }

    /// The header first, and then the payload from elsewhere.
    fn send_in_two(&mut self, kind: Kind, bytes: &[u8], last: bool) -> Result<(), SendError> {
        // The header takes no room in a sink, so that is the caller's to check.
        if self.out.room() < bytes.len() + 14 {
            return Err(SendError::Full);
        }
        let header = self.conn.send_header(kind, bytes.len() as u64, last)?;
        let body = self.out.put(header.as_bytes(), bytes)?;
        if let Some(key) = header.masking_key() {
            mask::apply(body, key);
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8]) {
        let mut scratch = Scratch::new();
        let mut input = Input::new(bytes, &mut scratch);
        loop {
            let event = self.conn.next_event(&mut input).expect("the other end keeps the protocol");
            let Some(event) = event else { break };
            let (data, kind, last) = match event {
                Event::Text(Part { data, last, .. }) => (data.as_bytes(), Kind::Text, last),
                Event::Binary(Part { data, last, .. }) => (data, Kind::Binary, last),
                Event::Ping(data) => {
                    self.got.pings.push(data.to_vec());
                    let _ = self.conn.poll_transmit(&mut self.out);
                    continue;
                }
                Event::Pong(data) => {
                    self.got.pongs.push(data.to_vec());
                    continue;
                }
                Event::Close(code, _) => {
                    assert_eq!(code, Some(CloseCode::NORMAL));
                    continue;
                }
            };
            self.part.extend(data);
            if last {
                self.got.messages.push((kind, std::mem::take(&mut self.part)));
            }
        }
    }
}

pub(crate) struct World {
    server: Host<Server>,
    client: Host<FixedKey>,
}

impl World {
    /// `room` is that of the buffer each way.
    pub(crate) fn new(room: usize) -> Self {
        Self {
            server: Host::new(server_conn(Config::default()), room),
            client: Host::new(client_conn(Config::default()), room),
        }
    }

    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Text { from, text, cuts, pings } => {
                self.queue(from, Kind::Text, text.as_bytes(), &cuts, pings);
            }
            Op::Binary { from, bytes, cuts, pings } => {
                self.queue(from, Kind::Binary, &bytes, &cuts, pings);
            }
            Op::Ping { from: End::Server, bytes } => {
                self.server.to_send.push_back(Frame::Ping(bytes));
            }
            Op::Ping { from: End::Client, bytes } => {
                self.client.to_send.push_back(Frame::Ping(bytes));
            }
            Op::Deliver { to, most } => self.deliver(to, most),
        }
        self.server.flush();
        self.client.flush();
    }

    fn queue(&mut self, from: End, kind: Kind, bytes: &[u8], cuts: &[usize], pings: bool) {
        match from {
            End::Server => self.server.queue(kind, bytes, cuts, pings),
            End::Client => self.client.queue(kind, bytes, cuts, pings),
        }
    }

    fn deliver(&mut self, to: End, most: usize) {
        let wire = match to {
            End::Server => &mut self.client.out,
            End::Client => &mut self.server.out,
        };
        let most = most.min(wire.bytes.len());
        let mut bytes: Vec<u8> = wire.bytes.drain(..most).collect();
        match to {
            End::Server => self.server.read(&mut bytes),
            End::Client => self.client.read(&mut bytes),
        }
    }

    pub(crate) fn close(&mut self, from: End) {
        match from {
            End::Server => self.server.to_send.push_back(Frame::Close),
            End::Client => self.client.to_send.push_back(Frame::Close),
        }
        self.server.flush();
        self.client.flush();
    }

    /// Delivers until nothing is under way any more.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            self.server.flush();
            self.client.flush();
            if self.server.out.bytes.is_empty() && self.client.out.bytes.is_empty() {
                assert!(self.server.to_send.is_empty() && self.client.to_send.is_empty());
                return;
            }
            self.deliver(End::Client, 7);
            self.deliver(End::Server, 50);
        }
        panic!("it does not come to rest");
    }

    pub(crate) fn sent(&self, by: End) -> &Seen {
        match by {
            End::Server => &self.server.sent,
            End::Client => &self.client.sent,
        }
    }

    pub(crate) fn got(&self, by: End) -> &Seen {
        match by {
            End::Server => &self.server.got,
            End::Client => &self.client.got,
        }
    }

    /// Server, client.
    pub(crate) fn ends(&self) -> [(State, Transport); 2] {
        let (server, client) = (&self.server.conn, &self.client.conn);
        [(server.state(), server.transport()), (client.state(), client.transport())]
    }

    pub(crate) fn eof(&mut self) -> [Closed; 2] {
        [self.server.conn.peer_eof(), self.client.conn.peer_eof()]
    }
}
