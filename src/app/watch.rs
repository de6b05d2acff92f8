//! Detects changes of the configuration files, by polling their content.
//!
//! Not by file system notifications: Kubernetes updates a mounted file by replacing a symbolic link two directories above it,
//! editors write a new file and rename it, and network file systems send no notifications. The files are small.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

/// A hash of each file's content; `None` if the file cannot be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileHashes(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl FileHashes {
    pub(super) fn of_files(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().map(|path| (path.clone(), hash(&path))).collect())
    }

    /// The hashes by file name, which other machines have too.
    pub(super) fn by_file_name(&self) -> BTreeMap<String, Option<&[u8]>> {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.0.iter().map(|(path, hash)| (name(path), hash.as_deref())).collect()
    }

    /// Of the configuration, the files that it names, and the definitions in a directory.
    pub(super) fn of_config(file: &Path, named: &[PathBuf], providers: Option<&Path>) -> Self {
        let named = named.iter().map(PathBuf::as_path);
        let files = [file].into_iter().chain(named).map(Path::to_owned);
        Self::of_files(definitions(providers).into_iter().chain(files))
    }
}

/// The definitions in a directory, by name. None if it cannot be read: loading reports that.
pub fn definitions(directory: Option<&Path>) -> Vec<PathBuf> {
    let entries = directory.and_then(|directory| fs::read_dir(directory).ok()).into_iter().flatten();
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_definition(path)).collect();
    files.sort();
    files
}

fn is_definition(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn hash(path: &Path) -> Option<Vec<u8>> {
    Some(digest(&SHA256, &fs::read(path).ok()?).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn file_hashes_depend_on_content_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.yaml");
        let hashes = || FileHashes::of_config(&file, &[directory.path().join("owners.csv")], Some(directory.path()));
        let missing = hashes();
        fs::write(&file, "a").unwrap();
        let a = hashes();
        assert_ne!(missing, a, "it appeared");
        fs::write(&file, "a").unwrap();
        assert_eq!(a, hashes(), "written with the same content");
        fs::write(directory.path().join("owners.csv"), "x").unwrap();
        assert_ne!(a, hashes(), "the owners file");
        fs::remove_file(directory.path().join("owners.csv")).unwrap();
        fs::write(directory.path().join("notes.txt"), "x").unwrap();
        fs::write(directory.path().join(".hidden.yaml"), "x").unwrap();
        assert_eq!(a, hashes(), "not definitions");
        fs::write(directory.path().join("own.yaml"), "x").unwrap();
        assert_ne!(a, hashes(), "a new definition");
    }

    #[test]
    fn file_hashes_follow_symbolic_links() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (name, text) in [("one", "a"), ("two", "b")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("config.yaml"), text).unwrap();
        }
        std::os::unix::fs::symlink(at("one"), at("..data")).unwrap();
        let file = at("..data").join("config.yaml");
        let before = FileHashes::of_files([file.clone()]);
        std::os::unix::fs::symlink(at("two"), at("new")).unwrap();
        fs::rename(at("new"), at("..data")).unwrap();
        assert_ne!(before, FileHashes::of_files([file]));
    }
}
