//! The inventory on disk, so that a restart while a provider is down loses nothing.
//!
//! The file is one line of JSON about the content, and then the content, JSON too:
//!
//! ```text
//! {"format":1,"crc32":"8d3f1c02","length":48213,"written_at":"2026-03-01T08:00:00Z"}
//! {…}
//! ```
//!
//! It is written beside its place and moved there, so that a crash leaves the whole old one. It holds no secret, but names
//! of people and tokens: only its owner may read it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::inventory::Snapshot;

/// The version of the content's form. A file of any other is set aside.
const FORMAT: u32 = Snapshot::VERSION;

/// The file's name under the storage path.
const NAME: &str = "inventory.json";

/// How the names of files begin that are being written.
const UNFINISHED: &str = ".inventory-";

/// So many damaged files are kept; then the last is overwritten.
const MOST_SET_ASIDE: u32 = 9;

/// What the first line says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    format: u32,
    crc32: String,
    length: u64,
    written_at: String,
}

/// What was found at the start.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// The content of a sound file.
    Found(T),
    /// There is no file.
    Nothing,
    /// The file cannot be used, and was moved out of the way.
    SetAside {
        /// What is wrong with it, in words.
        why: String,
        /// Where it is now.
        to: PathBuf,
    },
}

/// Why the inventory could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {cause}; the storage path must be a directory that this process may write to")]
pub struct Unusable {
    what: &'static str,
    path: String,
    cause: io::Error,
}

/// The place where the inventory is kept.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// A store in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Makes the directory where it is not there yet, for this user alone: the tokens' names are nobody else's business.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn prepare(&self) -> Result<(), Unusable> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|cause| unusable("cannot make", &self.directory, cause))
    }

    /// Reads what was last saved. A file that is damaged, or of another version, is set aside as `NAME.damaged-N`.
    ///
    /// # Errors
    /// Where the file is there and cannot be read, or not be set aside.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, Unusable> {
        self.sweep();
        let file = self.file();
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Nothing),
            Err(cause) => return Err(unusable("cannot read", &file, cause)),
        };
        match decode(&bytes) {
            Ok(content) => Ok(Loaded::Found(content)),
            Err(why) => {
                let to = self.free_name();
                fs::rename(&file, &to).map_err(|cause| unusable("cannot set aside", &file, cause))?;
                Ok(Loaded::SetAside { why, to })
            }
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
    pub fn save(&self, encoded: &[u8]) -> Result<(), Unusable> {
        let file = self.file();
        self.replace(&file, encoded).map_err(|cause| unusable("cannot write", &file, cause))
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
        let name = |number| self.directory.join(format!("{NAME}.damaged-{number}"));
        (1..MOST_SET_ASIDE).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(MOST_SET_ASIDE))
    }
}

/// Makes the file's bytes of a content. Apart from [`Store::save`], so that the inventory need not be locked while the disk
/// is busy.
///
/// # Errors
/// Where the content is no JSON; none in practice.
pub fn encode<T: Serialize>(content: &T, now: DateTime<Utc>) -> serde_json::Result<Vec<u8>> {
    let body = serde_json::to_vec(content)?;
    let header = Header {
        format: FORMAT,
        crc32: checksum(&body),
        length: body.len() as u64,
        written_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    bytes.extend(body);
    Ok(bytes)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }

    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("its first line has no end")?;
    let (header, body) = (&bytes[..end], &bytes[end + 1..]);
    let no_header = |_| "its first line is not that of an inventory".to_owned();
    // The version comes first: a later one may have another header.
    let Version { format } = serde_json::from_slice(header).map_err(no_header)?;
    if format != FORMAT {
        return Err(format!("it has format {format}, and this version reads format {FORMAT}"));
    }
    let header: Header = serde_json::from_slice(header).map_err(no_header)?;
    if header.length != body.len() as u64 {
        return Err(format!("it should hold {} bytes, and holds {}", header.length, body.len()));
    }
    if header.crc32 != checksum(body) {
        return Err("its checksum does not match its content".to_owned());
    }
    // The parser's message could quote the content; its kind and place are enough.
    serde_json::from_slice(body).map_err(|error| {
        format!("its content cannot be read: {:?} error at column {}", error.classify(), error.column())
    })
}

fn checksum(body: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(body))
}

fn unusable(what: &'static str, path: &Path, cause: io::Error) -> Unusable {
    Unusable { what, path: path.display().to_string(), cause }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_000, 0).unwrap()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        (directory, store)
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_saved_is_found_again_and_only_its_owner_may_read_it() {
        let (directory, store) = store();
        assert_eq!(store.load::<Vec<String>>().unwrap(), Loaded::Nothing);
        store.save(&encode(&["one"], now()).unwrap()).unwrap();
        store.save(&encode(&["one", "zwö\n"], now()).unwrap()).unwrap();
        assert_eq!(store.load().unwrap(), Loaded::Found(vec!["one".to_owned(), "zwö\n".to_owned()]));
        assert_eq!(fs::metadata(store.file()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(directory.path()), ["inventory.json"]);
        insta::assert_snapshot!(fs::read_to_string(store.file()).unwrap(), @r#"
        {"format":1,"crc32":"8a1f61cd","length":16,"written_at":"2025-10-09T08:53:20Z"}
        ["one","zwö\n"]
        "#);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_set_aside() {
        let sound = encode(&["one"], now()).unwrap();
        let changed = |from: &str, to: &str| String::from_utf8(sound.clone()).unwrap().replace(from, to).into_bytes();
        let cases = [
            (sound[..sound.len() - 1].to_vec(), "it should hold 7 bytes, and holds 6"),
            (changed("[\"one\"]", "[\"onf\"]"), "its checksum does not match its content"),
            (changed("\"format\":1", "\"format\":2"), "it has format 2, and this version reads format 1"),
            (b"{\"format\":3,\"zstd\":true}\n".to_vec(), "it has format 3, and this version reads format 1"),
            (b"[1]\n".to_vec(), "its first line is not that of an inventory"),
            (b"\0\0\0\0".to_vec(), "its first line has no end"),
            (Vec::new(), "its first line has no end"),
            (encode(&[1], now()).unwrap(), "its content cannot be read: Data error at column 2"),
        ];
        let (directory, store) = store();
        for (number, (bytes, expected)) in cases.iter().enumerate() {
            fs::write(store.file(), bytes).unwrap();
            let to = directory.path().join(format!("inventory.json.damaged-{}", number + 1));
            let aside = Loaded::SetAside { why: (*expected).to_owned(), to: to.clone() };
            assert_eq!(store.load::<Vec<String>>().unwrap(), aside);
            assert_eq!(&fs::read(to).unwrap(), bytes);
            assert_eq!(store.load::<Vec<String>>().unwrap(), Loaded::Nothing);
        }
    }

    #[test]
    fn damaged_files_do_not_fill_the_disk() {
        let (directory, store) = store();
        for _ in 0..20 {
            fs::write(store.file(), "x").unwrap();
            store.load::<()>().unwrap();
        }
        assert_eq!(names(directory.path()).len(), 9);
    }

    #[test]
    fn a_crash_leaves_the_old_file_and_nothing_for_long() {
        let (directory, store) = store();
        store.save(&encode(&["old"], now()).unwrap()).unwrap();
        fs::write(directory.path().join(".inventory-x7Gq2"), "half").unwrap();
        assert_eq!(store.load().unwrap(), Loaded::Found(vec!["old".to_owned()]));
        assert_eq!(names(directory.path()), ["inventory.json"]);
    }

    #[test]
    fn where_nothing_can_be_written_the_error_names_the_way_out() {
        let (directory, _) = store();
        let made = Store::new(directory.path().join("made/here"));
        made.prepare().unwrap();
        made.save(b"x").unwrap();
        let gone = Store::new(directory.path().join("gone"));
        let error = gone.save(b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("gone/inventory.json: "), "{error}");
        assert!(error.ends_with("the storage path must be a directory that this process may write to"), "{error}");
        // A file that is a directory can be neither read nor replaced, also by root, as whom tests may run.
        let (directory, blocked) = store();
        fs::create_dir(directory.path().join(NAME)).unwrap();
        assert!(blocked.load::<()>().is_err());
        assert!(blocked.save(b"x").is_err());
        assert_eq!(names(directory.path()), ["inventory.json"], "nothing is left lying about");
    }
}
