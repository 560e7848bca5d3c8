//! The directory of a store: its lock, and whether the file in it is one.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::StoreError;

/// In the head of SQLite's file, says that it is a store's.
pub(super) const APPLICATION: u32 = u32::from_be_bytes(*b"wsmi");
/// The version of its tables.
pub(super) const VERSION: u32 = 1;

/// SQLite writes to its file in pages of so many bytes.
pub(super) const PAGE: u64 = 4096;
const WAL: &str = "history.sqlite-wal";

/// A directory that no other process uses.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Released when it is dropped, or the process ends in any way.
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is not there, and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| StoreError::File(path.to_owned(), error))?;
        let lock = path.join("lock");
        let failed = |error| StoreError::File(lock.clone(), error);
        let mut file = private().read(true).open(&lock).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // It may not be written yet, which only makes the message shorter.
                let _ = file.take(20).read_to_string(&mut holder);
                return Err(StoreError::InUse(path.to_owned(), holder.trim().parse().ok()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), _lock: file })
    }

    pub(super) fn file(&self) -> PathBuf {
        self.path.join("history.sqlite")
    }

    /// What SQLite writes first.
    fn wal(&self) -> PathBuf {
        self.path.join(WAL)
    }

    /// Whether there is a file, which is one of ours as far as its head tells. It is only read.
    pub(super) fn has_file(&self) -> Result<bool, StoreError> {
        let path = self.file();
        let failed = |error| StoreError::File(path.clone(), error);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::exists(self.wal()).map_err(failed)? {
                    let how = format!("it is missing, while {WAL} is there");
                    return Err(StoreError::Damaged(path, how));
                }
                return Ok(false);
            }
            Err(error) => return Err(failed(error)),
        };
        let mut head = Vec::with_capacity(HEAD);
        let len = file.metadata().map_err(failed)?.len();
        file.take(HEAD as u64).read_to_end(&mut head).map_err(failed)?;
        // https://www.sqlite.org/fileformat.html, 1.3
        let magic = b"SQLite format 3\0";
        let word = |at: usize| {
            let bytes = head.get(at..)?.first_chunk()?;
            Some(u32::from_be_bytes(*bytes))
        };
        let damaged = |how| StoreError::Damaged(path.clone(), how);
        if !magic.starts_with(head.get(..magic.len()).unwrap_or(&head)) {
            return Err(StoreError::Foreign(path));
        }
        let (Some(pages), Some(version), Some(application)) = (word(28), word(60), word(68)) else {
            return Err(damaged(format!("it has {len} bytes")));
        };
        if application != APPLICATION {
            return Err(StoreError::Foreign(path));
        }
        if version > VERSION {
            return Err(StoreError::Newer(path, version));
        }
        // SQLite takes half a page for a whole one. Unless it waits beside the file, all of it must be there.
        let wal = fs::metadata(self.wal());
        let whole = u64::from(pages).saturating_mul(PAGE);
        if len < whole && !wal.is_ok_and(|wal| wal.len() > 0) {
            return Err(damaged(format!("it has {len} bytes of {whole}")));
        }
        Ok(true)
    }

    /// A new file comes into being under another name, by `fill`, so that whenever this is cut short, there is a
    /// whole one or none.
    pub(super) fn make_file(
        &self,
        fill: impl FnOnce(&Path) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let new = self.path.join("history.sqlite.new");
        let failed = |error| StoreError::File(new.clone(), error);
        for left_over in ["", "-journal", "-wal", "-shm"] {
            match fs::remove_file(self.path.join(format!("history.sqlite.new{left_over}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                Ok(()) | Err(_) => {}
            }
        }
        let file = private().create_new(true).open(&new).map_err(failed)?;
        fill(&new)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&new, self.file()).map_err(failed)?;
        File::open(&self.path).and_then(|dir| dir.sync_all()).map_err(failed)
    }
}

/// As much of a file's head as has what is looked at.
const HEAD: usize = 72;

/// What people say to each other is for nobody else on the machine to read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}
