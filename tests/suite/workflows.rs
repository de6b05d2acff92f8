//! The workflows of CI and releases, as far as they can be held without running them: by zizmor, by their schema, and by
//! what they call. `make ship` runs the scripts themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::equipment::tool;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn workflows() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join(".github/workflows")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    files
}

/// Runs a program on files: that it is content, and what it said.
fn content(program: &str, args: &[&str], files: &[PathBuf]) {
    let output = Command::new(tool(program)).args(args).args(files).current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program}: {said}");
}

#[test]
fn zizmor_finds_nothing() {
    content("zizmor", &["--offline", "--no-progress"], &workflows());
}

#[test]
fn they_keep_to_their_schema() {
    content("check-jsonschema", &["--builtin-schema", "vendor.github-workflows"], &workflows());
}

#[test]
fn hadolint_finds_nothing() {
    content("hadolint", &["--failure-threshold", "style"], &[root().join("Dockerfile")]);
}

#[test]
fn shellcheck_finds_nothing() {
    let scripts = |folder: &str| {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| fs::read(path).is_ok_and(|text| text.starts_with(b"#!"))).collect::<Vec<_>>()
    };
    let all: Vec<PathBuf> = ["packaging", "packaging/deb", "tests/ship"].into_iter().flat_map(scripts).collect();
    assert!(all.len() > 8, "{all:?}");
    content("shellcheck", &["--external-sources"], &all);
}

#[test]
fn every_action_is_a_commit_and_says_which_version_that_is() {
    let uses = Regex::new(r"(?m)^\s*(?:- )?uses: (.*)$").unwrap();
    let pinned = Regex::new(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\b").unwrap();
    let mut seen = 0;
    for path in workflows() {
        for found in uses.captures_iter(&fs::read_to_string(&path).unwrap()) {
            assert!(pinned.is_match(&found[1]), "{}: {}", path.display(), &found[1]);
            seen += 1;
        }
    }
    assert!(seen > 5);
}

#[test]
fn what_they_call_is_there() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let script = Regex::new(r"(?:packaging/[\w.-]+\.sh|\.ci/run)").unwrap();
    let make = Regex::new(r"make ([a-z-]+)").unwrap();
    for path in workflows() {
        let text = fs::read_to_string(&path).unwrap();
        let run: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        for found in script.find_iter(&run) {
            assert!(root().join(found.as_str()).is_file(), "{}: {}", path.display(), found.as_str());
        }
        for found in make.captures_iter(&run) {
            assert!(makefile.contains(&format!("\n{}:", &found[1])), "{}: make {}", path.display(), &found[1]);
        }
    }
}

#[test]
fn a_release_is_only_made_of_the_version_that_is_written_down() {
    let notes = |args: &[&str]| {
        let output = Command::new(root().join("packaging/notes.sh")).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    };
    let (made, said) = notes(&[concat!("v", env!("CARGO_PKG_VERSION"))]);
    assert!(made && said.contains("### Added") && !said.contains("\n## "), "{said}");
    let (made, said) = notes(&["v99.0.0"]);
    assert!(!made && said.contains("the tag is v99.0.0, and Cargo.toml has the version"), "{said}");
}
