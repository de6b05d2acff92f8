//! The persisted inventory, so that a restart while a provider is down loses nothing.
//!
//! The file has one line of JSON about the content, and then the content, JSON too:
//!
//! ```text
//! {"format":2,"crc32":"8d3f1c02","length":48213,"written_at":"2026-03-01T08:00:00Z"}
//! {…}
//! ```
//!
//! It is written under another name and renamed, so that a crash leaves the complete previous file. It contains no secret, but
//! the names of people and tokens: only its owner may read it.

mod format;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

pub use format::{decode, encode};

const FILE: &str = "inventory.json";

/// The file that is locked. It is empty and never removed: a new file with the same name would be another lock.
const LOCK_FILE: &str = "inventory.lock";

/// The prefix of files that are being written.
const TEMPORARY_PREFIX: &str = ".inventory-";

/// The maximum number of unusable files that are retained; then the last one is overwritten.
const MAX_QUARANTINED: u32 = 9;

/// The file at the start.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    Found(T),
    Missing,
    /// The file is unusable and was renamed.
    Quarantined {
        why: String,
        to: PathBuf,
    },
}

/// Whether this process may write to the directory.
#[derive(Debug, PartialEq, Eq)]
pub enum Lock {
    /// Yes, and no other process may.
    Acquired,
    /// Yes, but the file system has no locks, so another process could write too.
    Unsupported(String),
    /// No, another process holds the lock.
    Taken,
}

/// The persisted inventory cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {cause}; the storage path must be a writable directory")]
pub struct StorageError {
    what: &'static str,
    path: String,
    cause: String,
}

impl StorageError {
    fn new(what: &'static str, path: &Path, cause: impl ToString) -> Self {
        Self { what, path: path.display().to_string(), cause: cause.to_string() }
    }
}

/// A storage directory.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// The open file that holds the lock.
    lock: Mutex<Option<File>>,
}

impl Store {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), lock: Mutex::new(None) }
    }

    /// The path of the inventory file.
    pub fn file(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Creates the directory, which only this user may read, and locks it until this store is dropped.
    ///
    /// It is the kernel's lock of an open file: it ends with the process and is never stale. On a network file system it is as
    /// reliable as the server's locks, and ends when the server drops the client (NFS 4: about 90 seconds).
    ///
    /// # Errors
    /// If the directory or the lock file cannot be created. [`Self::save`] retries.
    pub fn lock(&self) -> Result<Lock, StorageError> {
        let mut held = self.lock.lock();
        if held.is_some() {
            return Ok(Lock::Acquired);
        }
        let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        created.map_err(|cause| StorageError::new("cannot create", &self.directory, cause))?;
        let path = self.directory.join(LOCK_FILE);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|cause| StorageError::new("cannot lock", &path, cause))?;
        let lock = match file.try_lock() {
            Ok(()) => Lock::Acquired,
            Err(TryLockError::WouldBlock) => return Ok(Lock::Taken),
            Err(TryLockError::Error(error)) => Lock::Unsupported(error.to_string()),
        };
        *held = Some(file);
        self.remove_temporary_files();
        Ok(lock)
    }

    /// Reads the inventory that was last saved. Renames an unusable file to `inventory.json.set-aside-N`, which the next save
    /// would overwrite.
    ///
    /// # Errors
    /// If the file can be neither read nor renamed.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, StorageError> {
        let file = self.file();
        match fs::symlink_metadata(&file) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Missing),
            Err(cause) => return Err(StorageError::new("cannot read", &file, cause)),
        }
        let why = match read(&file) {
            Ok(content) => return Ok(Loaded::Found(content)),
            Err(why) => why,
        };
        let to = self.quarantine_path();
        match fs::rename(&file, &to) {
            Ok(()) => Ok(Loaded::Quarantined { why, to }),
            Err(cause) => Err(StorageError::new("cannot rename", &file, format!("{cause} ({why})"))),
        }
    }

    /// Removes files that a crash has left incomplete. An error only costs disk space.
    fn remove_temporary_files(&self) {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX)) {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Replaces the file by the output of [`encode`].
    ///
    /// # Errors
    /// If it cannot be written. The previous file is unchanged.
    pub fn save(&self, encoded: &[u8]) -> Result<(), StorageError> {
        let file = self.file();
        if self.lock()? == Lock::Taken {
            return Err(StorageError::new("cannot write", &file, "locked by another process"));
        }
        self.replace(&file, encoded).map_err(|cause| StorageError::new("cannot write", &file, cause))
    }

    fn replace(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        // Created with mode 0600.
        let mut temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(&self.directory)?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        // The rename is on disk only after the directory is.
        File::open(&self.directory)?.sync_all()
    }

    fn quarantine_path(&self) -> PathBuf {
        let path = |number| self.directory.join(format!("{FILE}.set-aside-{number}"));
        let is_free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
        (1..MAX_QUARANTINED).map(path).find(is_free).unwrap_or_else(|| path(MAX_QUARANTINED))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let unreadable = |error: io::Error| format!("cannot read: {error}");
    // Checked before it is opened: opening a pipe would block.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("not a regular file".to_owned());
    }
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    format::read(file, size)
}
