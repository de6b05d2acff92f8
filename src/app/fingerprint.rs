//! What identifies a source's configuration: a reload restarts only sources whose fingerprint changes.

use ring::digest::{SHA256, digest};
use serde_json::Value;
use url::Url;

use super::watch::FileHashes;
use crate::config::Config;
use crate::schema::yaml;

/// The fingerprint of each source, in the order of the configuration.
///
/// It covers the source's part of the file as it was parsed (not positions, comments, anchors or the order of keys), the
/// default interval and timeout, and the definitions. It does not cover what only the inventory uses, such as rules and leads,
/// nor credentials, secret headers and certificates, which are read again at each collection; of a kubeconfig it covers the
/// server and the proxy. It is a hash that is equal on all machines, because
/// replicas compare theirs.
pub(super) fn fingerprints(config: &Config, definitions: &FileHashes) -> Vec<String> {
    let mut file = yaml::parse(&config.text).map_or(Value::Null, |node| node.to_json());
    file.sort_all_objects();
    let definitions = definitions.by_file_name();
    let fingerprint = |(source, kubeconfig): (Value, String)| {
        let shared = (config.interval, config.defaults.timeout);
        let settings = format!("{source}{kubeconfig} {:?} {:?} {definitions:?}", shared.0, shared.1);
        digest(&SHA256, settings.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let source = |number: usize| {
        let mut source = file["sources"][number].clone();
        // Only the metrics depend on it.
        source.as_object_mut().map(|source| source.shift_remove("metrics"));
        let read = config.sources.get(number).and_then(|read| Some((&read.kubeconfig.as_ref()?.1, &read.proxy)));
        let kubeconfig = read.map(|(server, proxy)| format!(" {server:?} {:?}", proxy.as_ref().map(Url::as_str)));
        (source, kubeconfig.unwrap_or_default())
    };
    (0..config.sources.len()).map(|number| fingerprint(source(number))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;
    use crate::config;
    use crate::schema::diagnostic::SourceText;

    fn of(file: &str) -> Vec<String> {
        let config = config::parse(SourceText::new("test.yaml", file), Arc::new(config::SystemEnvironment)).unwrap();
        fingerprints(&config, &FileHashes::of_files([]))
    }

    const FILE: &str = "\
sources:
  - name: a
    provider: vault
    url: https://vault.example.com
    credential: {env: VAULT_TOKEN}
  - {name: b, provider: vault, url: https://b.example.com, credential: {env: VAULT_TOKEN}}
";

    #[test]
    fn fingerprint_ignores_what_does_not_concern_the_source() {
        let before = of(FILE);
        for (same, how) in [
            (format!("# a comment\n\nalert_lead: {{warning: 20d}}\n{FILE}"), "a lead"),
            (FILE.replace("{name: b, provider: vault,", "{provider: vault, name: b,"), "the order of keys"),
            (FILE.replace("{name: b,", "{name: b, metrics: {tokens: due},"), "its metrics"),
            (format!("{FILE}rules:\n  - labels: {{team: x}}\n"), "a rule"),
        ] {
            assert_eq!(of(&same), before, "{how}");
        }
    }

    /// Replicas compare them, also those of different versions while one replaces the other.
    #[test]
    fn fingerprint_is_equal_on_all_machines() {
        assert_eq!(of(FILE)[0], "c0340512ca50dcb0a4ac08046f756a35a0255800eb35b31e4cdbd9e95394e479");
        let [one, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let with = |directory: &tempfile::TempDir| {
            std::fs::write(directory.path().join("own.yaml"), "x").unwrap();
            let config =
                config::parse(SourceText::new("test.yaml", FILE), Arc::new(config::SystemEnvironment)).unwrap();
            fingerprints(&config, &FileHashes::of_files([directory.path().join("own.yaml")]))
        };
        assert_eq!(with(&one), with(&other), "the directory does not count");
        assert_ne!(with(&one), of(FILE));
    }

    #[test]
    fn fingerprint_changes_with_its_own_source_alone() {
        let (before, after) = (of(FILE), of(&FILE.replace("b.example.com", "c.example.com")));
        assert_eq!((before[0] == after[0], before[1] == after[1]), (true, false));
    }

    #[test]
    fn fingerprint_changes_with_the_default_interval() {
        let (before, after) = (of(FILE), of(&format!("interval: 5m\n{FILE}")));
        assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    }
}
