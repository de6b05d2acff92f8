//! The files that the configuration names and whose changes reload it.

use std::path::{Path, PathBuf};

use super::environment::{Environment as _, SystemEnvironment};
use crate::schema::diagnostic::SourceText;
use crate::schema::yaml::{Node, parse};

/// The owners file and the kubeconfigs that a configuration names. None if it is unreadable: loading it reports why.
pub fn watched_files(config: &Path) -> Vec<PathBuf> {
    let read = || {
        let content = String::from_utf8(SystemEnvironment.read_file(config).ok()?).ok()?;
        parse(&SourceText::new(config.display().to_string(), content)).ok()
    };
    let (Some(root), Some(directory)) = (read(), config.parent()) else { return Vec::new() };
    let sources = root.get("sources").map(Node::elements).unwrap_or_default();
    let kubeconfigs = sources.iter().filter_map(|source| source.get("kubeconfig")?.get("file"));
    let named = root.get("owners_file").into_iter().chain(kubeconfigs);
    named.filter_map(|path| Some(directory.join(path.as_text()?))).collect()
}
