//! The persisted inventory, so that a restart while a provider is down loses nothing.
//!
//! Each source has two files: `inventory-SOURCE.state`, about one kilobyte that changes with each collection, and
//! `inventory-SOURCE.tokens`, written only if the tokens have changed. [`encoding`] has their content.
//!
//! A file is written under another name and renamed, so that a crash leaves the complete previous file. It contains no secret, but
//! the names of people and tokens: only its owner may read it, and the group of a directory that the group may write to.

mod access;
pub mod bucket;
pub mod encoding;
pub mod file_name;
mod lock;
pub mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::core::inventory::{FormerInventory, StoredSource, StoredState, StoredTokens};
use access::{WRITABLE, share_with_group};
use encoding::{FORMAT, FORMER_FORMATS, ReadError, encode_state, read_state, read_tokens, write_tokens};
use lock::HeldLock;

pub use file_name::file_name;

/// The file of the formats 1 and 2, with all sources.
const FORMER_FILE: &str = "inventory.json";

/// Names of the files of a source.
const PREFIX: &str = "inventory-";
const STATE_SUFFIX: &str = ".state";
const TOKENS_SUFFIX: &str = ".tokens";

/// The prefix of files that are being written.
const TEMPORARY_PREFIX: &str = ".inventory-";

/// The maximum number of damaged files that are retained; then the last one is overwritten.
const MAX_QUARANTINED: u32 = 9;

/// What the directory has of a source.
#[derive(Debug, Default)]
pub struct LoadedSource {
    pub state: Option<StoredState>,
    pub tokens: Option<StoredTokens>,
    /// Files that could not be used.
    pub problems: Vec<Problem>,
}

/// Why a file could not be used at the start.
#[derive(Debug)]
pub enum Problem {
    /// It is damaged, or of a later version, and was renamed.
    Quarantined { file: PathBuf, to: PathBuf, why: String },
    /// It can be neither read nor renamed. It may be good, so it stays: as long as it is there, it is not replaced.
    Unreadable(StorageError),
    /// A state without tokens.
    Missing(PathBuf),
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
    /// Why files could not be read at the start: they may be good, so they are not replaced.
    unreadable: Mutex<BTreeMap<PathBuf, String>>,
}

impl Store {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), lock: Mutex::default(), unreadable: Mutex::default() }
    }

    /// The file of the formats 1 and 2, with all sources.
    pub fn former_file(&self) -> PathBuf {
        self.directory.join(FORMER_FILE)
    }

    /// The file with the state of a source.
    pub fn state_file(&self, source: &str) -> PathBuf {
        self.directory.join(format!("{PREFIX}{}{STATE_SUFFIX}", file_name(source)))
    }

    /// The file with the tokens of a source.
    pub fn tokens_file(&self, source: &str) -> PathBuf {
        self.directory.join(format!("{PREFIX}{}{TOKENS_SUFFIX}", file_name(source)))
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

    /// Reads what was last saved of a source. Renames a damaged file to `NAME.set-aside-N`, which the next save would overwrite.
    pub fn load(&self, source: &str) -> LoadedSource {
        let (state_file, tokens_file) = (self.state_file(source), self.tokens_file(source));
        let mut problems = Vec::new();
        let state =
            self.read_or_rename(&state_file, &mut problems, |file, size| read_state(file, size, FORMAT..=FORMAT));
        let tokens = self.read_or_rename(&tokens_file, &mut problems, |file, _| read_tokens(file, u64::MAX));
        if state.is_some() && tokens.is_none() && problems.is_empty() {
            problems.push(Problem::Missing(tokens_file));
        }
        LoadedSource { state, tokens, problems }
    }

    /// Reads the inventory that an earlier version saved, if there is one.
    ///
    /// # Errors
    /// If it cannot be used. A damaged file is renamed.
    pub fn load_former(&self) -> Result<Option<FormerInventory>, Problem> {
        let mut problems = Vec::new();
        let former = self
            .read_or_rename(&self.former_file(), &mut problems, |file, size| read_state(file, size, FORMER_FORMATS));
        problems.pop().map_or(Ok(former), Err)
    }

    fn read_or_rename<T>(
        &self,
        path: &Path,
        problems: &mut Vec<Problem>,
        read: impl FnOnce(File, u64) -> Result<T, ReadError>,
    ) -> Option<T> {
        let why = match open(path).and_then(|(file, size)| read(file, size)) {
            Ok(content) => return Some(content),
            Err(ReadError::Damaged(why)) => why,
            Err(ReadError::Unreadable(_)) if is_missing(path) => return None,
            Err(ReadError::Unreadable(cause)) => {
                let problem = access::problem(path, &cause, "make it readable and restart, or delete it");
                problems.push(self.unreadable("cannot read", path, problem));
                return None;
            }
        };
        let to = quarantine_path(path);
        problems.push(match fs::rename(path, &to) {
            Ok(()) => Problem::Quarantined { file: path.to_owned(), to, why },
            Err(cause) => {
                let problem = format!("{why}; {}", access::problem(path, &cause, WRITABLE));
                self.unreadable("cannot rename", path, problem)
            }
        });
        None
    }

    fn unreadable(&self, what: &'static str, path: &Path, problem: String) -> Problem {
        self.unreadable.lock().insert(path.to_owned(), problem.clone());
        Problem::Unreadable(StorageError::with_problem(what, path, problem))
    }

    /// Removes files that a crash has left incomplete. An error only costs disk space.
    fn remove_temporary_files(&self) {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX)) {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Replaces the files of a source. Tokens that have not changed since the last call are written only if their file is missing.
    ///
    /// # Errors
    /// If a file cannot be written, or [`Self::load`] could not read it. Each file is either the previous one or the new one.
    pub fn save(
        &self,
        name: &str,
        source: &StoredSource,
        tokens_changed: bool,
        now: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        let (state_file, tokens_file) = (self.state_file(name), self.tokens_file(name));
        self.check_locked(&state_file)?;
        self.check_replaceable(&state_file)?;
        self.check_replaceable(&tokens_file)?;
        // The tokens first: a crash in between leaves a state that claims less than there is.
        if tokens_changed || is_missing(&tokens_file) {
            self.replace(&tokens_file, |file| write_tokens(file, &source.tokens))?;
        }
        self.replace(&state_file, |file| file.write_all(&encode_state(&source.state, now)?))
    }

    /// Removes the files of all other sources, except those that could not be read.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn retain(&self, sources: &BTreeSet<String>) -> Result<(), StorageError> {
        self.check_locked(&self.directory)?;
        let retained: BTreeSet<PathBuf> =
            sources.iter().flat_map(|source| [self.state_file(source), self.tokens_file(source)]).collect();
        let is_of_a_source = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(PREFIX) && (name.ends_with(STATE_SUFFIX) || name.ends_with(TOKENS_SUFFIX))
        };
        let entries = fs::read_dir(&self.directory).map_err(|cause| self.error("cannot read", &cause))?;
        let mut stale: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_of_a_source).collect();
        // States before tokens: a state without tokens would be reported.
        stale.sort();
        for path in stale {
            if !retained.contains(&path) && !self.unreadable.lock().contains_key(&path) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Removes the file of the formats 1 and 2, after its sources were saved.
    ///
    /// # Errors
    /// If it cannot be removed, or [`Self::load_former`] could not read it.
    pub fn remove_former(&self) -> Result<(), StorageError> {
        let file = self.former_file();
        if is_missing(&file) {
            return Ok(());
        }
        self.check_locked(&file)?;
        self.check_replaceable(&file)?;
        remove(&file)
    }

    fn check_locked(&self, file: &Path) -> Result<(), StorageError> {
        let is_taken = self.lock()? == Lock::Taken;
        let taken = || StorageError::with_problem("cannot write", file, "locked by another process");
        if is_taken { Err(taken()) } else { Ok(()) }
    }

    /// Rejects a file that could not be read.
    fn check_replaceable(&self, file: &Path) -> Result<(), StorageError> {
        let mut unreadable = self.unreadable.lock();
        if let Some(problem) = unreadable.get(file)
            && !is_missing(file)
        {
            let problem = format!("it could not be read at the start and is not replaced: {problem}");
            return Err(StorageError::with_problem("cannot write", file, problem));
        }
        unreadable.remove(file);
        Ok(())
    }

    fn replace(
        &self,
        file: &Path,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<(), StorageError> {
        self.try_replace(file, write).map_err(|cause| StorageError::new("cannot write", file, &cause))
    }

    fn try_replace(&self, file: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
        // Created with mode 0600.
        let temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(&self.directory)?;
        share_with_group(temporary.as_file(), &self.directory, 0o040);
        let mut buffer = BufWriter::with_capacity(1 << 16, temporary.as_file());
        write(&mut buffer)?;
        buffer.flush()?;
        drop(buffer);
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        // The rename is on disk only after the directory is.
        File::open(&self.directory)?.sync_all()
    }

    fn error(&self, what: &'static str, cause: &io::Error) -> StorageError {
        StorageError::new(what, &self.directory, cause)
    }
}

fn remove(path: &Path) -> Result<(), StorageError> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(StorageError::new("cannot remove", path, &cause)),
        _ => Ok(()),
    }
}

/// A free name for a file that is set aside.
fn quarantine_path(file: &Path) -> PathBuf {
    let path = |number| {
        let mut path = file.as_os_str().to_owned();
        path.push(format!(".set-aside-{number}"));
        PathBuf::from(path)
    };
    let is_free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
    (1..MAX_QUARANTINED).map(path).find(is_free).unwrap_or_else(|| path(MAX_QUARANTINED))
}

fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Opens a regular file; with its size.
fn open(path: &Path) -> Result<(File, u64), ReadError> {
    // Checked before it is opened: opening a pipe would block.
    if !fs::metadata(path)?.is_file() {
        return Err("not a regular file".to_owned().into());
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}
