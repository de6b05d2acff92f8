//! The image, the archive and the Debian package, tested as their users install them. `make ship` builds them, starts a Docker
//! daemon if none runs, and runs these tests.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout, // shown if a test fails
    clippy::unwrap_used,
    unreachable_pub
)]

mod archive;
mod docker;
mod image;
mod names;
mod package;
#[path = "../suite/test_servers.rs"]
#[allow(dead_code)]
mod test_servers;
mod unit;

/// A configuration with one source, whose file the tests change or remove.
const CONFIG: &str = "\
interval: 1s
sources:
  - name: by-hand
    provider: manual
    file: tokens.csv
";

/// A CSV table of tokens with these names.
fn csv(names: &[&str]) -> String {
    names.iter().fold("name,expires\n".to_owned(), |table, name| format!("{table}{name},2099-01-01\n"))
}

/// The names of the tokens in an exposition.
fn token_names(exposition: &str) -> Vec<String> {
    let samples = test_servers::samples(exposition, "token_expiry_timestamp_seconds");
    samples.iter().map(|sample| sample.label("token_name").to_owned()).collect()
}
