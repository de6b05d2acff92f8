//! Whether the files that a person writes have changed: by their content, looked at again and again.
//!
//! Not by the system's notices: Kubernetes replaces a mounted file by moving a symbolic link two folders above it, editors
//! write beside and rename, and network file systems tell nothing. The files are small, and a look every ten seconds is
//! cheap.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// What the files held when they were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileHashes(BTreeMap<PathBuf, Option<u64>>);

impl FileHashes {
    /// Looks at a file, and at the definitions in a folder.
    pub(super) fn at(file: &Path, folder: Option<&Path>) -> Self {
        let files = std::iter::once(file.to_owned()).chain(folder.map(definitions).into_iter().flatten());
        Self(files.map(|path| (path.clone(), content(&path))).collect())
    }
}

/// The definitions in a folder, in the order of their names. An unreadable folder has none: loading tells of it.
pub(super) fn definitions(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_definition(path)).collect();
    files.sort();
    files
}

fn is_definition(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// A file's content, as a number that differs where the content does. Compared within one process only.
fn content(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn content_counts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        let look = || FileHashes::at(&file, Some(folder.path()));
        let missing = look();
        fs::write(&file, "a").unwrap();
        let a = look();
        assert_ne!(missing, a, "it appeared");
        fs::write(&file, "a").unwrap();
        assert_eq!(a, look(), "touched only");
        fs::write(folder.path().join("notes.txt"), "x").unwrap();
        fs::write(folder.path().join(".hidden.yaml"), "x").unwrap();
        assert_eq!(a, look(), "no definition");
        fs::write(folder.path().join("own.yaml"), "x").unwrap();
        assert_ne!(a, look(), "a new definition");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_moves_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("one", "a"), ("two", "b")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("config.yaml"), text).unwrap();
        }
        std::os::unix::fs::symlink(at("one"), at("..data")).unwrap();
        let file = at("..data").join("config.yaml");
        let before = FileHashes::at(&file, None);
        std::os::unix::fs::symlink(at("two"), at("new")).unwrap();
        fs::rename(at("new"), at("..data")).unwrap();
        assert_ne!(before, FileHashes::at(&file, None));
    }
}
