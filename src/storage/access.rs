//! Files and directories that this process may not use: whose they are, and the remedy.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use rustix::process::{getegid, geteuid};

/// The remedy for the directory.
pub(super) const WRITABLE: &str = "the storage path must be a writable directory";

/// The remedy for a file of another user.
const OWN_FILE: &str = "change its owner and restart, or delete it";

/// The permission bits of a mode: write access of the group, and the sticky bit.
const GROUP_MAY_WRITE: u32 = 0o020;
const STICKY: u32 = 0o1000;

/// Why an operation on a file failed, and the remedy. For a missing permission: whose the file is, or the directory if there is
/// no such file.
pub(super) fn problem(path: &Path, cause: &io::Error, remedy: &str) -> String {
    let existing = || path.ancestors().find_map(|path| Some((path, fs::symlink_metadata(path).ok()?)));
    let Some((found, metadata)) = existing().filter(|_| cause.kind() == io::ErrorKind::PermissionDenied) else {
        return format!("{cause}; {remedy}");
    };
    let (what, remedy) = if metadata.is_dir() { ("the directory ", WRITABLE) } else { ("", OWN_FILE) };
    format!(
        "not permitted: {what}{} belongs to uid {} and gid {} with mode {:04o}, this process has uid {} and gid {}; {remedy}",
        found.display(),
        metadata.uid(),
        metadata.gid(),
        metadata.mode() & 0o7777,
        geteuid().as_raw(),
        getegid().as_raw(),
    )
}

/// Gives the group of the directory these permissions, if it may write to the directory: its members may replace the file
/// anyway, and with `fsGroup` in Kubernetes the next process may be another user of that group. An error leaves the file to its
/// owner.
pub(super) fn share_with_group(file: &File, directory: &Path, permissions: u32) {
    if let Ok(directory) = fs::metadata(directory)
        && directory.mode() & (GROUP_MAY_WRITE | STICKY) == GROUP_MAY_WRITE
        && fchown(file, None, Some(directory.gid())).is_ok()
    {
        let _ = file.set_permissions(Permissions::from_mode(0o600 | permissions));
    }
}
