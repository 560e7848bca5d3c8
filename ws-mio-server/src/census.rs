//! Who is connected, and who has been: what those who run a server want to see.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{EndedBy, PeerId};

/// A connection, as it was at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its name.
    pub id: PeerId,
    /// What it is used for.
    pub kind: ConnectionKind,
    /// Who connected, if the server asks for that.
    pub user: Option<String>,
    /// The socket's other end; `None` for a Unix socket.
    pub address: Option<SocketAddr>,
    /// The client's address, as a trusted proxy told it.
    pub forwarded_for: Option<IpAddr>,
    /// How long it has been used for that.
    pub age: Duration,
    /// Bytes that wait for it.
    pub queued: usize,
    /// Those of them that it has asked for ([`Handle::reply`](crate::Handle::reply)).
    pub asked: usize,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    /// A WebSocket is open.
    WebSocket,
    /// A stream of events is.
    Events,
    /// A request is due, or its answer.
    Request,
    /// All is said, and the other end awaited.
    Ending,
}

/// A WebSocket or a stream of events that has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EndedConnection {
    /// When it was, in seconds since 1970-01-01 UTC.
    pub unix_time: u64,
    /// Who had connected, if the server asks for that.
    pub user: Option<String>,
    /// The socket's other end; `None` for a Unix socket.
    pub address: Option<SocketAddr>,
    /// The code that it ended with.
    pub code: u16,
    /// Who ended it.
    pub by: EndedBy,
    /// Why this end did, if it did.
    pub reason: String,
    /// How long it was open, in seconds.
    pub age: f64,
}

/// A count of all connections, to which each worker gives its own.
pub(crate) struct Census {
    pub(crate) wanted: Wanted,
    sheet: Mutex<Option<Sheet>>,
}

/// Of which connections a census tells.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Of any, at most so many of each worker.
    Most(usize),
    /// Of these.
    Known(Vec<PeerId>),
}

/// What is done with the result: all that were told of, and how many there are.
type Tell = Box<dyn FnOnce(Vec<ConnectionInfo>, usize) + Send>;

struct Sheet {
    connections: Vec<ConnectionInfo>,
    total: usize,
    /// How many workers have yet to tell.
    left: usize,
    tell: Tell,
}

impl fmt::Debug for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Census").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl Census {
    pub(crate) fn new(workers: usize, wanted: Wanted, tell: Tell) -> Self {
        let sheet = Sheet { connections: Vec::new(), total: 0, left: workers, tell };
        Self { wanted, sheet: Mutex::new(Some(sheet)) }
    }

    /// A worker tells of some connections, and how many it has. The last one's thread says what has come of it.
    pub(crate) fn add(&self, connections: impl Iterator<Item = ConnectionInfo>, total: usize) {
        let mut place = self.sheet.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut sheet) = place.take() else { return };
        sheet.connections.extend(connections);
        sheet.total = sheet.total.saturating_add(total);
        sheet.left = sheet.left.saturating_sub(1);
        if sheet.left > 0 {
            *place = Some(sheet);
            return;
        }
        drop(place);
        (sheet.tell)(sheet.connections, sheet.total);
    }
}

/// The last connections of a worker that have ended, as many as are to be remembered.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    most: usize,
    ended: Mutex<VecDeque<EndedConnection>>,
}

impl Memory {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ended: Mutex::default() }
    }

    /// Whether anything is remembered.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.most > 0
    }

    pub(crate) fn remember(&self, one: EndedConnection) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.truncate(self.most.saturating_sub(1));
        ended.push_front(one);
    }

    /// The newest, the last first.
    pub(crate) fn newest(&self, most: usize) -> Vec<EndedConnection> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().take(most).cloned().collect()
    }
}
