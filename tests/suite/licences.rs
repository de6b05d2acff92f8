//! Dependencies: each licence is one that `deny.toml` allows, and no banned crate is used.

use std::process::Command;

use serde_json::Value;

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--features=object-store",
            "--filter-platform=x86_64-unknown-linux-gnu",
        ])
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

/// Whether these licences satisfy an SPDX expression. The older `A/B` means `A OR B`.
fn satisfied(expression: &str, licences: &[String]) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|one| licences.iter().any(|licence| licence == one.trim())))
}

#[test]
fn dependencies_have_allowed_licences_and_are_not_banned() {
    let licences = quoted("allow = [", "]");
    let banned = quoted("deny = [\n", "\n]");
    assert!(licences.len() > 5 && banned.len() > 1, "{licences:?} {banned:?}");
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or("none"));
        assert!(satisfied(licence, &licences), "{name}: deny.toml does not allow the licence {licence}");
        assert!(!banned.iter().any(|banned| banned == name), "{name}: banned by deny.toml");
    }
}

/// Unlike `deny`, `forbid` cannot be overridden by an `allow` in a file.
#[test]
fn unsafe_code_is_forbidden() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let lints = manifest.split_once("[lints.rust]").unwrap().1.split_once("\n[").unwrap().0;
    assert!(lints.lines().any(|line| line == "unsafe_code = \"forbid\""), "{lints}");
}
