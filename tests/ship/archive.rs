//! The archive, the checksums, and what the scripts make of the same input a second time.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::docker::dist;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program in a folder: what it prints.
fn run(program: &str, args: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Unpacks the archive: its one folder.
fn unpacked(into: &Path) -> std::path::PathBuf {
    run("tar", &["-xzf", dist(".tar.gz").to_str().unwrap()], into);
    let folders: Vec<_> = fs::read_dir(into).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

#[test]
fn the_archive_runs_where_it_is_unpacked_and_brings_what_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let archive = unpacked(folder.path());
    for path in [
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "docs/install.md",
        "docs/stability.md",
        "examples/situations/laptop.yaml",
        "dashboards/token-expiry-tokens.json",
        "alerts/token-expiry.rules.yaml",
        "systemd/token-expiry-exporter.service",
        "man/token-expiry-exporter.1",
        "completions/_token-expiry-exporter",
    ] {
        let mine = fs::read(archive.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let prefix = ["systemd", "man", "completions"].iter().any(|folder| path.starts_with(folder));
        let source = if prefix { root().join("packaging").join(path) } else { root().join(path) };
        assert_eq!(mine, fs::read(source).unwrap(), "{path}");
    }
    assert!(!archive.join("alerts/tests").exists());
    let version = run("./token-expiry-exporter", &["--version"], &archive);
    assert!(version.starts_with(concat!("token-expiry-exporter ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    let linked = Command::new("ldd").arg(archive.join("token-expiry-exporter")).output().unwrap();
    let linked = String::from_utf8([linked.stdout, linked.stderr].concat()).unwrap();
    assert!(linked.contains("statically linked") || linked.contains("not a dynamic executable"), "{linked}");
    let examples = ["check", "--config.file", "examples/situations/laptop.yaml"];
    assert_eq!(
        Command::new(archive.join("token-expiry-exporter"))
            .args(examples)
            .current_dir(&archive)
            .env("GITLAB_TOKEN", "x")
            .status()
            .unwrap()
            .code(),
        Some(0)
    );
}

#[test]
fn the_checksums_are_those_of_the_files() {
    let sums = dist(".txt");
    run("sha256sum", &["--check", "--strict", sums.to_str().unwrap()], sums.parent().unwrap());
    let files = fs::read_dir(sums.parent().unwrap()).unwrap().count();
    assert_eq!(fs::read_to_string(&sums).unwrap().lines().count() + 1, files, "each file has one");
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let program = unpacked(folder.path()).join("token-expiry-exporter");
    let architecture = run("dpkg", &["--print-architecture"], root()).trim().to_owned();
    // Other times, another mask and another folder make no difference.
    run("touch", &["--date=2001-01-01", program.to_str().unwrap()], root());
    for (script, end) in [("archive", ".tar.gz"), ("deb", ".deb")] {
        let again = folder.path().join(script);
        let command =
            format!("umask 077 && packaging/{script}.sh {} {architecture} {}", program.display(), again.display());
        run("bash", &["-c", &command], root());
        let name = dist(end);
        let made = fs::read(again.join(name.file_name().unwrap())).unwrap();
        assert!(made == fs::read(&name).unwrap(), "{script}.sh made other bytes");
    }
}

#[test]
fn the_program_tells_nothing_of_where_it_was_built() {
    let folder = tempfile::tempdir().unwrap();
    let program = fs::read(unpacked(folder.path()).join("token-expiry-exporter")).unwrap();
    let holds = |text: &str| program.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("src/collector/"), "the paths of panics are relative");
    for path in ["/src/src/", "/usr/local/cargo/", "/root/"] {
        assert!(!holds(path), "{path} stands in the program");
    }
}
