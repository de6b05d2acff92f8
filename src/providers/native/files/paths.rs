//! The files that patterns match, each once.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::core::failure::{Failure, Reason};
use crate::providers::native::local_source::io_failure;

/// The files of one pattern, in order, and the directories on the way that are unreadable.
#[derive(Default)]
pub(super) struct Matches {
    pub(super) files: Vec<PathBuf>,
    pub(super) failures: Vec<Failure>,
}

/// Expands valid patterns. A file that has several names, by links or by several patterns, is listed once: by the first
/// pattern, under its shortest name.
pub(super) fn expand(patterns: Vec<String>) -> Vec<(String, Matches)> {
    let mut seen = HashSet::new();
    let expand_one = |pattern: String| {
        let mut matches = expand_pattern(&pattern);
        matches.files.sort_by_cached_key(|path| (path.components().count(), path.as_os_str().len(), path.clone()));
        matches.files.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
        matches.files.sort();
        (pattern, matches)
    };
    patterns.into_iter().map(expand_one).collect()
}

/// Whether a pattern may match several files.
pub(super) fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

fn expand_pattern(pattern: &str) -> Matches {
    let mut matches = Matches::default();
    let parts: Vec<&str> = pattern.split('/').collect();
    match parts.iter().position(|part| *part == "**") {
        // A library's walk finds loops of links, which `glob` would follow forty levels deep.
        Some(at) => {
            let (base, rest) = (parts[..at].join("/"), parts[at..].join("/"));
            let base = if at == 0 { ".".to_owned() } else { base + "/" };
            glob_into(&mut matches, &base, |matches, root| walk(matches, &root, &rest));
        }
        None => glob_into(&mut matches, pattern, |matches, path| {
            if !path.is_dir() {
                matches.files.push(path);
            }
        }),
    }
    // The kubelet replaces a mounted Secret by directories such as `..2026_11_29_09_00_00.1`, to which `..data` links; the
    // names without `..` are those that stay. <https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter>
    if !parts.iter().any(|part| is_internal(part)) {
        let is_listed =
            |path: &PathBuf| !path.components().any(|part| is_internal(&part.as_os_str().to_string_lossy()));
        matches.files.retain(is_listed);
    }
    // A path without wildcards names a file that must exist.
    if matches.files.is_empty() && matches.failures.is_empty() && !has_wildcard(pattern) {
        let path = Path::new(pattern);
        matches.failures.push(match std::fs::metadata(path) {
            Ok(_) => Failure::new(Reason::Internal, format!("{pattern}: is a directory; write {pattern}/*")),
            Err(error) => io_failure(path, &error),
        });
    }
    matches
}

fn glob_into(matches: &mut Matches, pattern: &str, mut found: impl FnMut(&mut Matches, PathBuf)) {
    for result in glob::glob(pattern).into_iter().flatten() {
        match result {
            Ok(path) => found(matches, path),
            Err(error) => matches.failures.push(io_failure(error.path(), error.error())),
        }
    }
}

/// Adds the files below a directory whose path in it matches.
fn walk(matches: &mut Matches, root: &Path, pattern: &str) {
    let Ok(pattern) = glob::Pattern::new(pattern) else { return };
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    // Without a leading `.`, which a pattern that begins with `**` does not have.
    let name = |path: &Path| path.strip_prefix(".").unwrap_or(path).to_owned();
    let is_match = |path: &Path| path.strip_prefix(root).is_ok_and(|path| pattern.matches_path_with(path, options));
    let is_walked = |entry: &DirEntry| entry.depth() == 0 || !is_internal(&entry.file_name().to_string_lossy());
    for entry in WalkDir::new(root).follow_links(true).into_iter().filter_entry(is_walked) {
        match entry {
            Ok(entry) if !entry.file_type().is_dir() && is_match(entry.path()) => {
                matches.files.push(name(entry.path()))
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(root);
                let is_missing = error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound);
                match error.io_error() {
                    // A link to a file that does not exist; reading it reports that.
                    _ if is_missing && is_match(path) => matches.files.push(name(path)),
                    Some(error) if !is_missing => matches.failures.push(io_failure(path, error)),
                    // Or a link to a directory that contains it: its files are listed there.
                    _ => {}
                }
            }
        }
    }
}

/// Whether a name begins with `..` and is not the parent directory.
fn is_internal(name: &str) -> bool {
    name.len() > 2 && name.starts_with("..")
}
