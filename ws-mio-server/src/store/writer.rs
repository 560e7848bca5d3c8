//! The store's thread: takes what waits, writes it in one transaction, tells, and tidies up when nothing waits.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::database::{self, Database};
use super::directory::Directory;
use super::queue::{Queue, Work};
use super::rooms::{Rooms, Trim};
use super::statements::Statements;
use super::{Failure, OnStored, Options, Outcome, Record, Recovered, StoreError};

/// After so long without messages, there is time to tidy up.
const IDLE: Duration = Duration::from_millis(100);
/// When tidying up has failed, it is tried again after so long.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// So many messages are deleted at a time when nothing else is to do, which takes a millisecond or two.
const STEP: usize = 256;
/// With fewer messages than this in a transaction there is time to trim rooms that have few to go.
const CALM: usize = 64;

/// Runs until the queue is closed and empty. `tell` gets what was recovered, or why the directory can't be opened.
pub(super) fn run(
    dir: &Path,
    options: &Options,
    queue: &Queue,
    on_stored: OnStored,
    tell: &SyncSender<Result<Recovered, StoreError>>,
) {
    let _gone = Gone(queue);
    let opened = Directory::lock(dir)
        .and_then(|directory| Ok((Database::open(&directory, options)?, directory)));
    // The lock is held until the database is closed.
    let (Database { connection, rooms }, _directory) = match opened {
        Ok(((database, recovered), directory)) => {
            if tell.send(Ok(recovered)).is_err() {
                return;
            }
            (database, directory)
        }
        Err(error) => {
            // Whoever asked has panicked if nobody hears it.
            let _ = tell.send(Err(error));
            return;
        }
    };
    match Statements::prepare(&connection) {
        Ok(statements) => {
            let (failing, upkeep, unsettled) = (false, Upkeep::Due, UNSETTLED);
            Writer { statements, rooms, queue, on_stored, failing, upkeep, unsettled }.run();
        }
        Err(error) => tracing::error!(%error, "the store stops"),
    }
    close(connection);
}

fn close(connection: Connection) {
    let ended = database::end(&connection);
    let closed = connection.close().map_err(|(_, error)| error);
    if let Err(error) = ended.and(closed) {
        tracing::warn!(%error, "the store was not closed in order");
    }
}

/// After so many messages were written or deleted, what was written is moved to its place when nothing else is to
/// do; else SQLite does so now and then.
const UNSETTLED: usize = 1000;

/// However the thread ends, nobody waits for it.
struct Gone<'q>(&'q Queue);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Whether there is something to tidy up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upkeep {
    /// When nothing has come for a while.
    Due,
    /// At once, unless something comes.
    Begun,
    Failed,
    Done,
}

struct Writer<'c> {
    statements: Statements<'c>,
    rooms: Rooms,
    queue: &'c Queue,
    on_stored: OnStored,
    /// Whether the last transaction failed.
    failing: bool,
    upkeep: Upkeep,
    /// How many messages were written or deleted since all was moved to its place.
    unsettled: usize,
}

impl Writer<'_> {
    fn run(mut self) {
        loop {
            let patience = match self.upkeep {
                Upkeep::Due => Some(IDLE),
                Upkeep::Begun => Some(Duration::ZERO),
                Upkeep::Failed => Some(AFTER_FAILURE),
                Upkeep::Done => None,
            };
            let (work, trims) = self.queue.take(patience);
            match work {
                Work::Append(records) => {
                    let written = self.append(records);
                    self.trim(trims);
                    if !written {
                        // What is to go may have made it fail by its size, and is in nobody's way now.
                        self.tidy();
                    }
                    self.upkeep = Upkeep::Due;
                    continue;
                }
                Work::Forget(room) => {
                    self.forget(&room);
                    self.upkeep = Upkeep::Due;
                }
                Work::Idle if patience.is_some() => self.tidy(),
                Work::Idle => self.upkeep = Upkeep::Due,
                Work::End => {
                    self.trim(trims);
                    break;
                }
            }
            self.trim(trims);
        }
        while self.rooms.is_stale() && self.upkeep != Upkeep::Failed {
            self.tidy();
        }
    }

    fn trim(&mut self, trims: HashMap<Arc<str>, u64>) {
        for (room, keep_from) in trims {
            self.rooms.trim(&room, keep_from);
        }
        if self.rooms.is_stale() && self.upkeep == Upkeep::Done {
            self.upkeep = Upkeep::Due;
        }
    }

    /// Writes messages, and deletes about as many as they are, so that those to go do not become more and more.
    /// Tells whether it could.
    fn append(&mut self, records: Vec<Record>) -> bool {
        let calm = records.len() < CALM;
        let trims = self.rooms.stale(records.len().saturating_mul(2).max(CALM), !calm);
        let mut outcomes: Vec<_> = records
            .iter()
            .map(|record| Outcome {
                room: Arc::clone(&record.room),
                offset: record.offset,
                result: Ok(()),
            })
            .collect();
        let written = self.write(&records, &mut outcomes, &trims);
        self.unsettled = self.unsettled.saturating_add(records.len());
        drop(records);
        match &written {
            Ok(()) => self.rooms.added(),
            Err(error) => {
                self.statements.rollback();
                self.rooms.not_added();
                let failure = failure(error);
                for outcome in outcomes.iter_mut().filter(|outcome| outcome.result.is_ok()) {
                    outcome.result = Err(failure.clone());
                }
            }
        }
        self.rooms.trimmed(trims, written.is_ok());
        self.tell_of(written.as_ref().err());
        let stored = outcomes.iter().filter(|outcome| outcome.result.is_ok()).count();
        let failed = outcomes.len().saturating_sub(stored);
        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
        self.queue.count(count(stored), count(failed));
        (self.on_stored)(outcomes);
        written.is_ok()
    }

    fn write(
        &mut self,
        records: &[Record],
        outcomes: &mut [Outcome],
        trims: &[Trim],
    ) -> rusqlite::Result<()> {
        self.statements.begin()?;
        for (record, outcome) in records.iter().zip(outcomes) {
            if i64::try_from(record.at).is_err() {
                outcome.result = Err(Failure::OutOfRange);
                continue;
            }
            match self.rooms.add(&record.room, record.offset) {
                Ok(place) => {
                    if place.new {
                        self.statements.insert_room(place.room, &record.room, record.offset)?;
                    }
                    self.statements.insert(place.row, place.room, record)?;
                }
                Err(failure) => outcome.result = Err(failure),
            }
        }
        self.delete(trims)?;
        self.statements.commit()
    }

    fn delete(&mut self, trims: &[Trim]) -> rusqlite::Result<()> {
        for trim in trims {
            for row in &trim.rows {
                self.statements.delete(*row)?;
            }
            if let Some(next) = trim.emptied {
                self.statements.set_next(trim.id, next)?;
            }
        }
        Ok(())
    }

    fn forget(&mut self, name: &str) {
        let Some(room) = self.rooms.forget(name) else { return };
        let gone = self.transaction(|this| {
            for row in &room.rows {
                this.statements.delete(*row)?;
            }
            this.statements.delete_room(room.id)?;
            this.statements.set_floor(room.floor)
        });
        if gone {
            self.rooms.forgotten(name, room.floor);
        }
    }

    /// One step of what can be done at any time.
    fn tidy(&mut self) {
        let trims = self.rooms.stale(STEP, false);
        if trims.is_empty() {
            self.upkeep = self.settle().unwrap_or_else(|error| {
                self.tell_of(Some(&error));
                Upkeep::Failed
            });
            return;
        }
        let gone = self.transaction(|this| this.delete(&trims));
        self.unsettled = self.unsettled.saturating_add(STEP);
        self.rooms.trimmed(trims, gone);
        self.upkeep = if gone { Upkeep::Begun } else { Upkeep::Failed };
    }

    /// Nothing is to go: makes the file smaller, if that is worth it.
    fn settle(&mut self) -> rusqlite::Result<Upkeep> {
        if self.statements.vacuum()? {
            self.unsettled = UNSETTLED;
            return Ok(Upkeep::Begun);
        }
        if self.unsettled >= UNSETTLED {
            self.statements.checkpoint()?;
            self.unsettled = 0;
        }
        Ok(Upkeep::Done)
    }

    /// Whether it is done.
    fn transaction(&mut self, work: impl FnOnce(&mut Self) -> rusqlite::Result<()>) -> bool {
        let begun = self.statements.begin();
        let done = begun.and_then(|()| work(self)).and_then(|()| self.statements.commit());
        if done.is_err() {
            self.statements.rollback();
        }
        self.tell_of(done.as_ref().err());
        done.is_ok()
    }

    /// Says once that it fails, and once that it works again.
    fn tell_of(&mut self, error: Option<&rusqlite::Error>) {
        match error {
            Some(error) if !self.failing => tracing::error!(%error, "messages can't be stored"),
            None if self.failing => tracing::info!("messages are stored again"),
            _ => {}
        }
        self.failing = error.is_some();
    }
}

fn failure(error: &rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Failure::Full,
        _ => Failure::Sqlite(error.to_string().into()),
    }
}
