//! The inventory on disk, so that a restart while a provider is down loses nothing.
//!
//! The file is one line of JSON about the content, and then the content, JSON too:
//!
//! ```text
//! {"format":2,"crc32":"8d3f1c02","length":48213,"written_at":"2026-03-01T08:00:00Z"}
//! {…}
//! ```
//!
//! It is written beside its place and moved there, so that a crash leaves the whole old one. It holds no secret, but names
//! of people and tokens: only its owner may read it. One process at a time keeps its inventory in a directory.

mod form;
mod lock;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

pub use form::{decode, encode};

/// The file's name under the storage path.
const NAME: &str = "inventory.json";

/// How the names of files begin that are being written.
const UNFINISHED: &str = ".inventory-";

/// So many files that could not be used are kept; then the last is overwritten.
const MOST_SET_ASIDE: u32 = 9;

/// What was found at the start.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// The content of a sound file.
    Found(T),
    /// There is no file.
    Nothing,
    /// What is there cannot be used, and was moved out of the way.
    Quarantined {
        /// What is wrong with it, in words.
        why: String,
        /// Where it is now.
        to: PathBuf,
    },
}

/// Whose a directory is.
#[derive(Debug, PartialEq, Eq)]
pub enum Lock {
    /// This process alone may write to it.
    Ours,
    /// This process may write to it, and nothing keeps others away: why, in words.
    Unguarded(String),
    /// Another process writes to it.
    Taken,
}

/// Why the inventory could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {cause}; the storage path must be a directory that this process may write to")]
pub struct StorageError {
    what: &'static str,
    path: String,
    cause: String,
}

/// The place where the inventory is kept.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// The open file that holds the directory's lock.
    lock: Mutex<Option<File>>,
}

impl Store {
    /// A store in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), lock: Mutex::new(None) }
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Makes the directory where it is not there yet, for this user alone, since the tokens' names are nobody else's
    /// business; and claims it for as long as this store lives.
    ///
    /// # Errors
    /// Where it cannot be made or written to. [`Self::save`] tries again.
    pub fn claim(&self) -> Result<Lock, StorageError> {
        let mut held = self.lock.lock();
        if held.is_some() {
            return Ok(Lock::Ours);
        }
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|cause| unusable("cannot make", &self.directory, &cause))?;
        let claim = lock::claim(&self.directory);
        let (file, claimed) =
            match claim.map_err(|cause| unusable("cannot lock", &self.directory.join(lock::NAME), &cause))? {
                lock::Claim::Held(file) => (file, Lock::Ours),
                lock::Claim::Unguarded(file, why) => (file, Lock::Unguarded(why.to_string())),
                lock::Claim::Taken => return Ok(Lock::Taken),
            };
        *held = Some(file);
        self.sweep();
        Ok(claimed)
    }

    /// Reads what was last saved. What is there and cannot be used is set aside as `NAME.set-aside-N`: the next save would
    /// take its place.
    ///
    /// # Errors
    /// Where it can be neither read nor set aside.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, StorageError> {
        let file = self.file();
        match fs::symlink_metadata(&file) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Nothing),
            Err(cause) => return Err(unusable("cannot read", &file, &cause)),
        }
        let why = match read(&file) {
            Ok(content) => return Ok(Loaded::Found(content)),
            Err(why) => why,
        };
        let to = self.free_name();
        match fs::rename(&file, &to) {
            Ok(()) => Ok(Loaded::Quarantined { why, to }),
            Err(cause) => Err(unusable("cannot set aside", &file, &format_args!("{cause} ({why})"))),
        }
    }

    /// Removes what a crash has left half written. Nothing depends on it but the room on the disk.
    fn sweep(&self) {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Saves what [`encode`] has made, in the place of what was there.
    ///
    /// # Errors
    /// Where it cannot be written. What was there before is still there.
    pub fn save(&self, encoded: &[u8]) -> Result<(), StorageError> {
        let file = self.file();
        if self.claim()? == Lock::Taken {
            return Err(unusable("cannot write", &file, &"another process keeps its inventory there"));
        }
        self.replace(&file, encoded).map_err(|cause| unusable("cannot write", &file, &cause))
    }

    fn replace(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        // Such a file is made with mode 0600.
        let mut fresh = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.directory)?;
        fresh.write_all(bytes)?;
        fresh.as_file().sync_all()?;
        fresh.persist(file).map_err(|error| error.error)?;
        // The move itself is on disk only when the directory is.
        File::open(&self.directory)?.sync_all()
    }

    fn free_name(&self) -> PathBuf {
        let name = |number| self.directory.join(format!("{NAME}.set-aside-{number}"));
        let free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
        (1..MOST_SET_ASIDE).map(name).find(free).unwrap_or_else(|| name(MOST_SET_ASIDE))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    // Before it is opened: a pipe would wait for whoever writes to it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("it is no file".to_owned());
    }
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    form::read(file, size)
}

fn unusable(what: &'static str, path: &Path, cause: &dyn std::fmt::Display) -> StorageError {
    StorageError { what, path: path.display().to_string(), cause: cause.to_string() }
}
