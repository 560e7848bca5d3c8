//! One end of a connection, what its host calls, and a peer that sends whatever it likes.

use alloc::string::String;
use alloc::vec::Vec;

use super::pair::{End, arrived};
use super::{Seen, reference};
use crate::frame::{Header, Opcode};
use crate::handshake::Agreed;
use crate::{
    Client, Closed, Config, Connection, Error, Input, Pongs, Role, Scratch, Server, Slice, State,
    Transport, mask,
};

/// What happens: the code of it, and bytes for it.
pub type Step<'a> = (u8, &'a [u8]);

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The lowest bits of `flags`: a client, and the automatic pongs off.
pub fn session(flags: u8, limit: u16, steps: &[Step<'_>]) {
    let pongs = if flags & 2 == 0 { Pongs::Automatic } else { Pongs::Manual };
    let config = Config { pongs, max_message: limit.into() };
    let agreed = Agreed::elsewhere();
    if flags & 1 == 0 {
        let park = |conn: &mut Connection<Server>| {
            if let Some(parked) = conn.park() {
                *conn = parked.resume();
            }
        };
        Session::new(Connection::new(Server, config, agreed), config, park).run(steps);
    } else {
        let conn = Connection::new(Client(|| KEY), config, agreed);
        Session::new(conn, config, |_| ()).run(steps);
    }
}

struct Session<R, P> {
    end: End<R>,
    config: Config,
    park: P,
    /// All bytes that came before the end of them.
    come: Vec<u8>,
    error: Option<Error>,
    ended: Option<Closed>,
}

impl<R: Role, P: Fn(&mut Connection<R>)> Session<R, P> {
    fn new(conn: Connection<R>, config: Config, park: P) -> Self {
        Self { end: End::new(conn), config, park, come: Vec::new(), error: None, ended: None }
    }

    fn run(mut self, steps: &[Step<'_>]) {
        let mut state = State::Open;
        for (code, bytes) in steps {
            match code % 12 {
                // A frame that is as it must be but for what the fuzzer makes of its first byte.
                0..=2 => self.read(&frame::<R>(bytes), code & 0x80 != 0),
                3 => self.read(bytes, code & 0x80 != 0),
                4 if code & 0x40 != 0 => self.ended(),
                4 | 5 => self.transmit(bytes.len()),
                code => self.end.act(code.saturating_sub(5), bytes),
            }
            (self.park)(&mut self.end.conn);
            state = self.judge_state(state);
        }
        self.transmit(usize::MAX >> 1);
        self.judge();
    }

    /// As one read; `eagerly`: what is owed is sent after each event.
    fn read(&mut self, bytes: &[u8], eagerly: bool) {
        if self.ended.is_none() {
            self.come.extend(bytes);
        }
        let mut bytes = bytes.to_vec();
        let mut scratch = Scratch::new();
        let mut input = Input::new(&mut bytes, &mut scratch);
        loop {
            let was_open = self.end.conn.state() == State::Open;
            let answer = match self.end.conn.next_event(&mut input) {
                Ok(Some(event)) => {
                    let seen = Seen::of(event);
                    let answer = match &seen {
                        Seen::Close(code, _) => Some(Seen::Close(*code, String::new())),
                        _ => None,
                    };
                    seen.push_to(&mut self.end.got);
                    answer
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(self.error.replace(error), None, "a second error");
                    Some(Seen::Close(Some(error.close_code().get()), error.reason().into()))
                }
            };
            self.end.sent.extend(answer.filter(|_| was_open));
            if eagerly {
                self.transmit(usize::MAX >> 1);
            }
        }
        assert!(input.is_empty(), "`Ok(None)`, and there are bytes left");
    }

    fn transmit(&mut self, room: usize) {
        // Two frames are all that it can owe.
        let mut buffer = [0; 2 * (14 + 125)];
        let room = room.min(buffer.len());
        let mut out = Slice::new(&mut buffer[..room]);
        let _ = self.end.conn.poll_transmit(&mut out);
        self.end.wire.extend(crate::Store::stored(&out));
    }

    fn ended(&mut self) {
        let closed = self.end.conn.peer_eof();
        assert_eq!(*self.ended.get_or_insert(closed), closed, "it is said otherwise again");
        if closed == Closed::Clean {
            assert!(matches!(self.end.got.last(), Some(Seen::Close(..))) && self.error.is_none());
        }
    }

    fn judge_state(&self, before: State) -> State {
        let now = self.end.conn.state();
        let heard = matches!(self.end.got.last(), Some(Seen::Close(..)));
        let over = self.error.is_some() || self.ended.is_some();
        match now {
            State::Open => assert!(before == State::Open && !heard && !over),
            State::CloseSent => assert!(before != State::Closed && !heard && !over),
            State::CloseReceived => assert!(before != State::Closed && heard && !over),
            State::Closed => assert!(heard || over),
        }
        if now != State::Closed {
            assert_eq!(self.end.conn.transport(), Transport::Keep);
        }
        now
    }

    /// What came was told as the reference tells it, and what was sent is what was asked for and owed.
    fn judge(self) {
        let Self { end, config, come, error, .. } = self;
        let expected = reference::read(&come, R::READS_MASKED, config.max_message);
        assert_eq!(end.got, expected.seen);
        assert_eq!(error.map(|error| error.close_code().get()), expected.failure, "{error:?}");
        let wire: Vec<u8> = end.wire.into();
        let sent = reference::read(&wire, !R::READS_MASKED, u64::MAX);
        assert_eq!((sent.failure, sent.rest), (None, 0), "something follows a Close: {wire:x?}");
        arrived(&end.sent, &sent.seen, &end.got);
        if config.pongs == Pongs::Manual {
            let pongs = |log: &[Seen]| log.iter().filter(|it| matches!(it, Seen::Pong(_))).count();
            assert_eq!(pongs(&end.sent), pongs(&sent.seen));
        }
    }
}

/// A frame to this end: its first byte, and its payload.
fn frame<R: Role>(bytes: &[u8]) -> Vec<u8> {
    let (&first, payload) = bytes.split_first().unwrap_or((&Opcode::Continuation.last(), &[]));
    let key = R::READS_MASKED.then_some(KEY);
    let mut frame = Header::new(first, payload.len() as u64, key).as_bytes().to_vec();
    let start = frame.len();
    frame.extend(payload);
    mask::apply(&mut frame[start..], key.unwrap_or_default());
    frame
}
