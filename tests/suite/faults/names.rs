//! Hosts whose names nobody knows: the configuration is changed to them, and back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::subject::Switch;
use crate::equipment::client;

/// A name under a domain that never exists: <https://www.rfc-editor.org/rfc/rfc6761#section-6.4>.
const UNKNOWN: &str = "provider.invalid";

/// The configuration that is changed.
#[derive(Default)]
pub(super) struct Names {
    place: OnceLock<Place>,
    unknown: Mutex<BTreeSet<String>>,
    changes: AtomicU64,
}

struct Place {
    file: PathBuf,
    config: String,
    reload: String,
}

/// The name of one source's host.
pub(super) struct Name {
    names: Arc<Names>,
    source: String,
}

impl Names {
    pub(super) fn of(self: Arc<Self>, source: &str) -> Name {
        Name { names: self, source: source.to_owned() }
    }

    /// Says where the configuration is, and how the exporter is told that it has changed.
    pub(super) fn are_in(&self, file: PathBuf, config: String, exporter: &str) {
        let place = Place { file, config, reload: format!("{exporter}/-/reload") };
        assert!(self.place.set(place).is_ok(), "told twice");
    }

    fn change(&self, source: &str, is_unknown: bool) {
        let place = self.place.get().expect("told where the configuration is");
        let mut unknown = self.unknown.lock().unwrap();
        if is_unknown {
            unknown.insert(source.to_owned())
        } else {
            unknown.remove(source)
        };
        let own = |line: &str| unknown.iter().any(|name| line.contains(&format!("{{name: {name},")));
        let host = regex::Regex::new(r"url: 'http://[0-9.]+").unwrap();
        let line = |line: &str| match own(line) {
            true => host.replace(line, format!("url: 'http://{UNKNOWN}")).into_owned(),
            false => line.to_owned(),
        };
        let config: Vec<String> = place.config.lines().map(line).collect();
        let anew = place.file.with_extension("new");
        std::fs::write(&anew, config.join("\n")).unwrap();
        std::fs::rename(anew, &place.file).unwrap();
        self.changes.fetch_add(1, Ordering::SeqCst);
        let reload = place.reload.clone();
        tokio::spawn(async move {
            let reply = client().post(reload).send().await.unwrap();
            assert!(reply.status().is_success(), "the reload is refused: {}", reply.status());
        });
    }
}

impl Switch for Name {
    fn set(&self, faulty: bool) {
        self.names.change(&self.source, faulty);
    }

    fn struck(&self) -> u64 {
        self.names.changes.load(Ordering::SeqCst)
    }
}
