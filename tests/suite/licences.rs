//! What the program is built from may be given away with it: every dependency's licence is one that `deny.toml` allows,
//! and none of the crates that it bans came in.

use std::process::Command;

use serde_json::Value;

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The quoted texts of deny.toml between two of its lines.
fn quoted(from: &str, to: &str) -> Vec<String> {
    let deny = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap();
    let part = deny.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let lines = part.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
}

/// Whether an SPDX expression can be met with these licences. The older `A/B` means `A OR B`.
fn allowed(expression: &str, licences: &[String]) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|one| licences.iter().any(|licence| licence == one.trim())))
}

#[test]
fn every_dependency_may_be_given_away() {
    let licences = quoted("allow = [", "]");
    let banned = quoted("deny = [\n", "\n]");
    assert!(licences.len() > 5 && banned.len() > 1, "deny.toml is read: {licences:?} {banned:?}");
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or("none"));
        assert!(allowed(licence, &licences), "{name} is under {licence}, which deny.toml does not allow");
        assert!(!banned.iter().any(|banned| banned == name), "{name} is banned by deny.toml");
    }
}

/// `forbid` cannot be taken back by an `allow` within: the compiler holds it for every file of the crate.
#[test]
fn unsafe_code_is_forbidden() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let lints = manifest.split_once("[lints.rust]").unwrap().1.split_once("\n[").unwrap().0;
    assert!(lints.lines().any(|line| line == "unsafe_code = \"forbid\""), "{lints}");
}
