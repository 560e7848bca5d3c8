//! What both kinds of sockets are, but for the calls that read and write.

use super::out::Out;
use crate::handshake::Agreed;
use crate::input::Bytes;
use crate::keepalive::{Due, Instant, Keepalive, Timing};
use crate::{
    Closed, Config, Connection, Event, Full, Message, Part, Role, Scratch, State, Transport,
};

/// The read buffer, and how much of it has come and not been consumed.
#[derive(Debug)]
pub(super) struct In<'b> {
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
}

impl<'b> In<'b> {
    pub(super) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, start: 0, end: 0 }
    }

    /// Where the next bytes go.
    pub(super) fn free(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    pub(super) const fn came(&mut self, n: usize) {
        self.end = self.end.saturating_add(n);
    }

    const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What has come.
    pub(super) fn all(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) const fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n);
    }
}

/// A connection with its buffers.
#[derive(Debug)]
pub(super) struct Link<'b, R> {
    pub(super) conn: Connection<R>,
    pub(super) out: Out<'b>,
    pub(super) input: In<'b>,
    scratch: Scratch,
    heard: bool,
    /// Bytes of a message that `read_message` has put into the caller's buffer so far.
    pub(super) gathered: usize,
}

/// What there is to do before the next event.
pub(super) enum Next {
    /// Read into [`In::free`].
    Read,
    /// Nothing: bytes have come.
    Handle,
    Closed(Closed),
}

/// What answers an event: what an event does not borrow.
pub(super) struct Replies<'s, 'b, R> {
    pub(super) conn: &'s mut Connection<R>,
    pub(super) out: &'s mut Out<'b>,
}

/// What a part is to a message that is put together.
pub(super) enum Gathered {
    Nothing,
    Text(usize),
    Binary(usize),
}

impl<'b, R: Role> Link<'b, R> {
    pub(super) fn new(
        role: R,
        config: Config,
        agreed: Agreed,
        input: In<'b>,
        out: Out<'b>,
    ) -> Self {
        let conn = Connection::new(role, config, agreed);
        Self { conn, out, input, scratch: Scratch::new(), heard: true, gathered: 0 }
    }

    /// The next event of what has come, and what is to be told with it.
    pub(super) fn handle(
        &mut self,
    ) -> (Result<Option<Event<'_>>, crate::Error>, Replies<'_, 'b, R>) {
        let (start, end) = (self.input.start, self.input.end);
        let mut bytes = Bytes::new(self.input.buffer.get_mut(start..end).unwrap_or_default());
        let event = self.conn.next_of(&mut bytes, &mut self.scratch);
        self.input.start = end.saturating_sub(bytes.as_slice().len());
        (event, Replies { conn: &mut self.conn, out: &mut self.out })
    }

    /// Puts what is owed into the write buffer, and tells what to do when that is written.
    pub(super) fn next(&mut self) -> Result<Next, Full> {
        self.conn.poll_transmit(&mut self.out)?;
        Ok(match self.conn.transport() {
            Transport::Keep if self.input.is_empty() && !self.conn.has_found() => Next::Read,
            Transport::Keep => Next::Handle,
            // The stream may have no end that could be awaited.
            Transport::Close | Transport::AwaitEof => Next::Closed(self.conn.peer_eof()),
        })
    }

    /// A read gave `n` bytes.
    pub(super) fn came(&mut self, n: usize) {
        self.heard = true;
        self.input.came(n);
        if n == 0 {
            self.conn.peer_eof();
        }
    }

    pub(super) fn tick(&mut self, keepalive: &mut Keepalive, timing: &Timing, now: Instant) -> Due {
        if core::mem::take(&mut self.heard) {
            keepalive.heard(now);
        }
        if self.conn.state() != State::Open {
            keepalive.closing(now);
        }
        keepalive.poll(timing, now)
    }
}

impl Gathered {
    /// Copies a part of a message to behind what `buffer` holds of it.
    pub(super) fn from(
        gathered: &mut usize,
        event: Event<'_>,
        buffer: &mut [u8],
    ) -> Result<Self, Full> {
        let (text, data, first, last) = match event {
            Event::Text(Part { data, first, last }) => (true, data.as_bytes(), first, last),
            Event::Binary(Part { data, first, last }) => (false, data, first, last),
            Event::Ping(_) | Event::Pong(_) | Event::Close(..) => return Ok(Self::Nothing),
        };
        if first {
            *gathered = 0;
        }
        let start = *gathered;
        // Until the next message begins, should this one not fit.
        *gathered = usize::MAX;
        crate::sink::put(buffer.get_mut(start..).ok_or(Full)?, data, &[])?;
        *gathered = start.saturating_add(data.len());
        Ok(match (last, text) {
            (false, _) => Self::Nothing,
            (true, true) => Self::Text(*gathered),
            (true, false) => Self::Binary(*gathered),
        })
    }
    /// The message in `buffer`, if it is whole.
    pub(super) fn message(self, buffer: &[u8]) -> Option<Message<'_>> {
        match self {
            Self::Nothing => None,
            // Parts of text are text, so this never fails.
            Self::Text(len) => str::from_utf8(buffer.get(..len)?).ok().map(Message::Text),
            Self::Binary(len) => buffer.get(..len).map(Message::Binary),
        }
    }
}
