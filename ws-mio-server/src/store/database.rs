//! The file: its tables, how it is opened, and what it holds.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::directory::{APPLICATION, Directory, PAGE, VERSION};
use super::rooms::Rooms;
use super::{Options, Record, Recovered, RecoveredRoom, StoreError, Survive};

/// Messages stand in the order in which they came, whichever their room: so what is written at a time is
/// written to one place. Where those of a room are is known in memory ([`Rooms`]). Each has a checksum, because SQLite
/// notices damage to its own structure only.
///
/// A room without messages is not kept; `floor` is one more than the highest offset of those that went. A room that
/// came again before all messages of the one before were deleted is there twice: the later one counts.
/// `running` says during which start of the machine the store was opened if it has not been closed since.
const TABLES: &str = "
    CREATE TABLE state (epoch TEXT NOT NULL, floor INTEGER NOT NULL, running TEXT) STRICT;
    CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY, room INTEGER NOT NULL, offset INTEGER NOT NULL, at INTEGER NOT NULL,
        user TEXT NOT NULL, client_id TEXT, payload BLOB NOT NULL, crc INTEGER NOT NULL
    ) STRICT;
";

pub(super) struct Database {
    pub(super) connection: Connection,
    /// How many pages the file beside has (`-wal`).
    pub(super) pages: Arc<AtomicU32>,
    pub(super) rooms: Rooms,
}

impl Database {
    /// Opens the directory's file, or makes one.
    pub(super) fn open(
        directory: &Directory,
        options: &Options,
    ) -> Result<(Self, Recovered), StoreError> {
        if !directory.has_file()? {
            directory.make_file(|path| make(path).map_err(|error| sqlite(path, &error)))?;
        }
        let path = directory.file();
        let failed = |error: rusqlite::Error| sqlite(&path, &error);
        let mut connection = connect(&path).map_err(failed)?;
        // Until it has proven whole, the file is not touched, and what waits in its `-wal` stays there.
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(keep, true).map_err(failed)?;
        let damaged = |error: rusqlite::Error| StoreError::Damaged(path.clone(), error.to_string());
        let check: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(damaged)?;
        if check != "ok" {
            let how = check.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(StoreError::Damaged(path, how));
        }
        let read = read(&connection).map_err(damaged)?;
        let (rooms, mut recovered) = read.map_err(|how| StoreError::Damaged(path.clone(), how))?;
        connection.set_db_config(keep, false).map_err(failed)?;

        recovered.epoch = start(&connection, recovered.epoch, options.survive, &path)?;
        settle(&connection, options).map_err(failed)?;
        let pages = count_pages(&mut connection).map_err(failed)?;
        Ok((Self { connection, pages, rooms }, recovered))
    }
}

/// From here on, how many pages the file beside has after each transaction.
fn count_pages(connection: &mut Connection) -> rusqlite::Result<Arc<AtomicU32>> {
    let pages = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&pages);
    connection.wal_hook(Some(move |_: &mut Wal, pages| {
        count.store(u32::try_from(pages).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(pages)
}

/// The store is closed in order, so nothing that was stored can be lost from here on.
pub(super) fn end(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA synchronous = FULL; UPDATE state SET running = NULL")
}

/// A second connection, for checkpoints.
pub(super) fn beside(path: &Path) -> Result<Connection, StoreError> {
    connect(path).map_err(|error| sqlite(path, &error))
}

/// Moves what was written to its place in the file, as far as nobody reads what it replaces. What has been moved
/// completely is overwritten by what is written next.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

fn sqlite(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (path, text) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged(path, text)
        }
        _ => StoreError::Sqlite(path, text),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Who copies the file meanwhile may hold it for a moment.
    connection.busy_timeout(Duration::from_secs(1))?;
    // When a checkpoint is due, `Checkpoints` decides. After one, the file beside is kept, since to overwrite it is
    // cheaper than to let it grow, unless it is large.
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216",
    )?;
    Ok(connection)
}

fn make(path: &Path) -> rusqlite::Result<()> {
    let connection = connect(path)?;
    connection.pragma_update(None, "page_size", PAGE)?;
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.execute_batch(TABLES)?;
    // Drawn when it is opened: see `start`.
    connection.execute("INSERT INTO state VALUES ('', 1, NULL)", [])?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.close().map_err(|(_, error)| error)
}

/// All that is there, or how it is damaged.
fn read(connection: &Connection) -> rusqlite::Result<Result<(Rooms, Recovered), String>> {
    let (epoch, floor): (String, u64) =
        connection.query_row("SELECT epoch, floor FROM state", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let epoch = match u64::from_str_radix(&epoch, 16) {
        Ok(epoch) => epoch,
        Err(_) if epoch.is_empty() => 0,
        Err(_) => return Ok(Err(format!("the epoch is {epoch:?}"))),
    };
    let mut index = Rooms::new(floor);
    let mut rooms = HashMap::new();
    let mut query = connection.prepare("SELECT id, name FROM rooms ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name) = (row.get(0)?, row.get::<_, Arc<str>>(1)?);
        index.recover_room(id, &name);
        rooms.insert(id, RecoveredRoom { name, next: 0, records: Vec::new() });
    }
    let mut query = connection.prepare(
        "SELECT seq, room, offset, at, user, client_id, payload, crc FROM messages ORDER BY seq",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, id, offset): (i64, i64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match index.recover_message(id, offset, seq) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(how) => return Ok(Err(how)),
        }
        let Some(room) = rooms.get_mut(&id) else { continue };
        let record = Record {
            room: Arc::clone(&room.name),
            offset,
            at: row.get(3)?,
            user: row.get(4)?,
            client_id: row.get(5)?,
            payload: row.get(6)?,
        };
        if record.checksum() != row.get::<_, u32>(7)? {
            let name = &room.name;
            return Ok(Err(format!("the message {offset} of {name:?} is not as it was written")));
        }
        room.next = offset.saturating_add(1);
        room.records.push(record);
    }
    if let Err(how) = index.recover_end() {
        return Ok(Err(how));
    }
    // Rooms of which all messages were to go are gone.
    let rooms = rooms.into_values().filter(|room| !room.records.is_empty()).collect();
    Ok(Ok((index, Recovered { epoch, floor, rooms })))
}

/// Notes that the store is open, and tells the epoch: that of before, or a new one if the file is new, or messages
/// may be lost, for then their ids would be given again.
fn start(
    connection: &Connection,
    epoch: u64,
    survive: Survive,
    path: &Path,
) -> Result<u64, StoreError> {
    let failed = |error: rusqlite::Error| sqlite(path, &error);
    // Where it can't be read, only ends of the process are known to leave a store unclosed.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot = boot.trim();
    let running: Option<String> =
        connection.query_row("SELECT running FROM state", [], |row| row.get(0)).map_err(failed)?;
    let lost = running.is_some_and(|running| running != boot);
    if lost {
        let path = path.display();
        tracing::warn!(%path, "the machine stopped before the store was closed: ids have a new epoch");
    }
    let epoch = if lost || epoch == 0 {
        getrandom::u64().map_err(|error| StoreError::Entropy(error.to_string()))?.max(1)
    } else {
        epoch
    };
    let running = match survive {
        Survive::ProcessEnd => Some(boot),
        Survive::PowerLoss => None,
    };
    let update = "UPDATE state SET epoch = ?1, running = ?2";
    connection.execute(update, params![format!("{epoch:016x}"), running]).map_err(failed)?;
    Ok(epoch)
}

/// From here on, as was asked for.
fn settle(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    match options.survive {
        Survive::ProcessEnd => connection.pragma_update(None, "synchronous", "normal")?,
        Survive::PowerLoss => connection.pragma_update(None, "synchronous", "full")?,
    }
    if let Some(max) = options.max_file {
        // SQLite takes no less than what there is.
        let pages = u32::try_from(max / PAGE).unwrap_or(u32::MAX).clamp(1, u32::MAX - 1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}
