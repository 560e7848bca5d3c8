//! One open connection, from the first message to its end.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use mio::{Events, Poll};
use ws_proto::deflate::{Deflater, Inflater};
use ws_proto::keepalive::Instant;
use ws_proto::{
    Assembler, CloseCode, Closed, Error, Event, Input as Bytes, Message, Scratch, State,
    Transport as Below,
};

use super::command::{Command, HELP, Lines};
use super::input::{Input, Piece};
use super::meaning::meaning;
use super::opening::{ClientConnection, Opened};
use super::pings::Pings;
use super::transport::Transport;
use super::{SOCKET, Screen};
use crate::cli::ConnectArgs;
use crate::clock::{Clock, moment};

/// With so many bytes that wait to be sent, no more input is taken.
const HIGH_WATER: usize = 256 * 1024;
/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(5);
/// How long the server may take to end the connection when all is said.
const ENDING: Duration = Duration::from_secs(1);
/// How many reads are served before input has its turn.
const READ_BUDGET: u32 = 16;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// This end closed it.
    Ours,
    /// The server closed it, with a code that tells of nothing bad.
    Theirs,
    /// It was lost, or closed with a code that tells of something bad.
    Failed(String),
    /// This end wanted to stop, but not all was well.
    Stopped(String),
}

/// An open connection, and what it needs.
pub(super) struct Talk<'a> {
    args: &'a ConnectArgs,
    screen: &'a Screen,
    input: &'a Input,
    lines: Lines,
    /// Whether input is typed at a terminal.
    typed: bool,
    clock: Clock,
    transport: Transport,
    connection: ClientConnection,
    deflate: Option<(Inflater, Deflater)>,
    messages: Assembler<Vec<u8>>,
    scratch: Scratch,
    out: Vec<u8>,
    /// How much of `out` was sent.
    sent: usize,
    received: u64,
    pings: Pings,
    /// When the server last said something, or input ended.
    heard: Instant,
    input_ended: bool,
    /// When this end began to close.
    closing: Option<Instant>,
    /// How it ended, and until when the server may end the stream.
    end: Option<(End, Instant)>,
    /// Whether the stream has ended, or nothing more is expected of it.
    gone: bool,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        args: &'a ConnectArgs,
        screen: &'a Screen,
        input: &'a Input,
        lines: Lines,
        typed: bool,
        clock: Clock,
        opened: Opened,
    ) -> (Self, Vec<u8>) {
        let now = moment(clock.running());
        let talk = Self {
            args,
            screen,
            input,
            lines,
            typed,
            clock,
            transport: opened.transport,
            connection: opened.connection,
            deflate: opened.deflate,
            messages: Assembler::new(Vec::new()),
            scratch: Scratch::new(),
            out: Vec::new(),
            sent: 0,
            received: 0,
            pings: Pings::new(args.ping, args.pong_timeout, now),
            heard: now,
            input_ended: false,
            closing: None,
            end: None,
            gone: false,
        };
        (talk, opened.rest)
    }

    /// Serves the connection to its end. Fails if the event loop does.
    pub(super) fn run(mut self, mut first: Vec<u8>, poll: &mut Poll) -> io::Result<End> {
        self.transport.register(poll.registry(), SOCKET)?;
        let mut events = Events::with_capacity(16);
        let mut buffer = vec![0; 64 * 1024];
        self.receive(&mut first);
        loop {
            let more = self.read(&mut buffer);
            self.take_input();
            self.keep_time();
            let stuck = self.write();
            if let Some(end) = self.ended() {
                return Ok(end);
            }
            let idle = !more && (stuck || self.is_sent());
            let timeout = if idle { self.timeout() } else { Some(Duration::ZERO) };
            match poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }

    /// How the connection ended, once there is nothing left to wait for.
    fn ended(&mut self) -> Option<End> {
        let (_, until) = self.end.as_ref()?;
        let over = self.gone || *until <= moment(self.clock.running());
        if over || (self.is_sent() && self.connection.transport() == Below::Close) {
            self.transport.finish();
        }
        match self.end.take_if(|_| over)?.0 {
            End::Failed(message) if self.closing.is_some() => Some(End::Stopped(message)),
            end => Some(end),
        }
    }

    fn end(&mut self, end: End) {
        let until = moment(self.clock.running()).after(ENDING);
        self.end.get_or_insert((end, until));
    }

    fn is_sent(&self) -> bool {
        self.sent == self.out.len()
    }

    /// Reads what has come; `true`: there may be more.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        for _ in 0..READ_BUDGET {
            if self.gone {
                return false;
            }
            match self.transport.read(buffer) {
                Ok(0) => {
                    let closed = self.connection.peer_eof();
                    self.lost(closed, "the server ended the connection without closing it");
                }
                Ok(n) => {
                    self.heard = moment(self.clock.running());
                    self.receive(buffer.get_mut(..n).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let closed = self.connection.peer_eof();
                    self.lost(closed, &format!("the connection broke: {error}"));
                }
            }
        }
        true
    }

    fn receive(&mut self, bytes: &mut [u8]) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut messages = std::mem::replace(&mut self.messages, Assembler::new(Vec::new()));
        let mut deflate = self.deflate.take();
        let mut input = Bytes::new(bytes, &mut scratch);
        loop {
            let event = match &mut deflate {
                Some((inflater, _)) => self.connection.next_event_inflated(&mut input, inflater),
                None => self.connection.next_event(&mut input),
            };
            match event {
                Ok(None) => break,
                Ok(Some(event)) => self.event(event, &mut messages),
                Err(error) => self.violation(error),
            }
            self.answer();
        }
        self.scratch = scratch;
        self.messages = messages;
        self.deflate = deflate;
    }

    /// Puts what the core owes to what waits to be sent. While the server takes little of that, the core keeps it:
    /// only the newest ping is owed a pong.
    fn answer(&mut self) {
        if self.out.len().saturating_sub(self.sent) < HIGH_WATER {
            // A vector takes everything.
            let _ = self.connection.poll_transmit(&mut self.out);
        }
    }

    fn event(&mut self, event: Event<'_>, messages: &mut Assembler<Vec<u8>>) {
        match event {
            Event::Pong(payload) => return self.pong(payload),
            Event::Close(code, reason) => return self.closed(code, reason),
            _ => {}
        }
        // A vector takes everything.
        let Ok(Some(message)) = messages.push(event) else { return };
        if self.args.count.is_some_and(|count| self.received >= count) {
            return;
        }
        self.received = self.received.saturating_add(1);
        if let Err(error) = self.screen.message(message) {
            // `| head` has seen enough.
            if error.kind() != ErrorKind::BrokenPipe {
                self.screen.error(format_args!("standard output: {error}"));
            }
            self.close(CloseCode::NORMAL, "");
        }
        if self.args.count == Some(self.received) {
            self.close(CloseCode::NORMAL, "");
        }
    }

    fn pong(&mut self, payload: &[u8]) {
        if let Some(took) = self.pings.answered(payload, self.clock.running()) {
            self.screen.note(format_args!("pong after {:.3} ms", took.as_secs_f64() * 1e3));
        }
    }

    fn closed(&mut self, code: Option<CloseCode>, reason: &str) {
        let number = code.map_or(1005, CloseCode::get);
        let colon = if reason.is_empty() { "" } else { ": " };
        let said = format!("{number} ({}){colon}{}", meaning(number), reason.escape_debug());
        self.screen.note(match self.closing {
            Some(_) => format!("closed: {said}"),
            None => format!("closed by the server: {said}"),
        });
        let end = match (self.closing, number) {
            (Some(_), _) => End::Ours,
            (None, 1000 | 1001 | 1005) => End::Theirs,
            (None, _) => End::Failed(format!("the server closed with {said}")),
        };
        self.end(end);
    }

    fn violation(&mut self, error: Error) {
        let code = error.close_code();
        let message = format!("the server broke the protocol: {error}; closed with {code}");
        self.end(End::Failed(message));
    }

    /// The bytes of the server have ended.
    fn lost(&mut self, closed: Closed, how: &str) {
        let end = match (closed, self.closing) {
            (Closed::Clean, Some(_)) => End::Ours,
            (Closed::Clean, None) => End::Theirs,
            (Closed::Abnormal, _) => End::Failed(format!("{how} (1006)")),
        };
        self.gone = true;
        self.end(end);
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        if self.closing.is_none() && self.connection.close(code, reason, &mut self.out).is_ok() {
            self.closing = Some(moment(self.clock.running()));
        }
    }

    fn take_input(&mut self) {
        if self.input.interrupted.load(Ordering::SeqCst) {
            self.close(CloseCode::GOING_AWAY, "");
        }
        while self.connection.state() == State::Open
            && !self.input_ended
            && self.out.len().saturating_sub(self.sent) < HIGH_WATER
        {
            match self.input.pieces.try_recv() {
                Ok(Piece::Line(line)) => match self.lines.command(line) {
                    Ok(command) => self.command(command),
                    Err(error) if self.typed => self.screen.error(error),
                    Err(error) => self.abandon(&error),
                },
                Ok(Piece::Bytes(bytes)) => self.send(Message::Binary(&bytes)),
                Ok(Piece::Failed(error)) => self.abandon(&error),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.input_ended = true;
                    self.heard = moment(self.clock.running());
                }
            }
        }
    }

    /// Input makes no sense, and nobody is there to correct it.
    fn abandon(&mut self, error: &str) {
        self.close(CloseCode::NORMAL, "");
        self.end(End::Stopped(error.to_owned()));
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Text(text) => self.send(Message::Text(&text)),
            Command::Binary(bytes) => self.send(Message::Binary(&bytes)),
            Command::Ping => self.ping(),
            Command::Close(code, reason) => self.close(code, &reason),
            Command::Help => self.screen.error(HELP),
        }
    }

    fn send(&mut self, message: Message<'_>) {
        // It fails only when the connection is closing, and then no input is taken.
        let _ = match &mut self.deflate {
            Some((_, deflater)) => {
                self.connection.send_deflated(message, true, deflater, &mut self.out)
            }
            None => self.connection.send(message, true, &mut self.out),
        };
    }

    fn ping(&mut self) {
        let payload = self.pings.start(self.clock.running());
        // It fails only when the connection is closing.
        let _ = self.connection.ping(&payload, &mut self.out);
    }

    /// Does what is due by now.
    fn keep_time(&mut self) {
        let now = moment(self.clock.running());
        if self.closing.is_some_and(|since| since.after(CLOSING) <= now) {
            let message = "the server did not answer the Close (1006)".to_owned();
            self.gone = true;
            self.end(End::Failed(message));
        }
        if self.pings.is_dead(now) {
            let message = "the server does not answer pings (1006)".to_owned();
            self.gone = true;
            self.end(End::Failed(message));
        }
        if self.pings.is_due(now) && self.connection.state() == State::Open {
            self.ping();
        }
        if self.close_at().is_some_and(|at| at <= now) {
            self.close(CloseCode::NORMAL, "");
        }
    }

    /// When the connection is closed because input has ended.
    fn close_at(&self) -> Option<Instant> {
        let waits = self.args.stay || self.args.count.is_some();
        if !self.input_ended || self.closing.is_some() || waits || !self.is_sent() {
            return None;
        }
        Some(if self.typed { self.heard } else { self.heard.after(self.args.wait) })
    }

    fn timeout(&self) -> Option<Duration> {
        let now = moment(self.clock.running());
        let closing = self.closing.map(|since| since.after(CLOSING));
        let ending = self.end.as_ref().map(|(_, until)| *until);
        let moments = [closing, ending, self.pings.deadline(), self.close_at()];
        moments.into_iter().flatten().map(|at| at.since(now)).min()
    }

    /// Sends what waits; `true`: the rest can't be sent now.
    fn write(&mut self) -> bool {
        while let Some(bytes) = self.out.get(self.sent..).filter(|bytes| !bytes.is_empty()) {
            match self.transport.write(bytes) {
                Ok(n) => self.sent = self.sent.saturating_add(n),
                Err(error) => return self.write_failed(&error),
            }
        }
        self.out.clear();
        self.sent = 0;
        self.answer();
        if !self.is_sent() {
            return self.write();
        }
        match self.transport.flush() {
            Ok(()) => false,
            Err(error) => self.write_failed(&error),
        }
    }

    fn write_failed(&mut self, error: &io::Error) -> bool {
        match error.kind() {
            ErrorKind::WouldBlock => true,
            ErrorKind::Interrupted => false,
            // The server may have said why before it went: what it said is read first.
            _ => {
                self.out.clear();
                self.sent = 0;
                false
            }
        }
    }
}
