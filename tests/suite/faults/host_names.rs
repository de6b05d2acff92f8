//! Host names that do not resolve: the configuration is changed to one, and back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::source::FaultSwitch;
use crate::test_servers::client;

/// Under a domain that never exists: <https://www.rfc-editor.org/rfc/rfc6761#section-6.4>.
const UNKNOWN: &str = "provider.invalid";

/// The host names of all sources in one configuration.
#[derive(Default)]
pub(super) struct HostNames {
    file: OnceLock<ConfigFile>,
    unknown: Mutex<BTreeSet<String>>,
    changes: AtomicU64,
}

struct ConfigFile {
    path: PathBuf,
    config: String,
    reload: String,
}

/// The host name of one source.
pub(super) struct HostNameSwitch {
    names: Arc<HostNames>,
    source: String,
}

impl HostNames {
    pub(super) fn switch(self: Arc<Self>, source: &str) -> HostNameSwitch {
        HostNameSwitch { names: self, source: source.to_owned() }
    }

    /// Sets the configuration file and the exporter that reads it.
    pub(super) fn set_config(&self, path: PathBuf, config: String, exporter: &str) {
        let file = ConfigFile { path, config, reload: format!("{exporter}/-/reload") };
        assert!(self.file.set(file).is_ok(), "set twice");
    }

    fn change(&self, source: &str, is_unknown: bool) {
        let file = self.file.get().expect("a configuration file");
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
        let config: Vec<String> = file.config.lines().map(line).collect();
        let new = file.path.with_extension("new");
        std::fs::write(&new, config.join("\n")).unwrap();
        std::fs::rename(new, &file.path).unwrap();
        self.changes.fetch_add(1, Ordering::SeqCst);
        let reload = file.reload.clone();
        tokio::spawn(async move {
            let response = client().post(reload).send().await.unwrap();
            assert!(response.status().is_success(), "reload failed: {}", response.status());
        });
    }
}

impl FaultSwitch for HostNameSwitch {
    fn set(&self, faulty: bool) {
        self.names.change(&self.source, faulty);
    }

    fn hits(&self) -> u64 {
        self.names.changes.load(Ordering::SeqCst)
    }
}
