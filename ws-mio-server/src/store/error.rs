//! What can go wrong with a store.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a directory could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// A directory that can't be made, or a file in it that can't be read or written, and why.
    File(PathBuf, io::Error),
    /// A directory that another process uses, and that process's id if it could be learnt.
    InUse(PathBuf, Option<u32>),
    /// A file that is not of a store.
    Foreign(PathBuf),
    /// A file of a later version of the store, and that version.
    Newer(PathBuf, u32),
    /// A file that is damaged, and how.
    Damaged(PathBuf, String),
    /// SQLite could not use a file, and why.
    Sqlite(PathBuf, String),
    /// There is no randomness to draw an epoch from.
    Entropy(String),
    /// The store's thread could not be started.
    Thread(io::Error),
    /// The store's thread has stopped.
    Stopped,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{} can't be used: {error}", path.display()),
            Self::InUse(path, process) => {
                write!(f, "{} is in use by another server", path.display())?;
                process.map_or(Ok(()), |process| write!(f, " (process {process})"))?;
                f.write_str(": each needs a directory of its own")
            }
            Self::Foreign(path) => {
                let path = path.display();
                write!(f, "{path} is not a history of this server: name another directory")
            }
            Self::Newer(path, version) => {
                let path = path.display();
                write!(
                    f,
                    "{path} is of version {version}, which a later release of this server wrote"
                )
            }
            Self::Damaged(path, how) => {
                let path = path.display();
                write!(f, "{path} is damaged ({how}): put back a copy, or move it away")
            }
            Self::Sqlite(path, error) => write!(f, "{} can't be used: {error}", path.display()),
            Self::Entropy(error) => write!(f, "no randomness for an epoch: {error}"),
            Self::Thread(error) => write!(f, "the store's thread could not be started: {error}"),
            Self::Stopped => f.write_str("the store's thread has stopped"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) | Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// Too much waits to be written.
    Full,
    /// The store has stopped.
    Stopped,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too many messages wait to be stored",
            Self::Stopped => "the store has stopped",
        })
    }
}

impl std::error::Error for Refused {}

/// Why a message was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// It does not follow the last stored message of its room; the offset that would.
    OutOfOrder(u64),
    /// Its offset or its time is not from 1 or 0 to [`i64::MAX`].
    OutOfRange,
    /// The disk is full, or the file as large as it may become.
    Full,
    /// What the operating system or SQLite says.
    Sqlite(Arc<str>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder(next) => {
                write!(f, "the next message of the room has the offset {next}")
            }
            Self::OutOfRange => f.write_str("the offset or the time is out of range"),
            Self::Full => f.write_str("the disk is full"),
            Self::Sqlite(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for Failure {}
