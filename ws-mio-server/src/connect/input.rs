//! What the user says: lines or bytes of standard input, and signals, from threads of their own.

use std::io::{self, BufRead as _, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use mio::Waker;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How many pieces of input wait for the connection; the rest stays in the pipe.
const WAITING: usize = 16;
/// The most bytes of input that are one message when it is taken as it comes.
const CHUNK: usize = 64 * 1024;
/// The longest line, in bytes.
const LINE: u64 = 64 * 1024 * 1024;

/// A piece of input.
#[derive(Debug)]
pub(super) enum Piece {
    /// A line, without its end.
    Line(Vec<u8>),
    /// Bytes as they came.
    Bytes(Vec<u8>),
    /// Input can't be read, or a line is too long.
    Failed(String),
}

/// How input is cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Lines,
    Chunks,
}

/// What the user says. It ends when the sender of pieces is gone.
pub(super) struct Input {
    pub(super) pieces: Receiver<Piece>,
    /// Whether the user wants to stop.
    pub(super) interrupted: Arc<AtomicBool>,
    /// Whether a connection is open, which is closed before the program stops.
    pub(super) open: Arc<AtomicBool>,
}

impl Input {
    /// Input that was there before, as lines; nothing is read.
    pub(super) fn given(lines: &[String], waker: Waker) -> io::Result<Self> {
        let (send, pieces) = sync_channel(lines.len());
        for line in lines {
            // There is room for all of them.
            let _ = send.try_send(Piece::Line(line.clone().into_bytes()));
        }
        Self::with(pieces, Arc::new(waker))
    }

    /// Reads standard input.
    pub(super) fn read(cut: Cut, waker: Waker) -> io::Result<Self> {
        let (send, pieces) = sync_channel(WAITING);
        let waker = Arc::new(waker);
        let woken = Arc::clone(&waker);
        thread::Builder::new().name("input".to_owned()).spawn(move || {
            if let Err(error) = pass_on(cut, &send, &woken) {
                let _ = send.send(Piece::Failed(format!("standard input: {error}")));
            }
            drop(send);
            // If it fails, the main thread is gone.
            let _ = woken.wake();
        })?;
        Self::with(pieces, waker)
    }

    fn with(pieces: Receiver<Piece>, waker: Arc<Waker>) -> io::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let open = Arc::new(AtomicBool::new(false));
        let (told, is_open) = (Arc::clone(&interrupted), Arc::clone(&open));
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                if told.swap(true, Ordering::SeqCst) || !is_open.load(Ordering::SeqCst) {
                    std::process::exit(signal.saturating_add(128));
                }
                let _ = waker.wake();
            }
        })?;
        Ok(Self { pieces, interrupted, open })
    }
}

/// Passes on input until it ends, or nobody wants it.
fn pass_on(cut: Cut, send: &SyncSender<Piece>, waker: &Waker) -> io::Result<()> {
    let mut input = io::stdin().lock();
    loop {
        let mut bytes = Vec::new();
        let piece = match cut {
            Cut::Lines => {
                if input.by_ref().take(LINE).read_until(b'\n', &mut bytes)? == 0 {
                    return Ok(());
                }
                if bytes.last() == Some(&b'\n') {
                    bytes.pop();
                    bytes.pop_if(|last| *last == b'\r');
                } else if u64::try_from(bytes.len()).is_ok_and(|len| len >= LINE) {
                    return Err(io::Error::other(format!("a line is longer than {LINE} bytes")));
                }
                Piece::Line(bytes)
            }
            Cut::Chunks => {
                bytes.resize(CHUNK, 0);
                let n = input.read(&mut bytes)?;
                if n == 0 {
                    return Ok(());
                }
                bytes.truncate(n);
                Piece::Bytes(bytes)
            }
        };
        if send.send(piece).is_err() {
            return Ok(());
        }
        waker.wake()?;
    }
}
