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
//! the names of people and tokens: only its owner may read it, and the group of a directory that the group may write to.

mod access;
pub mod bucket;
mod format;
mod lock;
pub mod shared;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use access::{WRITABLE, share_with_group};
use format::ReadError;
use lock::HeldLock;

pub use format::{decode, encode};

const FILE: &str = "inventory.json";

/// The prefix of files that are being written.
const TEMPORARY_PREFIX: &str = ".inventory-";

/// The maximum number of damaged files that are retained; then the last one is overwritten.
const MAX_QUARANTINED: u32 = 9;

/// The file at the start.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    Found(T),
    Missing,
    /// The file is damaged, or of a later version, and was renamed.
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
#[error("{what} {path}: {problem}")]
pub struct StorageError {
    what: &'static str,
    path: String,
    /// The cause and the remedy.
    problem: String,
}

impl StorageError {
    /// An error of an operation that needs a writable directory.
    fn new(what: &'static str, path: &Path, cause: &io::Error) -> Self {
        Self::with_problem(what, path, access::problem(path, cause, WRITABLE))
    }

    fn with_problem(what: &'static str, path: &Path, problem: impl Into<String>) -> Self {
        Self { what, path: path.display().to_string(), problem: problem.into() }
    }
}

/// A storage directory.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    lock: Mutex<Option<HeldLock>>,
    /// Why the file could not be read at the start: it may be good, so it is not replaced.
    unreadable: Mutex<Option<String>>,
}

impl Store {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), lock: Mutex::default(), unreadable: Mutex::default() }
    }

    /// The path of the inventory file.
    pub fn file(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Creates the directory, which only this user may read, and locks it until this store is dropped.
    ///
    /// # Errors
    /// If the directory or the lock file cannot be created. [`Self::save`] retries.
    pub fn lock(&self) -> Result<Lock, StorageError> {
        let mut held = self.lock.lock();
        if held.as_ref().is_some_and(HeldLock::is_in_place) {
            return Ok(Lock::Acquired);
        }
        *held = None;
        let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        created.map_err(|cause| StorageError::new("cannot create", &self.directory, &cause))?;
        *held = HeldLock::acquire(&self.directory)?;
        let Some(lock) = &*held else { return Ok(Lock::Taken) };
        self.remove_temporary_files();
        Ok(lock.unsupported.clone().map_or(Lock::Acquired, Lock::Unsupported))
    }

    /// Reads the inventory that was last saved. Renames a damaged file to `inventory.json.set-aside-N`, which the next save
    /// would overwrite.
    ///
    /// # Errors
    /// If the file can be neither read nor renamed. It may be good, so it stays: as long as it is there, [`Self::save`] fails.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, StorageError> {
        let loaded = self.read_or_rename();
        *self.unreadable.lock() = loaded.as_ref().err().map(|error| error.problem.clone());
        loaded
    }

    fn read_or_rename<T: DeserializeOwned>(&self) -> Result<Loaded<T>, StorageError> {
        let file = self.file();
        let why = match read(&file) {
            Ok(content) => return Ok(Loaded::Found(content)),
            Err(ReadError::Damaged(why)) => why,
            Err(ReadError::Unreadable(_)) if is_missing(&file) => return Ok(Loaded::Missing),
            Err(ReadError::Unreadable(cause)) => {
                let problem = access::problem(&file, &cause, "make it readable and restart, or delete it");
                return Err(StorageError::with_problem("cannot read", &file, problem));
            }
        };
        let to = self.quarantine_path();
        match fs::rename(&file, &to) {
            Ok(()) => Ok(Loaded::Quarantined { why, to }),
            Err(cause) => {
                let problem = format!("{why}; {}", access::problem(&file, &cause, WRITABLE));
                Err(StorageError::with_problem("cannot rename", &file, problem))
            }
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
    /// If it cannot be written, or [`Self::load`] could not read it. The previous file is unchanged.
    pub fn save(&self, encoded: &[u8]) -> Result<(), StorageError> {
        let file = self.file();
        if self.lock()? == Lock::Taken {
            return Err(StorageError::with_problem("cannot write", &file, "locked by another process"));
        }
        self.check_replaceable(&file)?;
        let replaced = self.replace(&file, encoded);
        replaced.map_err(|cause| StorageError::new("cannot write", &file, &cause))
    }

    /// Rejects a file that could not be read.
    fn check_replaceable(&self, file: &Path) -> Result<(), StorageError> {
        let mut unreadable = self.unreadable.lock();
        if let Some(problem) = &*unreadable
            && !is_missing(file)
        {
            let problem = format!("it could not be read at the start and is not replaced: {problem}");
            return Err(StorageError::with_problem("cannot write", file, problem));
        }
        *unreadable = None;
        Ok(())
    }

    fn replace(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        // Created with mode 0600.
        let mut temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(&self.directory)?;
        share_with_group(temporary.as_file(), &self.directory, 0o040);
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

fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    // Checked before it is opened: opening a pipe would block.
    if !fs::metadata(path)?.is_file() {
        return Err("not a regular file".to_owned().into());
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    format::read(file, size)
}
