//! Messages on disk: kept in order, without holes, whatever happens to the process, the file and the disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

mod hostile;
mod kept;
mod killed;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ws_mio_server::store::{
    Failure, Options, Outcome, Record, Recovered, RecoveredRoom, Store, StoreError,
};

/// How long anything may take until the test has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// A directory that goes with the test. Each has its own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ws-store-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn file(&self) -> PathBuf {
        self.0.join("history.sqlite")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A store, and what it tells.
struct Open {
    store: Store,
    recovered: Recovered,
    outcomes: Receiver<Vec<Outcome>>,
}

fn try_open(dir: &Path, options: &Options) -> Result<Open, StoreError> {
    let (send, outcomes) = channel();
    let on_stored = Box::new(move |outcomes| {
        let _ = send.send(outcomes);
    });
    let (store, recovered) = Store::open_with(dir, options, on_stored)?;
    Ok(Open { store, recovered, outcomes })
}

fn open(folder: &Folder) -> Open {
    try_open(&folder.0, &Options::default()).unwrap()
}

impl Open {
    /// What becomes of this message and all before it, in order.
    fn outcomes(&self, room: &str, offset: u64) -> Vec<Outcome> {
        let mut all = Vec::new();
        while !all
            .iter()
            .any(|outcome: &Outcome| &*outcome.room == room && outcome.offset == offset)
        {
            all.extend(self.outcomes.recv_timeout(LIMIT).unwrap());
        }
        all
    }

    /// Waits until so many messages are stored or have failed, and that has been told.
    fn settle(&self, messages: u64) {
        let done = || {
            let stats = self.store.stats();
            stats.stored + stats.failed
        };
        while done() < messages {
            self.outcomes.recv_timeout(LIMIT).unwrap();
        }
    }

    /// Returns when the store has gone on from what it told of last: only then is a message of a room that failed
    /// not taken for one that was queued behind the failure.
    fn pass(&self) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let room = format!("pass {}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.fill(&room, 1..=1);
        self.store.trim(&name(&room), 2);
    }

    /// Stores messages of a room, one by one if need be.
    fn fill(&self, room: &str, offsets: impl IntoIterator<Item = u64>) {
        for offset in offsets {
            self.store.append(record(room, offset)).unwrap();
            let outcome = self.outcomes(room, offset).pop().unwrap();
            assert_eq!(outcome.result, Ok(()), "{room} {offset}");
        }
    }

    fn room(&self, name: &str) -> &RecoveredRoom {
        self.recovered.rooms.iter().find(|room| &*room.name == name).unwrap()
    }

    fn offsets(&self, name: &str) -> Vec<u64> {
        self.room(name).records.iter().map(|record| record.offset).collect()
    }
}

/// A message that can be told from all others.
fn record(room: &str, offset: u64) -> Record {
    Record {
        room: room.into(),
        offset,
        at: 1_700_000_000_000 + offset,
        user: format!("user {}", offset % 7).into(),
        client_id: offset.is_multiple_of(2).then(|| format!("client {offset}").into()),
        payload: format!("{room}, {offset}: 안녕 \0 {}", "x".repeat((offset % 100) as usize))
            .into_bytes()
            .into(),
    }
}

fn name(name: &str) -> Arc<str> {
    name.into()
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}
