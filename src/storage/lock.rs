//! The lock of the storage directory.
//!
//! It is two locks of the kernel (`flock`), which end with the process and are never stale. That of the directory can be taken
//! by every user who may write to it, but reaches no other machine. That of the file `inventory.lock` reaches other machines if
//! the server of a network file system has locks, and ends when the server drops the client (NFS 4: about 90 seconds).
//!
//! A lock file of another user cannot be opened, so it is replaced once the directory is locked. A process on another machine
//! that held the lock of the replaced file notices before its next save that the name leads to another file.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::StorageError;
use super::access::share_with_group;

/// The file that is locked. It is empty.
const LOCK_FILE: &str = "inventory.lock";

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct HeldLock {
    path: PathBuf,
    file: File,
    _directory: Option<File>,
    /// Why the file system cannot lock the file.
    pub(super) unsupported: Option<String>,
}

impl HeldLock {
    /// Locks the directory. Returns `None` if another process holds the lock.
    ///
    /// # Errors
    /// If the lock file can be neither opened nor replaced.
    pub(super) fn acquire(directory: &Path) -> Result<Option<Self>, StorageError> {
        let opened = File::open(directory).ok();
        let locked = match opened.as_ref().map(File::try_lock) {
            Some(Err(TryLockError::WouldBlock)) => return Ok(None),
            Some(Ok(())) => opened,
            // This file system cannot lock a directory, or this user cannot open it.
            Some(Err(TryLockError::Error(_))) | None => None,
        };
        let path = directory.join(LOCK_FILE);
        let file = open(&path, locked.is_some())?;
        let unsupported = match file.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(cause)) => Some(cause.to_string()),
        };
        share_with_group(&file, directory, 0o060);
        Ok(Some(Self { path, file, _directory: locked, unsupported }))
    }

    /// Whether no other process has replaced the lock file.
    pub(super) fn is_in_place(&self) -> bool {
        let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        let at_path = fs::symlink_metadata(&self.path);
        at_path.is_ok_and(|at_path| self.file.metadata().is_ok_and(|held| identity(&held) == identity(&at_path)))
    }
}

/// Opens the lock file. One that this user may not open is replaced if `may_replace`.
fn open(path: &Path, may_replace: bool) -> Result<File, StorageError> {
    let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let opened = match open() {
        Err(denied) if denied.kind() == io::ErrorKind::PermissionDenied && may_replace => {
            fs::remove_file(path).and_then(|()| open()).map_err(|_| denied)
        }
        opened => opened,
    };
    opened.map_err(|cause| StorageError::new("cannot lock", path, &cause))
}
