//! One process for each storage path: two would overwrite what the other knows.
//!
//! The lock is the kernel's, on an open file: it ends with the process, also one that is killed, and is never stale. On a
//! network file system it is as good as the server's locks are, and ends there when the server gives the client up (NFS 4:
//! about 90 seconds). A file system may have none; then nothing keeps a second process away.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The file whose lock it is. It holds nothing and is never removed: a new one of the same name would be another lock.
pub(super) const NAME: &str = "inventory.lock";

/// What became of asking for the lock.
pub(super) enum Claim {
    /// It is ours for as long as the file is open.
    Held(File),
    /// The file system has no locks, for this reason.
    Unguarded(File, io::Error),
    /// Another process has it.
    Taken,
}

/// Asks for a directory's lock, without waiting.
///
/// # Errors
/// Where its file can be neither opened nor made.
pub(super) fn claim(directory: &Path) -> io::Result<Claim> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(directory.join(NAME))?;
    Ok(match file.try_lock() {
        Ok(()) => Claim::Held(file),
        Err(TryLockError::WouldBlock) => Claim::Taken,
        Err(TryLockError::Error(error)) => Claim::Unguarded(file, error),
    })
}
