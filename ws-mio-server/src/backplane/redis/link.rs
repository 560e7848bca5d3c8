//! What a session has of its servers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::{fmt, mem};

use redis::Connection;

use super::connect::{Address, reason_of, shown};
use super::encode::{Encoder, command};
use super::listener::{Change, Changes};
use super::names::slot_of_room;
use super::queue::weight;
use crate::backplane::wire::{Ask, Request};

/// How large a request may be that is sent at once, in bytes as they are counted. The system holds more for each connection.
const SMALL: usize = 4096;

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

/// The links to all servers, and which slots each has.
pub(super) struct Links {
    encoder: Arc<Encoder>,
    pub(super) all: Vec<Link>,
    /// The link of each slot; of all, where there is no Cluster.
    pub(super) slots: Vec<Option<usize>>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("all", &self.all.len()).finish()
    }
}

impl Links {
    pub(super) fn new(encoder: Arc<Encoder>) -> Self {
        Self { encoder, all: Vec::new(), slots: vec![Some(0)] }
    }

    /// All of them; none is left.
    pub(super) fn take(&mut self) -> Self {
        let none = Self::new(Arc::clone(&self.encoder));
        mem::replace(self, none)
    }

    /// The slot of what a request is about; all are the same where there is no Cluster.
    pub(super) fn slot_of(&self, ask: &Ask) -> u16 {
        if !self.encoder.is_cluster {
            return 0;
        }
        match ask {
            Ask::Append(append) => slot_of_room(&append.room),
            Ask::Attach { room, .. }
            | Ask::Listen { room }
            | Ask::Detach { room }
            | Ask::Read { room, .. }
            | Ask::Whisper { room, .. }
            | Ask::Present { room, .. }
            | Ask::People { room }
            | Ask::Sweep { room, .. } => slot_of_room(room),
            Ask::List { .. } | Ask::Unlist { .. } | Ask::Rooms { .. } | Ask::Listed { .. } => {
                self.encoder.prefix.slot_of_list()
            }
            // A shout may go to any, and goes where the nodes are.
            Ask::Renew { .. } | Ask::Resign { .. } | Ask::Shout { .. } => {
                self.encoder.prefix.slot_of_nodes()
            }
        }
    }

    /// The link that a request goes to.
    pub(super) fn link_for(&self, ask: &Ask) -> Option<usize> {
        self.slots.get(usize::from(self.slot_of(ask))).copied().flatten()
    }

    /// Sends a request at once, while nothing is on its way: the system has room for so little then, and nobody
    /// waits. One that is large, or not published, comes back.
    pub(super) fn send_now(&mut self, request: Request) -> Option<Request> {
        let is_published =
            matches!(request.ask, Ask::Append(_) | Ask::Whisper { .. } | Ask::Shout { .. });
        let at = self.link_for(&request.ask).filter(|_| is_published && weight(&request) <= SMALL);
        let Some(link) = at.and_then(|at| self.all.get_mut(at)) else { return Some(request) };
        // Redis writes last to whom it has written first: so it tells the other nodes before it answers.
        command(&[b"PING"], &mut link.out);
        link.flights.push_back(Flight::Silent);
        link.ask(&self.encoder, request, 0);
        // If the link is lost, whoever reads the answer finds out.
        let _ = link.send();
        None
    }
}
