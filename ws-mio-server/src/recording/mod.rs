//! What connections say, kept in files, to be looked at and replayed later: see `RECORDING.md`.

mod line;
mod redact;
#[cfg(feature = "_settings")]
pub mod replay;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, IoSlice, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ws_proto::deflate::Agreement;

use crate::clock;
use line::Line;
use redact::Redactor;

/// The first line of each file.
const TITLE: &str = "ws-mio-server recording 1\n";

/// Where connections are recorded, and how much of them.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) directory: PathBuf,
    /// The most bytes of a file.
    pub(crate) each: u64,
    /// The most bytes of all files in the directory.
    pub(crate) all: u64,
}

/// Records the connections of a server.
#[derive(Debug)]
pub(crate) struct Recorder {
    wish: Wish,
    /// When it was made, in seconds since 1970: files of different runs have different names.
    since: u64,
    begun: AtomicU64,
    written: AtomicU64,
    /// Whether it was told that no more can be written.
    is_told: AtomicBool,
}

impl Recorder {
    /// Makes the directory, if there is none. What is in it counts.
    pub(crate) fn new(wish: Wish) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&wish.directory)?;
        let mut written: u64 = 0;
        for file in fs::read_dir(&wish.directory)? {
            written = written.saturating_add(file?.metadata()?.len());
        }
        let (begun, is_told) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { wish, since: clock::unix_time(), begun, written: written.into(), is_told })
    }

    /// A connection was accepted at this time.
    pub(crate) fn begin(self: &Arc<Self>, turn: Duration) -> Option<Box<Recording>> {
        if self.written.load(Ordering::Relaxed) >= self.wish.all {
            self.tell("the limit for all is reached");
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let file = self.wish.directory.join(format!("{}-{number:06}.rec", self.since));
        Some(Box::new(Recording {
            recorder: Arc::clone(self),
            file,
            begun: turn,
            redactor: Some(Redactor::default()),
            came: None,
            end: None,
            lines: TITLE.to_owned(),
            written: 0,
            is_over: false,
        }))
    }

    fn tell(&self, why: &str) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            let directory = self.wish.directory.display();
            tracing::warn!("no more is recorded in {directory}: {why}");
        }
    }
}

/// The recording of one connection.
#[derive(Debug)]
pub(crate) struct Recording {
    recorder: Arc<Recorder>,
    file: PathBuf,
    /// When the connection was accepted.
    begun: Duration,
    /// What takes out secrets, until a WebSocket is open.
    redactor: Option<Redactor>,
    /// What has come and was not looked at, for only the session knows what of it are frames.
    came: Option<Vec<u8>>,
    /// Whether the peer's bytes have ended behind that, and for which reason.
    end: Option<Option<String>>,
    /// What is not in the file.
    lines: String,
    /// How many bytes are.
    written: u64,
    /// Whether nothing more is kept.
    is_over: bool,
}

impl Recording {
    /// One read has come to these bytes.
    pub(crate) fn came(&mut self, bytes: &[u8]) {
        if !self.is_over && !bytes.is_empty() {
            self.came.get_or_insert_default().extend_from_slice(bytes);
        }
    }

    /// A WebSocket was opened, by a head of so many bytes; `behind` of those that have come last are frames.
    pub(crate) fn opened(
        &mut self,
        head: usize,
        behind: usize,
        max_message: u64,
        deflate: Option<Agreement>,
        now: Duration,
    ) {
        let came = self.came.take().unwrap_or_default();
        let Some((request, frames)) =
            came.len().checked_sub(behind).and_then(|at| came.split_at_checked(at))
        else {
            self.say(now, Line::Lost);
            self.is_over = true;
            return;
        };
        self.came = Some(request.to_vec()).filter(|bytes| !bytes.is_empty());
        self.settle(now);
        self.redactor = None;
        self.say(now, Line::WebSocket { head, max_message, deflate });
        self.came = Some(frames.to_vec()).filter(|bytes| !bytes.is_empty());
    }

    /// The first `n` bytes of these went out.
    pub(crate) fn sent(&mut self, slices: &[IoSlice<'_>], n: usize, now: Duration) {
        let bytes = slices.iter().flat_map(|slice| slice.iter()).take(n).copied();
        self.say(now, Line::Sent(&bytes.collect::<Vec<_>>()));
    }

    /// The peer's bytes have ended: by themselves, or for this reason.
    pub(crate) fn ended(&mut self, why: Option<&io::Error>) {
        self.end = Some(why.map(ToString::to_string));
    }

    /// The connection is gone.
    pub(crate) fn closed(&mut self, now: Duration) {
        self.settle(now);
        self.say(now, Line::Closed);
        self.write(now);
    }

    /// What has come is known to be of a request, or of a WebSocket.
    pub(crate) fn settle(&mut self, now: Duration) {
        if let Some(mut came) = self.came.take() {
            if let Some(redactor) = &mut self.redactor {
                redactor.redact(&mut came);
            }
            self.say(now, Line::Came(&came));
        }
        match self.end.take() {
            None => {}
            Some(None) => self.say(now, Line::Eof),
            Some(Some(reason)) => self.say(now, Line::Broken(&reason)),
        }
    }

    fn say(&mut self, now: Duration, line: Line<'_>) {
        if !self.is_over {
            line.write(now.saturating_sub(self.begun), &mut self.lines);
        }
    }

    /// Appends to the file what is new, as far as there is room. It is open for that alone: descriptors are for
    /// connections.
    pub(crate) fn write(&mut self, now: Duration) {
        self.settle(now);
        if self.lines.is_empty() {
            return;
        }
        let mut lines = std::mem::take(&mut self.lines);
        let new = len(&lines);
        let (recorder, each) = (Arc::clone(&self.recorder), self.recorder.wish.each);
        let all = recorder.written.fetch_add(new, Ordering::Relaxed).saturating_add(new);
        if self.written.saturating_add(new) > each || all > recorder.wish.all {
            recorder.written.fetch_sub(new, Ordering::Relaxed);
            self.is_over = true;
            lines.clear();
            Line::Full.write(now.saturating_sub(self.begun), &mut lines);
            recorder.written.fetch_add(len(&lines), Ordering::Relaxed);
        }
        self.written = self.written.saturating_add(len(&lines));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.file);
        if let Err(error) = file.and_then(|mut file| file.write_all(lines.as_bytes())) {
            self.is_over = true;
            recorder.tell(&format!("{}: {error}", self.file.display()));
        }
    }
}

fn len(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
