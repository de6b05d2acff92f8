//! Inputs with their results, as people write them: tests/helm/cases.

use std::process::Command;

use super::{GENERATED, file};
use std::sync::LazyLock;

#[test]
fn every_case_has_its_result() {
    LazyLock::force(&GENERATED);
    let output = Command::new(file(".tools/python/bin/python3")).arg(file("tests/helm/cases.py")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let summary = text.trim().lines().last().unwrap();
    let cases: usize = summary.split(' ').next().unwrap().parse().unwrap();
    assert!(cases > 80 && summary.ends_with(" cases, 0 failed"), "{text}");
}
