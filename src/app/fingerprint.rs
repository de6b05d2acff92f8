//! What makes a source the one that it is: a reload leaves alone what it does not change.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::config::Config;
use crate::schema::yaml;
use crate::schema::yaml::{Kind, Node};

/// A fingerprint of each source, in the order of the configuration.
///
/// It is the source's part of the file as it was understood: places, comments, anchors and the order of the keys do not
/// count, and nor does what only the inventory needs to know, such as a rule or a lead elsewhere in the file. `stamp`
/// stands for the definitions. Credentials and certificates do not count: they are read anew at each collection.
pub(super) fn fingerprints(config: &Config, stamp: &str) -> Vec<String> {
    let parts = sources(config);
    let whole = parts.len() == config.sources.len();
    let fingerprint = |number: usize| {
        // Where the file cannot be taken apart, any change of it is a change of the source.
        let part = if whole { parts[number].clone() } else { config.text.content().to_owned() };
        format!("{part}\n{:?} {:?} {:x}", config.interval, config.timeout, hash(stamp))
    };
    (0..config.sources.len()).map(fingerprint).collect()
}

/// The list `sources` of the file, each as one text.
fn sources(config: &Config) -> Vec<String> {
    let Ok(Node { kind: Kind::Map(keys), .. }) = yaml::parse(&config.text) else { return Vec::new() };
    let sources = keys.into_iter().find(|(key, _)| key.name == "sources");
    let Some((_, Node { kind: Kind::List(sources), .. })) = sources else { return Vec::new() };
    sources.iter().map(canonical).collect()
}

/// A node as a text that does not depend on places or on the order of keys.
fn canonical(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Flag(flag) => flag.to_string(),
        Kind::Number(number) => number.to_string(),
        Kind::Text(text) => format!("{text:?}"),
        Kind::List(nodes) => format!("[{}]", nodes.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Kind::Map(keys) => {
            let mut keys: Vec<_> = keys.iter().map(|(key, node)| (&key.name, canonical(node))).collect();
            keys.sort();
            let mut text = String::from("{");
            for (name, value) in keys {
                let _ = write!(text, "{name:?}:{value},");
            }
            text + "}"
        }
    }
}

/// Compared within one process only.
fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
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
        fingerprints(&config, "")
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
    fn what_does_not_concern_a_source_leaves_it_alone() {
        let before = of(FILE);
        for (same, how) in [
            (format!("# a comment\n\nalert_lead: {{warning: 20d}}\n{FILE}"), "a lead"),
            (FILE.replace("{name: b, provider: vault,", "{provider: vault, name: b,"), "the order of keys"),
            (format!("{FILE}rules:\n  - labels: {{team: x}}\n"), "a rule"),
        ] {
            assert_eq!(of(&same), before, "{how}");
        }
    }

    #[test]
    fn what_concerns_one_source_changes_that_one() {
        let (before, after) = (of(FILE), of(&FILE.replace("b.example.com", "c.example.com")));
        assert_eq!((before[0] == after[0], before[1] == after[1]), (true, false));
    }

    #[test]
    fn an_interval_changes_all() {
        let (before, after) = (of(FILE), of(&format!("interval: 5m\n{FILE}")));
        assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    }
}
