//! The store's thread: takes what waits, writes it in one transaction, tells, and tidies up when nothing waits.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::checkpoint::Checkpoints;
use super::database::{self, Database};
use super::directory::Directory;
use super::queue::{Queue, Work};
use super::rooms::{Place, Rooms, Trim};
use super::statements::Statements;
use super::{Failure, OnStored, Options, Outcome, Record, Recovered, StoreError};

/// After so long without messages, there is time to tidy up.
const IDLE: Duration = Duration::from_millis(100);
/// When tidying up has failed, it is tried again after so long.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// So many messages are deleted at a time when nothing else is to do, which takes a millisecond.
const STEP: usize = 512;
/// While messages are written, so many are not deleted though they are to go. Of many, those that stand together
/// can be chosen, and to delete these takes little more than to delete one.
const SPARE: usize = 8192;

/// The rooms that have no messages any more, and the floor then.
type Emptied = (Vec<i64>, u64);

/// Runs until the queue is closed and empty. `tell` gets what was recovered, or why the directory can't be opened.
pub(super) fn run(
    dir: &Path,
    options: &Options,
    queue: &Queue,
    on_stored: OnStored,
    tell: &SyncSender<Result<Recovered, StoreError>>,
) {
    let _gone = Gone(queue);
    let opened = Directory::lock(dir).and_then(|directory| {
        let (database, recovered) = Database::open(&directory, options)?;
        let checkpoints = Checkpoints::start(&directory.file(), Arc::clone(&database.pages))?;
        Ok((directory, database, checkpoints, recovered))
    });
    // The lock is held until the database is closed.
    let (_directory, Database { connection, rooms, .. }, checkpoints) = match opened {
        Ok((directory, database, checkpoints, recovered)) => {
            if tell.send(Ok(recovered)).is_err() {
                return;
            }
            (directory, database, checkpoints)
        }
        Err(error) => {
            // Whoever asked has panicked if nobody hears it.
            let _ = tell.send(Err(error));
            return;
        }
    };
    match Statements::prepare(&connection) {
        Ok(statements) => {
            let writer = Writer {
                connection: &connection,
                statements,
                checkpoints,
                rooms,
                queue,
                on_stored,
                failing: false,
                behind: false,
                vacuumed: false,
                upkeep: Upkeep::Due,
                failed: HashMap::new(),
            };
            writer.run();
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
    connection: &'c Connection,
    checkpoints: Checkpoints,
    statements: Statements<'c>,
    rooms: Rooms,
    queue: &'c Queue,
    on_stored: OnStored,
    /// Whether the last transaction failed.
    failing: bool,
    /// Whether messages are deleted while others are written.
    behind: bool,
    /// Whether the file is to become smaller.
    vacuumed: bool,
    upkeep: Upkeep,
    /// Rooms of which a message failed: why, and how many messages had been queued when that was told. Those of
    /// the room among them fail, too.
    failed: HashMap<Arc<str>, (Failure, u64)>,
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
                Work::Append(records, first) => {
                    self.trim(trims);
                    if !self.append(records, first) {
                        // What is to go may have made it fail by its size, and is in nobody's way now.
                        self.tidy();
                    }
                    self.upkeep = Upkeep::Due;
                }
                Work::Idle => {
                    self.trim(trims);
                    if patience.is_some() {
                        self.tidy();
                    } else {
                        self.upkeep = Upkeep::Due;
                    }
                }
                Work::End => {
                    self.trim(trims);
                    break;
                }
            }
        }
        while self.rooms.stale() > 0 && self.upkeep != Upkeep::Failed {
            self.tidy();
        }
    }

    fn trim(&mut self, trims: HashMap<Arc<str>, u64>) {
        for (room, keep_from) in trims {
            self.rooms.trim(&room, keep_from);
        }
    }

    /// Writes messages, and deletes others, so that those to go do not become more and more. Tells whether it could.
    fn append(&mut self, records: Vec<Record>, first: u64) -> bool {
        self.failed.retain(|_, (_, until)| *until > first);
        let due = self.due(records.len());
        let trim = self.rooms.take_stale(due);
        let mut outcomes: Vec<_> = records
            .iter()
            .map(|record| Outcome {
                room: Arc::clone(&record.room),
                offset: record.offset,
                result: Ok(()),
            })
            .collect();
        let written = self.write(&records, first, &mut outcomes, &trim);
        drop(records);
        match &written {
            Ok((emptied, floor)) => {
                self.rooms.added();
                self.rooms.trimmed(&trim, emptied, *floor);
            }
            Err(error) => {
                self.statements.rollback();
                self.rooms.not_added();
                self.rooms.not_trimmed(trim);
                let failure = failure(error);
                for (outcome, number) in outcomes.iter_mut().zip(first..) {
                    if outcome.result.is_ok() {
                        outcome.result = Err(self.fail(&outcome.room, number, failure.clone()));
                    }
                }
            }
        }
        self.tell_of(written.as_ref().err());
        self.report(outcomes);
        self.written();
        written.is_ok()
    }

    fn report(&mut self, outcomes: Vec<Outcome>) {
        let failed = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let stored = outcomes.len().saturating_sub(failed);
        self.queue.count(count(stored), count(failed));
        (self.on_stored)(outcomes);
        if failed > 0 {
            // Whoever queues a message after this knows of the failure.
            let end = self.queue.end();
            for (_, until) in self.failed.values_mut() {
                *until = end.min(*until);
            }
        }
    }

    /// A message of the room failed, and those queued behind it are to. Tells why.
    fn fail(&mut self, room: &Arc<str>, number: u64, failure: Failure) -> Failure {
        let failed = self.failed.entry(Arc::clone(room)).or_insert_with(|| (failure.clone(), 0));
        if number >= failed.1 {
            // How many they are is known when it has been told.
            *failed = (failure, u64::MAX);
        }
        failed.0.clone()
    }

    fn write(
        &mut self,
        records: &[Record],
        first: u64,
        outcomes: &mut [Outcome],
        trim: &Trim,
    ) -> rusqlite::Result<Emptied> {
        self.statements.begin()?;
        for ((record, outcome), number) in records.iter().zip(outcomes).zip(first..) {
            match self.place(record, number) {
                Ok(place) => {
                    if place.new {
                        self.statements.insert_room(place.room, &record.room)?;
                    }
                    self.statements.insert(place.row, place.room, record)?;
                }
                Err(failure) => {
                    outcome.result = Err(self.fail(&record.room, number, failure));
                }
            }
        }
        let emptied = self.delete(trim)?;
        self.statements.commit()?;
        Ok(emptied)
    }

    fn place(&mut self, record: &Record, number: u64) -> Result<Place, Failure> {
        if let Some((failure, until)) = self.failed.get(&record.room)
            && number < *until
        {
            return Err(failure.clone());
        }
        if i64::try_from(record.at).is_err() {
            return Err(Failure::OutOfRange);
        }
        self.rooms.add(&record.room, record.offset)
    }

    /// Deletes messages, and rooms that have no others, which it tells.
    fn delete(&mut self, trim: &Trim) -> rusqlite::Result<Emptied> {
        for row in trim.rows() {
            self.statements.delete(row)?;
        }
        let (rooms, floor) = self.rooms.emptied(trim);
        for room in &rooms {
            self.statements.delete_room(*room)?;
        }
        if !rooms.is_empty() {
            self.statements.set_floor(floor)?;
        }
        Ok((rooms, floor))
    }

    /// Deletes messages in a transaction of their own. Tells whether they are gone.
    fn remove(&mut self, trim: Trim) -> bool {
        let removed = self.statements.begin().and_then(|()| self.delete(&trim));
        let removed = removed.and_then(|emptied| self.statements.commit().map(|()| emptied));
        self.tell_of(removed.as_ref().err());
        if let Ok((emptied, floor)) = removed {
            self.rooms.trimmed(&trim, &emptied, floor);
            self.written();
            true
        } else {
            self.statements.rollback();
            self.rooms.not_trimmed(trim);
            false
        }
    }

    /// How many messages are to be deleted along with so many that are written.
    fn due(&mut self, records: usize) -> usize {
        let stale = self.rooms.stale();
        self.behind = stale > if self.behind { SPARE } else { SPARE.saturating_mul(2) };
        match self.behind {
            true => records.saturating_mul(2).max(STEP),
            false => 0,
        }
    }

    /// One step of what can be done at any time.
    fn tidy(&mut self) {
        let trim = self.rooms.take_stale(STEP);
        if trim.len() > 0 {
            self.upkeep = if self.remove(trim) { Upkeep::Begun } else { Upkeep::Failed };
            return;
        }
        self.upkeep = self.settle().unwrap_or_else(|error| {
            self.tell_of(Some(&error));
            Upkeep::Failed
        });
    }

    /// A transaction is done, and has been told of.
    fn written(&mut self) {
        if self.checkpoints.written()
            && let Err(error) = database::checkpoint(self.connection)
        {
            tracing::debug!(%error, "no checkpoint");
        }
    }

    /// Nothing is to go: makes the file smaller, if that is worth it.
    fn settle(&mut self) -> rusqlite::Result<Upkeep> {
        if self.statements.vacuum()? {
            self.vacuumed = true;
            self.written();
            return Ok(Upkeep::Begun);
        }
        if std::mem::take(&mut self.vacuumed) {
            // The file becomes smaller when that has been moved to its place.
            self.checkpoints.ask();
        }
        self.checkpoints.rest();
        Ok(Upkeep::Done)
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
