//! What is written stands in a file beside at first (`-wal`). Moving it to its place waits for the disk, so a thread
//! of its own does that while messages are written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::StoreError;
use super::database;

/// When so many bytes have been written, they are moved.
const SOME: u64 = 4 * 1024 * 1024;
/// While nothing else is to do, so many are worth it.
const FEW: u64 = 1024 * 1024;
/// The file beside is begun anew only when all of it has been moved, which does not happen while messages are
/// written all the time. When it has so many bytes more than then, they must wait for that.
const MUCH: u64 = 64 * 1024 * 1024;

pub(super) struct Checkpoints {
    wal: PathBuf,
    /// How large the file was when the thread was asked, and when messages waited for it.
    asked: u64,
    waited: u64,
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, on a connection of its own.
    pub(super) fn start(file: &Path, wal: PathBuf) -> Result<Self, StoreError> {
        let (ask, asked) = sync_channel(1);
        let connection = database::beside(file)?;
        let run = move || run(&connection, &asked);
        let thread = thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(run)
            .map_err(StoreError::Thread)?;
        Ok(Self { wal, asked: 0, waited: 0, ask: Some(ask), thread: Some(thread) })
    }

    /// To be called after each transaction: tells whether the caller is to wait until all is moved.
    pub(super) fn written(&mut self) -> bool {
        let len = self.len();
        if len < self.asked {
            // It was begun anew.
            (self.asked, self.waited) = (0, 0);
        }
        if len.saturating_sub(self.waited) >= MUCH {
            (self.asked, self.waited) = (len, len);
            return true;
        }
        if len.saturating_sub(self.asked) >= SOME && self.ask() {
            self.asked = len;
        }
        false
    }

    /// Nothing is written at the moment: a good time to move all of it, if that is worth it.
    pub(super) fn rest(&self) {
        if self.len() >= FEW {
            self.ask();
        }
    }

    /// Whether the thread will do it; it may be at it, and is asked again later.
    pub(super) fn ask(&self) -> bool {
        self.ask.as_ref().is_some_and(|ask| ask.try_send(()).is_ok())
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.wal).map_or(0, |wal| wal.len())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of checkpoints panicked");
        }
    }
}

fn run(connection: &rusqlite::Connection, asked: &Receiver<()>) {
    while asked.recv() == Ok(()) {
        if let Err(error) = database::checkpoint(connection) {
            // Whoever writes fails too if it lasts, and tells.
            tracing::debug!(%error, "no checkpoint");
        }
    }
}
