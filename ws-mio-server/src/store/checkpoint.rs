//! What is written stands in a file beside at first (`-wal`). Moving it to its place waits for the disk, so a thread
//! of its own does that while messages are written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::StoreError;
use super::database;

/// When so many pages, of 4 KiB, have been written, they are moved.
const SOME: u32 = 4096;
/// While nothing else is to do, so many are worth it.
const FEW: u32 = 256;
/// The file beside is begun anew only when all of it has been moved, which does not happen while messages are
/// written all the time. When it has so many pages more than then, they must wait for that.
const MUCH: u32 = 16 * 1024;

pub(super) struct Checkpoints {
    /// How many pages the file beside has.
    pages: Arc<AtomicU32>,
    /// How many they were when the thread was asked, and when messages waited for it.
    asked: u32,
    waited: u32,
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, on a connection of its own.
    pub(super) fn start(file: &Path, pages: Arc<AtomicU32>) -> Result<Self, StoreError> {
        let (ask, asked) = sync_channel(1);
        let connection = database::beside(file)?;
        let run = move || run(&connection, &asked);
        let thread = thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(run)
            .map_err(StoreError::Thread)?;
        Ok(Self { pages, asked: 0, waited: 0, ask: Some(ask), thread: Some(thread) })
    }

    /// To be called after each transaction: tells whether the caller is to wait until all is moved.
    pub(super) fn written(&mut self) -> bool {
        let pages = self.pages();
        if pages < self.asked {
            // It was begun anew.
            (self.asked, self.waited) = (0, 0);
        }
        if pages.saturating_sub(self.waited) >= MUCH {
            (self.asked, self.waited) = (pages, pages);
            return true;
        }
        if pages.saturating_sub(self.asked) >= SOME && self.ask() {
            self.asked = pages;
        }
        false
    }

    /// Nothing is written at the moment: a good time to move all of it, if that is worth it.
    pub(super) fn rest(&self) {
        if self.pages() >= FEW {
            self.ask();
        }
    }

    /// Whether the thread will do it; it may be at it, and is asked again later.
    pub(super) fn ask(&self) -> bool {
        self.ask.as_ref().is_some_and(|ask| ask.try_send(()).is_ok())
    }

    fn pages(&self) -> u32 {
        self.pages.load(Ordering::Relaxed)
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
