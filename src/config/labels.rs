//! Labels that rules set, and look at.

use regex::Regex;

use super::config_reader::ConfigReader;
use super::pattern;
use super::values::under;
use crate::schema::yaml::{Kind, Node};

/// Labels that the exporter's own series have, that Prometheus gives to a target, or that its functions give a meaning
/// to. One that clashes would be renamed, or would make two series the same.
const TAKEN: [(&str, &str); 14] = [
    ("source", OURS),
    ("provider", OURS),
    ("band", OURS),
    ("expiry", OURS),
    ("state", OURS),
    ("finding", OURS),
    ("listing", OURS),
    ("reason", OURS),
    ("code", OURS),
    ("adjustment", OURS),
    ("le", PROMETHEUS),
    ("quantile", PROMETHEUS),
    ("job", TARGET),
    ("instance", TARGET),
];

const OURS: &str = "is a label of the exporter's own";
const PROMETHEUS: &str = "has a meaning of its own in Prometheus";
const TARGET: &str = "is a label that Prometheus gives to what it scrapes";

/// The names that are taken.
pub(super) fn taken() -> Vec<&'static str> {
    TAKEN.iter().map(|(name, _)| *name).collect()
}

/// Why a name cannot be that of a label, and another that can.
fn problem(name: &str) -> Option<String> {
    if !is_well_formed(name) {
        let other: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let hint = if is_well_formed(&other) { format!("; did you mean `{other}`?") } else { String::new() };
        return Some(format!("a label's name has only letters, digits and `_`, and begins with no digit{hint}"));
    }
    if name.starts_with("__") {
        return Some("names that begin with `__` are Prometheus's own; leave them away".into());
    }
    if name.starts_with("token_") {
        return Some("names that begin with `token_` are the exporter's own; leave the `token_` away".into());
    }
    let (_, why) = TAKEN.iter().find(|(taken, _)| *taken == name)?;
    Some(format!("`{name}` {why}; take another name, such as `my_{name}`"))
}

fn is_well_formed(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads labels to set: valid names, texts as values. An empty value takes away what an earlier rule has set.
pub(super) fn read(reading: &mut ConfigReader, node: &Node, what: &str) -> Vec<(String, String)> {
    let Kind::Map(entries) = &node.kind else {
        reading.wrong_type(node, what, "a map of names to values");
        return Vec::new();
    };
    let mut labels = Vec::new();
    for (key, value) in entries {
        let what = under(what, &key.name);
        if let Some(problem) = problem(&key.name) {
            reading.error(key.at, format!("{what}: {problem}"));
        }
        let Some(text) = reading.string(value, &what) else { continue };
        if reading.can_be_shown(value, &what, &text) {
            labels.push((key.name.clone(), text));
        }
    }
    labels
}

/// Reads what is looked for in labels. The names may be a provider's own.
pub(super) fn patterns(reading: &mut ConfigReader, node: &Node, what: &str) -> Vec<(String, Regex)> {
    let Kind::Map(entries) = &node.kind else {
        reading.wrong_type(node, what, "a map of names to regular expressions");
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for (key, value) in entries {
        let found = pattern::read(reading, value, &under(what, &key.name));
        patterns.extend(found.map(|regex| (key.name.clone(), regex)));
    }
    patterns
}
