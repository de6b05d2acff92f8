//! What is shipped: the image, the archive and the Debian package, as whoever installs them finds them. `make ship` builds
//! them, starts a Docker daemon, and runs this.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout, // shown where a test fails
    clippy::unwrap_used,
    unreachable_pub
)]

mod archive;
mod docker;
#[path = "../suite/equipment.rs"]
#[allow(dead_code)]
mod equipment;
mod image;
mod names;
mod package;
mod unit;

/// A configuration whose one source reads a table: it can be changed, and taken away.
const BY_HAND: &str = "\
interval: 1s
sources:
  - name: by-hand
    provider: manual
    file: tokens.csv
";

/// A table of tokens of these names.
fn table(names: &[&str]) -> String {
    names.iter().fold("name,expires\n".to_owned(), |table, name| format!("{table}{name},2099-01-01\n"))
}

/// The names of the tokens that an exporter tells of.
fn tokens(exposition: &str) -> Vec<String> {
    let samples = equipment::samples(exposition, "token_expiry_timestamp_seconds");
    samples.iter().map(|sample| sample.label("token_name").to_owned()).collect()
}
