//! The log: lines on standard error, which a thread of its own writes, so that nobody who is slow to take
//! them holds up an event loop.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};
use ws_mio_server::settings::{LogFormat, LogLevel, Settings};

/// How many lines wait to be written; beyond, lines are dropped and counted.
const WAITING: usize = 4096;
/// How long the end of the program waits for lines to be written.
const PATIENCE: Duration = Duration::from_secs(1);

enum Item {
    Line(Vec<u8>),
    /// All lines are written.
    End,
}

/// Where lines go.
#[derive(Clone)]
struct Lines {
    send: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

/// When it is dropped, the lines that wait are written.
pub(crate) struct Log {
    lines: Lines,
    ended: Receiver<()>,
    level: Level,
}

/// What the log tells at least, while the server runs.
#[derive(Clone, Debug)]
pub(crate) struct Level(reload::Handle<LevelFilter, Registry>);

impl Level {
    /// Tells what the settings say from here on.
    pub(crate) fn set(&self, settings: &Settings) {
        if let Err(error) = self.0.reload(filter(settings)) {
            tracing::error!(%error, "the log tells what it told before");
        }
    }
}

fn filter(settings: &Settings) -> LevelFilter {
    match settings.log_level() {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

impl Log {
    pub(crate) fn level(&self) -> Level {
        self.level.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // If nobody takes lines, nobody is waited for.
        if self.lines.send.try_send(Item::End).is_ok() {
            let _ = self.ended.recv_timeout(PATIENCE);
        }
    }
}

/// Starts to log what happens, as the settings say.
pub(crate) fn start(settings: &Settings) -> io::Result<Log> {
    let (send, items) = sync_channel(WAITING);
    let (told, ended) = sync_channel(1);
    let lines = Lines { send, dropped: Arc::default() };
    let dropped = Arc::clone(&lines.dropped);
    thread::Builder::new().name("log".to_owned()).spawn(move || {
        write(&items, &dropped);
        // Nobody waits for it any more.
        let _ = told.try_send(());
    })?;
    let (level, handle) = reload::Layer::new(filter(settings));
    let log = tracing_subscriber::registry().with(level);
    let format = fmt::layer().with_writer(lines.clone()).with_target(false);
    let colours = io::stderr().is_terminal();
    match settings.log_format() {
        LogFormat::Human => log.with(format.with_ansi(colours)).init(),
        LogFormat::Json => log.with(format.json().flatten_event(true)).init(),
    }
    Ok(Log { lines, ended, level: Level(handle) })
}

/// Writes lines until the end.
fn write(items: &Receiver<Item>, dropped: &AtomicU64) {
    let mut out = io::stderr();
    while let Ok(Item::Line(line)) = items.recv() {
        // Where standard error is closed, nobody can be told.
        let _ = out.write_all(&line);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                lost,
                "the log is not taken as fast as it is written: lines were dropped"
            );
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &Lines {
    /// Takes a whole line, for that is what is written at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.send.try_send(Item::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
