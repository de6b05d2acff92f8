//! The archive, the checksums, and the reproducibility of archive and package.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::docker::dist_file;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program in a directory and returns its output.
fn run(program: &str, args: &[&str], dir: &Path) -> String {
    let output = Command::new(program).args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Unpacks the archive and returns its only directory.
fn unpack(into: &Path) -> std::path::PathBuf {
    run("tar", &["-xzf", dist_file(".tar.gz").to_str().unwrap()], into);
    let dirs: Vec<_> = fs::read_dir(into).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(dirs.len(), 1, "{dirs:?}");
    dirs[0].clone()
}

#[test]
fn archive_runs_and_contains_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let archive = unpack(dir.path());
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
        "systemd/token-expiry-digest.timer",
        "man/token-expiry-exporter.1",
        "completions/_token-expiry-exporter",
    ] {
        let content = fs::read(archive.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let is_packaging = ["systemd", "man", "completions"].iter().any(|dir| path.starts_with(dir));
        let source = if is_packaging { root().join("packaging").join(path) } else { root().join(path) };
        assert_eq!(content, fs::read(source).unwrap(), "{path}");
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
fn checksums_match_and_cover_every_file() {
    let sums = dist_file(".txt");
    run("sha256sum", &["--check", "--strict", sums.to_str().unwrap()], sums.parent().unwrap());
    let files = fs::read_dir(sums.parent().unwrap()).unwrap().count();
    assert_eq!(fs::read_to_string(&sums).unwrap().lines().count() + 1, files, "one checksum per file");
}

#[test]
fn archive_and_package_are_reproducible() {
    let dir = tempfile::tempdir().unwrap();
    let program = unpack(dir.path()).join("token-expiry-exporter");
    let architecture = run("dpkg", &["--print-architecture"], root()).trim().to_owned();
    // Time stamps, umask and directory must not matter.
    run("touch", &["--date=2001-01-01", program.to_str().unwrap()], root());
    for (script, suffix) in [("archive", ".tar.gz"), ("deb", ".deb")] {
        let second = dir.path().join(script);
        let command =
            format!("umask 077 && packaging/{script}.sh {} {architecture} {}", program.display(), second.display());
        run("bash", &["-c", &command], root());
        let first = dist_file(suffix);
        let bytes = fs::read(second.join(first.file_name().unwrap())).unwrap();
        assert!(bytes == fs::read(&first).unwrap(), "{script}.sh made different bytes");
    }
}

#[test]
fn program_contains_no_build_paths() {
    let dir = tempfile::tempdir().unwrap();
    let program = fs::read(unpack(dir.path()).join("token-expiry-exporter")).unwrap();
    let contains = |text: &str| program.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(contains("src/collector/"), "panic messages have relative paths");
    for path in ["/src/src/", "/usr/local/cargo/", "/root/"] {
        assert!(!contains(path), "the program contains {path}");
    }
}
