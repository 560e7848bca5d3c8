//! Messages on disk: a thread of its own writes them to a SQLite file, many in one transaction, and tells when
//! they are there.
//!
//! It knows rooms by name and their messages by offset, and nothing of members, delivery or time.
//!
//! ```no_run
//! use std::path::Path;
//! use ws_mio_server::store::{Record, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let on_stored = Box::new(|outcomes| println!("{outcomes:?}"));
//! let (store, recovered) = Store::open(Path::new("data"), on_stored)?;
//! let next = recovered.rooms.iter().find(|room| &*room.name == "general").map_or(1, |room| room.next);
//! store.append(Record {
//!     room: "general".into(),
//!     offset: next,
//!     at: 1_700_000_000_000,
//!     user: "alice".into(),
//!     client_id: None,
//!     payload: b"hello".as_slice().into(),
//! })?;
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - The messages of a room have consecutive offsets; the first may have any. One that does not follow the last
//!   stored one of its room fails ([`Failure::OutOfOrder`]). When one fails, for whatever reason, so do all of its
//!   room that were queued until `on_stored` has returned from telling of it. So there never is a hole.
//! - A room whose messages were all trimmed is gone, and may go on at any higher offset.
//! - What was reported as stored is there after the process has been killed in any way.
//! - A loss of power, or a crash of the operating system, may lose what was stored last, unless
//!   [`Options::survive`] is [`Survive::PowerLoss`]. The file is whole in any case. Since ids could then be given
//!   twice, a store that was not closed before the machine started anew gets another epoch.
//! - One process at a time uses a directory. Others may read the file meanwhile, to copy it for instance
//!   (`sqlite3 history.sqlite '.backup copy.sqlite'`).
//! - What is queued is bounded ([`Options::max_waiting`], [`Options::max_waiting_bytes`]).
//! - A disk that is full, or fails, makes messages fail, never the process; later ones are tried anew.
//! - What was trimmed makes place for others at once, and the file shrinks when there is nothing else to do.

mod checkpoint;
mod database;
mod directory;
mod error;
mod queue;
mod rooms;
mod statements;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

pub use crate::survive::Survive;
pub use error::{Failure, Refused, StoreError};
use queue::Queue;

/// A message of a room, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name of the room.
    pub room: Arc<str>,
    /// Its place in the room: one more than that of the message before it. At most [`i64::MAX`].
    pub offset: u64,
    /// When it was sent, in milliseconds since 1970-01-01 UTC. At most [`i64::MAX`]; it need not grow.
    pub at: u64,
    /// Who sent it.
    pub user: Arc<str>,
    /// What its sender calls it.
    pub client_id: Option<Arc<str>>,
    /// What it says: any bytes.
    pub payload: Arc<[u8]>,
}

impl Record {
    /// Roughly the memory that it keeps.
    fn size(&self) -> usize {
        let client_id = self.client_id.as_ref().map_or(0, |id| id.len());
        [self.room.len(), self.user.len(), client_id, self.payload.len()]
            .into_iter()
            .fold(size_of::<Self>(), usize::saturating_add)
    }

    /// Of all that it says, with lengths, so that nothing can move from one part to another.
    fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.offset.to_le_bytes());
        hasher.update(&self.at.to_le_bytes());
        let client_id = self.client_id.as_ref().map(|id| id.as_bytes());
        let parts = [Some(self.room.as_bytes()), Some(self.user.as_bytes()), client_id];
        for part in parts {
            hasher.update(&part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            hasher.update(part.unwrap_or_default());
        }
        hasher.update(&self.payload);
        hasher.finalize()
    }
}

/// What became of a message.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The room of the message.
    pub room: Arc<str>,
    /// Its offset.
    pub offset: u64,
    /// Whether it is stored, or why it is not.
    pub result: Result<(), Failure>,
}

/// What a directory held when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// A number drawn at random when the directory was made: offsets of another epoch mean nothing here.
    pub epoch: u64,
    /// One more than the highest offset of all rooms that are gone: a room that is not among
    /// [`Recovered::rooms`] may have been there, and should begin at this offset or behind it, lest an id mean two
    /// messages. 1 if no room is gone.
    pub floor: u64,
    /// All rooms that have messages, in no particular order.
    pub rooms: Vec<RecoveredRoom>,
}

/// A room that a directory held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredRoom {
    /// Its name.
    pub name: Arc<str>,
    /// The offset that its next message has.
    pub next: u64,
    /// The messages that it keeps, at least one: their offsets have no gaps, and end before
    /// [`RecoveredRoom::next`].
    pub records: Vec<Record>,
}

/// Limits and choices.
#[derive(Clone, Debug)]
pub struct Options {
    /// What stored messages survive.
    pub survive: Survive,
    /// How many messages may wait to be written. 65,536 by default.
    pub max_waiting: usize,
    /// How many bytes of messages may wait. 64 MiB by default.
    pub max_waiting_bytes: usize,
    /// How many bytes the file may have; beyond it, messages fail as on a full disk. None by default. What has not
    /// been moved to its place (the file that ends in `-wal`) comes on top.
    pub max_file: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            survive: Survive::default(),
            max_waiting: 65_536,
            max_waiting_bytes: 64 * 1024 * 1024,
            max_file: None,
        }
    }
}

/// What a store has done, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Messages that wait to be written.
    pub waiting: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
    /// Messages stored since it was opened.
    pub stored: u64,
    /// Messages that failed.
    pub failed: u64,
    /// Transactions that stored messages.
    pub commits: u64,
}

/// What is told of messages that were stored, or failed.
pub type OnStored = Box<dyn FnMut(Vec<Outcome>) + Send>;

/// Messages on disk. Dropping it waits until all that was queued is written.
pub struct Store {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens a directory, and makes it if it is not there. `on_stored` is called on the store's thread after each
    /// transaction, with what became of its messages, in the order in which they were queued.
    ///
    /// # Errors
    ///
    /// If the directory can't be made or written, another process uses it, or what is there is damaged or not a
    /// store's. What is there is then left as it is.
    pub fn open(dir: &Path, on_stored: OnStored) -> Result<(Self, Recovered), StoreError> {
        Self::open_with(dir, &Options::default(), on_stored)
    }

    /// The same with other limits.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_with(
        dir: &Path,
        options: &Options,
        on_stored: OnStored,
    ) -> Result<(Self, Recovered), StoreError> {
        let queue = Arc::new(Queue::new(options.max_waiting, options.max_waiting_bytes));
        let (tell, told) = mpsc::sync_channel(1);
        let (dir, options, theirs) = (dir.to_owned(), options.clone(), Arc::clone(&queue));
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer::run(&dir, &options, &theirs, on_stored, &tell))
            .map_err(StoreError::Thread)?;
        let store = Self { queue, thread: Some(thread) };
        // Without an answer, the thread has panicked.
        let recovered = told.recv().unwrap_or(Err(StoreError::Stopped))?;
        Ok((store, recovered))
    }

    /// Queues a message. What becomes of it is told to `on_stored`.
    ///
    /// # Errors
    ///
    /// If too much waits already, or the store has stopped. Nothing further is told of the message.
    pub fn append(&self, record: Record) -> Result<(), Refused> {
        self.queue.append(record)
    }

    /// Stored messages of a room before this offset, at most that of its next message, need not be kept. They are
    /// gone some time later; after a crash, some may be there still. If all of them are gone, so is the room.
    pub fn trim(&self, room: &Arc<str>, keep_from: u64) {
        self.queue.trim(room, keep_from);
    }

    /// What it has done, and what waits.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.queue.stats()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            // It may be dropped by what `on_stored` holds.
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the store's thread panicked");
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
