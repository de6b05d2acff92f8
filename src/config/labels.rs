//! Names of labels that rules may set.

use crate::schema::reader::{Reader, join};
use crate::schema::yaml::{Kind, Node};

/// Labels of the exporter's own series.
const OURS: [&str; 10] =
    ["source", "provider", "band", "expiry", "state", "finding", "listing", "reason", "code", "adjustment"];
/// Labels that functions of Prometheus give a meaning to.
const PROMETHEUS: [&str; 2] = ["le", "quantile"];
/// Labels that Prometheus gives to a target.
const TARGET: [&str; 2] = ["job", "instance"];

/// Names that would be renamed by Prometheus, or make two series the same.
pub(super) fn reserved() -> Vec<&'static str> {
    [&OURS[..], &PROMETHEUS, &TARGET].concat()
}

/// Why a name cannot be that of a label, and one that can.
fn problem(name: &str) -> Option<String> {
    if !is_well_formed(name) {
        let other: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let hint = if is_well_formed(&other) { format!("; did you mean `{other}`?") } else { String::new() };
        return Some(format!("a label name has only letters, digits and `_`, and does not begin with a digit{hint}"));
    }
    if name.starts_with("__") {
        return Some("the prefix `__` is reserved for Prometheus; remove it".into());
    }
    if name.starts_with("token_") {
        return Some("the prefix `token_` is reserved for the exporter; remove it".into());
    }
    let why = match name {
        _ if OURS.contains(&name) => "is a label of the exporter's own series",
        _ if PROMETHEUS.contains(&name) => "is reserved by Prometheus",
        _ if TARGET.contains(&name) => "is a Prometheus target label",
        _ => return None,
    };
    Some(format!("`{name}` {why}; choose another name, such as `my_{name}`"))
}

fn is_well_formed(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reports invalid names and values.
pub(super) fn check(reader: &mut Reader, node: &Node, path: &str) {
    if !matches!(node.kind, Kind::Map(_)) {
        return reader.wrong_type(node, path, "a map of names to values");
    }
    for (key, value) in node.entries() {
        let path = join(path, &key.name);
        if let Some(problem) = problem(&key.name) {
            reader.error(key.at, format!("{path}: {problem}"));
        }
        if let Some(text) = reader.string(value, &path) {
            reader.is_displayable(value, &path, &text);
        }
    }
}
