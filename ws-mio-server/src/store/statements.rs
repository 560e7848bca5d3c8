//! What is said to SQLite while messages are written.

use rusqlite::{Connection, Result, Statement, params};

use super::Record;

pub(super) struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    insert: Statement<'c>,
    delete: Statement<'c>,
    insert_room: Statement<'c>,
    delete_room: Statement<'c>,
    set_floor: Statement<'c>,
    pages: Statement<'c>,
    vacuum: Statement<'c>,
}

/// So many pages, of 4 KiB, are given back to the file system at a time. SQLite searches for each.
const VACUUM: u32 = 16;
/// Fewer free pages than these are not worth it.
const FEW: u32 = 64;

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self> {
        let vacuum = format!("PRAGMA incremental_vacuum({VACUUM})");
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            insert: connection
                .prepare("INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?,
            delete: connection.prepare("DELETE FROM messages WHERE seq = ?1")?,
            insert_room: connection.prepare("INSERT INTO rooms VALUES (?1, ?2)")?,
            delete_room: connection.prepare("DELETE FROM rooms WHERE id = ?1")?,
            set_floor: connection.prepare("UPDATE state SET floor = max(floor, ?1)")?,
            pages: connection.prepare(
                "SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count",
            )?,
            vacuum: connection.prepare(&vacuum)?,
        })
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        self.begin.execute([]).map(drop)
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        self.commit.execute([]).map(drop)
    }

    /// After some errors, SQLite has rolled back by itself.
    pub(super) fn rollback(&mut self) {
        if let Err(error) = self.rollback.execute([]) {
            tracing::debug!(%error, "nothing to roll back");
        }
    }

    pub(super) fn insert(&mut self, seq: i64, room: i64, record: &Record) -> Result<()> {
        let Record { offset, at, user, client_id, payload, .. } = record;
        let (user, client_id, payload) = (&**user, client_id.as_deref(), &**payload);
        let crc = record.checksum();
        let values = params![seq, room, offset, at, user, client_id, payload, crc];
        self.insert.execute(values).map(drop)
    }

    pub(super) fn delete(&mut self, seq: i64) -> Result<()> {
        self.delete.execute([seq]).map(drop)
    }

    pub(super) fn insert_room(&mut self, id: i64, name: &str) -> Result<()> {
        self.insert_room.execute(params![id, name]).map(drop)
    }

    pub(super) fn delete_room(&mut self, id: i64) -> Result<()> {
        self.delete_room.execute([id]).map(drop)
    }

    pub(super) fn set_floor(&mut self, floor: u64) -> Result<()> {
        self.set_floor.execute([floor]).map(drop)
    }

    /// Gives some of the file back if much of it is free. Tells whether it did.
    pub(super) fn vacuum(&mut self) -> Result<bool> {
        let (free, all): (u32, u32) =
            self.pages.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // What is free is needed again soon, unless it is much.
        if free < FEW || free < all / 4 {
            return Ok(false);
        }
        let mut rows = self.vacuum.query([])?;
        while rows.next()?.is_some() {}
        Ok(true)
    }
}
