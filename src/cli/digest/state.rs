//! Who received the mail of the week: a small file, replaced after each accepted mail, so that a run that stops half-way can be
//! repeated.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::replace_file::replace_file;

/// Recipients of one week, each with the time at which the mail server accepted the mail.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    week: String,
    sent: BTreeMap<String, String>,
}

/// The file, locked until this is dropped.
pub(super) struct State {
    path: PathBuf,
    content: Content,
    _lock: File,
}

impl State {
    /// Locks and reads the file. One of another week counts as empty.
    ///
    /// # Errors
    /// Why the file is unusable, with the remedy: without it, mails could be sent twice.
    pub(super) fn open(path: &Path, week: &str) -> Result<Self, String> {
        let problem = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock =
            lock.map_err(|error| problem(&format!("cannot lock: {error}; the directory must exist and be writable")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(problem(&"in use by another run of `digest`; wait until it ends"));
            }
            Err(TryLockError::Error(error)) => return Err(problem(&format!("cannot lock: {error}"))),
        }
        let content = read(path).map_err(|error| problem(&error))?;
        let content = content.filter(|content| content.week == week);
        let content = content.unwrap_or_else(|| Content { week: week.to_owned(), sent: BTreeMap::new() });
        Ok(Self { path: path.to_owned(), content, _lock: lock })
    }

    pub(super) fn has(&self, recipient: &str) -> bool {
        self.content.sent.contains_key(recipient)
    }

    pub(super) fn add(&mut self, recipient: &str, at: String) {
        self.content.sent.insert(recipient.to_owned(), at);
    }

    /// Replaces the file, so that a crash leaves the previous or the new content.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub(super) fn save(&self) -> Result<(), String> {
        let text = serde_json::to_string_pretty(&self.content).map_err(|error| error.to_string())?;
        replace_file(&self.path, format!("{text}\n").as_bytes(), 0o600)
            .map_err(|error| format!("{}: cannot write: {error}", self.path.display()))
    }
}

/// The content without a lock, for `--dry-run`; `None` without a file.
fn read(path: &Path) -> Result<Option<Content>, String> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read: {error}")),
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            format!("not a state file of `digest`: {error}; remove it to send this week's mails again, or choose another file")
        }),
    }
}

/// Who already received the mail of a week, for `--dry-run`.
///
/// # Errors
/// Why the file cannot be read.
pub(super) fn recipients(path: &Path, week: &str) -> Result<Vec<String>, String> {
    let content = read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let content = content.filter(|content| content.week == week).unwrap_or_default();
    Ok(content.sent.into_keys().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn state_remembers_the_recipients_of_its_week_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        let mut state = State::open(&path, "2026-W48").unwrap();
        assert!(!state.has("jane@example.com"));
        state.add("jane@example.com", "2026-11-23T08:00:00Z".to_owned());
        state.save().unwrap();
        drop(state);
        assert!(State::open(&path, "2026-W48").unwrap().has("jane@example.com"));
        assert_eq!(recipients(&path, "2026-W48").unwrap(), ["jane@example.com"]);
        assert!(!State::open(&path, "2026-W49").unwrap().has("jane@example.com"));
        assert!(recipients(&path, "2026-W49").unwrap().is_empty());
    }

    #[test]
    fn damaged_state_is_an_error_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        for content in ["", "{", "[]", r#"{"week": 1}"#, r#"{"week": "2026-W48", "sent": {}, "x": 1}"#] {
            std::fs::write(&path, content).unwrap();
            let problem = State::open(&path, "2026-W48").err().unwrap();
            assert!(problem.contains("remove it to send this week's mails again"), "{content}: {problem}");
        }
    }

    #[test]
    fn second_run_at_the_same_time_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        let first = State::open(&path, "2026-W48").unwrap();
        let problem = State::open(&path, "2026-W48").err().unwrap();
        assert!(problem.contains("in use by another run"), "{problem}");
        drop(first);
        assert!(State::open(&path, "2026-W48").is_ok());
    }
}
