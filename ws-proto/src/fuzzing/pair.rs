//! A client and a server joined by wires in memory: everything that is sent arrives.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Seen;
use crate::handshake::Agreed;
use crate::{
    Client, CloseCode, Closed, Config, Connection, Input, Kind, Pongs, Role, Scratch, SendError,
    Server, Slice, State, Store, Transport,
};

/// What one end does: the code of an operation, whether the client does it, and bytes for it.
pub type Op<'a> = (u8, bool, &'a [u8]);

/// `manual`: pings are not answered.
pub fn pair(manual: bool, ops: &[Op<'_>]) {
    let pongs = if manual { Pongs::Manual } else { Pongs::Automatic };
    let config = Config { pongs, max_message: u64::MAX };
    let mut key = [0u8; 4];
    let keys = move || {
        key = u32::from_ne_bytes(key).wrapping_mul(0x9e37_79b9).wrapping_add(1).to_ne_bytes();
        key
    };
    let mut server = End::new(Connection::new(Server, config, Agreed::elsewhere()));
    let mut client = End::new(Connection::new(Client(keys), config, Agreed::elsewhere()));
    for (code, is_client, bytes) in ops {
        match (code % 8, is_client) {
            (7, true) => client.read(&mut server.wire, bytes.len()),
            (7, false) => server.read(&mut client.wire, bytes.len()),
            (code, true) => client.act(code, bytes),
            (code, false) => server.act(code, bytes),
        }
    }
    for _ in 0..3 {
        client.read(&mut server.wire, usize::MAX);
        server.read(&mut client.wire, usize::MAX);
    }
    assert!(client.wire.is_empty() && server.wire.is_empty(), "it does not come to rest");
    arrived(&server.sent, &client.got, &client.sent);
    arrived(&client.sent, &server.got, &server.sent);
    assert_eq!(server.conn.state(), client.conn.state());
    let closed = server.conn.state() == State::Closed;
    let (to_close, to_wait) = if closed {
        (Transport::Close, Transport::AwaitEof)
    } else {
        (Transport::Keep, Transport::Keep)
    };
    assert_eq!((server.conn.transport(), client.conn.transport()), (to_close, to_wait));
    let ended = if closed { Closed::Clean } else { Closed::Abnormal };
    assert_eq!((server.conn.peer_eof(), client.conn.peer_eof()), (ended, ended));
}

/// Everything that was sent was got, in order; but for pongs, of which some answer pings.
pub(super) fn arrived(sent: &[Seen], got: &[Seen], pings: &[Seen]) {
    let of = |log: &[Seen]| {
        let mut rest = Vec::new();
        let kept = log.iter().filter(|seen| !matches!(seen, Seen::Pong(_)));
        // Parts that a pong stood between are one again.
        kept.for_each(|seen| seen.clone().push_to(&mut rest));
        rest
    };
    assert_eq!(of(sent), of(got));
    let mut by_hand = sent.iter().filter(|seen| matches!(seen, Seen::Pong(_)));
    for got in got.iter().filter(|seen| matches!(seen, Seen::Pong(_))) {
        // Those that were sent by hand come in order; the others answer a ping.
        let Seen::Pong(bytes) = got else { continue };
        let answers = pings.contains(&Seen::Ping(bytes.clone()));
        assert!(answers || by_hand.any(|seen| seen == got), "a pong out of nowhere: {bytes:x?}");
    }
}

pub(super) struct End<R> {
    pub(super) conn: Connection<R>,
    pub(super) wire: VecDeque<u8>,
    pub(super) sent: Vec<Seen>,
    pub(super) got: Vec<Seen>,
    /// The kind of a message that has not ended, and whether a byte of it was sent.
    open: Option<(Kind, bool)>,
}

impl<R: Role> End<R> {
    pub(super) fn new(conn: Connection<R>) -> Self {
        let (sent, got) = (Vec::new(), Vec::new());
        Self { conn, wire: VecDeque::new(), sent, got, open: None }
    }

    pub(super) fn act(&mut self, code: u8, bytes: &[u8]) {
        // Of the first byte: a bit for the end of a message, the others the room in the sink.
        let (&first, bytes) = bytes.split_first().unwrap_or((&0xff, &[]));
        let (last, room) = (first & 1 == 1, usize::from(first >> 1) * 4);
        let mut buffer = vec![0; room];
        let mut out = Slice::new(&mut buffer);
        let text = String::from_utf8_lossy(bytes);
        let control = &bytes[..bytes.len().min(125)];
        let was_open = self.conn.state() == State::Open;
        let result = match code {
            0 | 1 => self.conn.send(&*text, last, &mut out),
            2 | 3 => self.conn.send(bytes, last, &mut out),
            4 => self.conn.ping(control, &mut out),
            5 => self.conn.pong(control, &mut out),
            _ => self.close(bytes, &mut out),
        };
        match (result, code) {
            (Ok(()), 0 | 1) => self.sent_data(Kind::Text, text.as_bytes(), last),
            (Ok(()), 2 | 3) => self.sent_data(Kind::Binary, bytes, last),
            (Ok(()), 4) => self.sent.push(Seen::Ping(control.to_vec())),
            (Ok(()), 5) => self.sent.push(Seen::Pong(control.to_vec())),
            (Ok(()), _) => {}
            (Err(SendError::Full), _) => assert!(room < bytes.len() * 3 + 14 + 14 + 125),
            (Err(SendError::Closing), _) => assert!(!was_open),
            (Err(SendError::MessageUnfinished), _) => assert!(self.open.is_some()),
            (Err(SendError::TooLong), _) => panic!("nothing is"),
        }
        self.wire.extend(out.stored());
    }

    fn close(&mut self, bytes: &[u8], out: &mut Slice<'_>) -> Result<(), SendError> {
        let number = bytes.first_chunk().map_or(1000, |code| u16::from_be_bytes(*code));
        let code = CloseCode::new(number).unwrap_or(CloseCode::NORMAL);
        let mut reason = String::from_utf8_lossy(bytes).into_owned();
        while reason.len() > 123 {
            reason.pop();
        }
        self.conn.close(code, &reason, out)?;
        self.sent.push(Seen::Close(Some(code.get()), reason));
        Ok(())
    }

    fn sent_data(&mut self, kind: Kind, bytes: &[u8], last: bool) {
        let (open, started) = self.open.unwrap_or((kind, false));
        assert_eq!(open, kind, "a message of two kinds was accepted");
        if !bytes.is_empty() || last {
            let bytes = bytes.to_vec();
            Seen::Data { kind, bytes, first: !started, last }.push_to(&mut self.sent);
        }
        self.open = (!last).then_some((kind, started || !bytes.is_empty()));
    }

    /// Reads as much of the peer's bytes at once, and sends what is owed for them.
    fn read(&mut self, wire: &mut VecDeque<u8>, most: usize) {
        let mut bytes: Vec<u8> = wire.drain(..most.min(wire.len())).collect();
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut bytes, &mut scratch);
        let mut out = Vec::new();
        while let Some(event) = self.conn.next_event(&mut input).expect("the peer keeps the rules")
        {
            let seen = Seen::of(event);
            self.conn.poll_transmit(&mut out).expect("a Vec is never full");
            if let Seen::Close(code, _) = &seen
                && !self.sent.iter().any(|seen| matches!(seen, Seen::Close(..)))
            {
                self.sent.push(Seen::Close(*code, String::new()));
            }
            seen.push_to(&mut self.got);
        }
        self.conn.poll_transmit(&mut out).expect("a Vec is never full");
        self.wire.extend(out);
    }
}
