//! Inputs with their results, as people write them (tests/helm/cases), and random values.

use std::process::Command;
use std::sync::LazyLock;

use super::{GENERATED, file};

/// Runs a script of tests/helm, and returns its output.
fn run(script: &str, arguments: &[&str]) -> String {
    LazyLock::force(&GENERATED);
    let python = file(".tools/python/bin/python3");
    let output = Command::new(python).arg(file("tests/helm").join(script)).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn every_case_has_its_result() {
    let text = run("cases.py", &[]);
    let summary = text.trim().lines().last().unwrap();
    let cases: usize = summary.split(' ').next().unwrap().parse().unwrap();
    assert!(cases > 170 && summary.ends_with(" cases with 2 versions of Helm, 0 failed"), "{text}");
}

#[test]
fn random_accepted_values_render_valid_objects() {
    let text = run("random_values.py", &["200"]);
    assert!(text.contains(" rejected with a message, 0 errors\n") && text.contains(" manifests, 0 errors;"), "{text}");
}
