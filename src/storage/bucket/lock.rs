//! The lock of a store in a directory. `object_store` cannot replace a file only if it is unchanged, so that compare and replace
//! happen under a lock of the kernel, which ends with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The interval at which a lock that is taken is retried.
const RETRY: Duration = Duration::from_millis(5);

/// A lock file next to the directory, so that it is not an object.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    path: PathBuf,
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
}

impl DirectoryLock {
    pub(super) fn next_to(directory: PathBuf) -> Self {
        let mut path = directory.into_os_string();
        path.push(".lock");
        Self { path: path.into() }
    }

    /// Waits for the lock, at most until the deadline.
    ///
    /// # Errors
    /// If the file cannot be locked, or the deadline is reached.
    pub(super) async fn acquire(&self, deadline: Instant) -> io::Result<Held> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held { _file: file }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() + RETRY >= deadline => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock"));
                }
                Err(TryLockError::WouldBlock) => sleep(RETRY).await,
            }
        }
    }
}
