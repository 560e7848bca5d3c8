//! What a session has of one server.

use std::collections::VecDeque;
use std::sync::Arc;

use redis::Connection;

use super::connect::{Address, reason_of, shown};
use super::encode::{Encoder, command};
use super::listener::{Change, Changes};
use crate::backplane::wire::Request;

/// A command whose answer has not come.
#[derive(Debug)]
pub(super) enum Flight {
    Asked(Request, u32),
    /// Nobody wants to know.
    Silent,
}

/// A server: a connection for what is asked, and a thread with another one for what is published.
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) connection: Connection,
    pub(super) run: u64,
    pub(super) flights: VecDeque<Flight>,
    pub(super) out: Vec<u8>,
    pub(super) changes: Arc<Changes>,
    /// The channel that wakes the thread.
    pub(super) own: Vec<u8>,
}

impl Link {
    /// Has the thread that hears look at what has changed, and shows that it works.
    pub(super) fn wake(&mut self) {
        command(&[b"PUBLISH", &self.own, b""], &mut self.out);
        self.flights.push_back(Flight::Silent);
    }

    /// A subscription is to begin, or to end.
    pub(super) fn change(&mut self, change: Change) {
        if self.changes.add(change) {
            self.wake();
        }
    }

    /// Writes a request, which leaves with the next [`Link::send`].
    pub(super) fn ask(&mut self, encoder: &Encoder, request: Request, tries: u32) {
        encoder.ask(&request.ask, self.run, &mut self.out);
        self.flights.push_back(Flight::Asked(request, tries));
    }

    /// Sends what is written.
    pub(super) fn send(&mut self) -> Result<(), String> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sent =
            self.connection.send_packed_command(&self.out).map_err(|error| reason_of(&error));
        sent.map_err(|why| self.lost(&why))?;
        // What was needed for something large is given back.
        self.out.clear();
        self.out.shrink_to(64 * 1024);
        Ok(())
    }

    /// Why the link is lost.
    pub(super) fn lost(&self, why: &str) -> String {
        format!("{}: {why}", shown(&self.address))
    }
}
