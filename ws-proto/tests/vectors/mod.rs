//! Inputs with all that must come of them, in one table for the tests by section and for the tests
//! of splits.
#![allow(dead_code, reason = "each test crate uses a part of it")]

extern crate alloc;

pub(crate) mod control;
pub(crate) mod fragmentation;
pub(crate) mod framing;
pub(crate) mod limit;
pub(crate) mod utf8;

// As in the harness: microcontrollers replay these too.
use alloc::{format, string::String, vec::Vec};

use crate::harness::{End, Got, Log, close_frame, replay};
use ws_proto::{Config, Error, State, Transport};

/// Bytes that one end reads, and what it must make of them however they are split.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) end: End,
    pub(crate) config: Config,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Log,
}

impl Vector {
    pub(crate) fn new(end: End, name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let config = Config::default();
        Self { name: name.into(), end, config, bytes, expected: Log::default() }
    }

    pub(crate) fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    pub(crate) fn max_message(self, max_message: u64) -> Self {
        let config = Config { max_message, ..self.config };
        self.config(config)
    }

    pub(crate) fn gives(mut self, events: impl IntoIterator<Item = Got>) -> Self {
        self.expected.got.extend(events);
        self
    }

    pub(crate) fn sends(mut self, bytes: Vec<u8>) -> Self {
        self.expected.sent.bytes.extend(bytes);
        self
    }

    /// The connection fails and tells the peer so with `code`, which is the specification's and not
    /// the crate's.
    pub(crate) fn fails(mut self, error: Error, code: u16) -> Self {
        self.expected.error = Some(error);
        let close = close_frame(self.end.peer(), code, error.reason());
        self.sends(close)
    }

    fn state(&self) -> (State, Transport) {
        match (&self.expected.error, self.expected.got.last(), self.end) {
            (Some(_), ..) => (State::Closed, Transport::Close),
            (_, Some(Got::Close(..)), End::Server) => (State::Closed, Transport::Close),
            (_, Some(Got::Close(..)), End::Client) => (State::Closed, Transport::AwaitEof),
            _ => (State::Open, Transport::Keep),
        }
    }

    fn check_chunks(&self, size: usize) {
        let reads: Vec<&[u8]> = self.bytes.chunks(size).collect();
        self.check_reads(&reads, &format!("chunks of {size}"));
    }

    fn check_reads(&self, reads: &[&[u8]], how: &str) {
        let (log, state, transport) = replay(self.end, self.config, reads.iter().copied());
        // Not `assert_eq`, which would print 64 KiB.
        if log != self.expected || (state, transport) != self.state() {
            let brief = |log: &Log| format!("{log:?}").chars().take(1500).collect::<String>();
            panic!(
                "{:?}, {}, {how}:\n     got {} {state:?} {transport:?}\nexpected {} {:?}",
                self.end,
                self.name,
                brief(&log),
                brief(&self.expected),
                self.state(),
            );
        }
    }

    /// Reads the bytes in chunks of every size; if they are many, in those that cut headers anywhere.
    pub(crate) fn check(&self) {
        let len = self.bytes.len().max(1);
        for size in 1..=if len < 600 { len } else { 8 } {
            self.check_chunks(size);
        }
    }

    /// Reads the bytes in two pieces, cut at every place; if they are many, at those near the ends.
    pub(crate) fn check_cuts(&self) {
        let len = self.bytes.len();
        for cut in (0..=len).filter(|cut| len < 600 || cut.min(&(len - cut)) <= &20) {
            let (head, tail) = self.bytes.split_at(cut);
            self.check_reads(&[head, tail], &format!("cut at {cut}"));
        }
    }
}

/// Makes the vectors of a section, for one role.
type Section = fn(End) -> Vec<Vector>;

pub(crate) const SECTIONS: [(&str, Section); 5] = [
    ("framing", framing::vectors),
    ("fragmentation", fragmentation::vectors),
    ("control frames", control::vectors),
    ("UTF-8", utf8::vectors),
    ("the limit", limit::vectors),
];

/// Every vector of every section.
pub(crate) fn all() -> Vec<Vector> {
    End::BOTH.into_iter().flat_map(|end| SECTIONS.iter().flat_map(move |(_, of)| of(end))).collect()
}

/// Checks the vectors of a section in both roles, at every chunk size.
pub(crate) fn check(section: Section) {
    for vector in End::BOTH.into_iter().flat_map(section) {
        vector.check();
    }
}
