//! The Debian package, and the crate as `cargo install` downloads it.

use std::process::Command;

use crate::docker::{MACHINE, dist_file, docker, try_docker};

#[test]
fn package_passes_lintian() {
    let deb = dist_file(".deb");
    let mount = format!("{}:/deb:ro", deb.parent().unwrap().display());
    let file = format!("/deb/{}", deb.file_name().unwrap().to_str().unwrap());
    let lintian = ["lintian", "--allow-root", "--fail-on=error,warning"];
    let args = [&["run", "--rm", "--network=none", "--volume", &mount, MACHINE][..], &lintian, &[&file]].concat();
    let output = try_docker(&args);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.trim().is_empty(), "{text}");
}

#[test]
fn package_needs_no_libraries_and_declares_its_conffiles() {
    let deb = dist_file(".deb");
    let field = |name: &str| {
        let output = Command::new("dpkg-deb").args(["--field", deb.to_str().unwrap(), name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(field("Depends"), "init-system-helpers (>= 1.54~)", "no libraries");
    let output = Command::new("dpkg-deb").args(["--info", deb.to_str().unwrap(), "conffiles"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "/etc/default/token-expiry-exporter\n");
    let listed = docker(&[
        "run",
        "--rm",
        "--network=none",
        "--volume",
        &format!("{}:/deb:ro", deb.parent().unwrap().display()),
        MACHINE,
        "sh",
        "-ec",
        "dpkg-deb --contents /deb/*.deb | awk '{print $1, $2, $6}' | grep -E '/secrets|bin/token|default/token'",
    ]);
    assert_eq!(
        listed,
        "-rw-r--r-- root/root ./etc/default/token-expiry-exporter\n\
         drwx------ root/root ./etc/token-expiry-exporter/secrets/\n\
         -rwxr-xr-x root/root ./usr/bin/token-expiry-exporter"
    );
}

#[test]
fn crate_contains_only_what_a_build_needs() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--locked", "--allow-dirty"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let others: Vec<&str> =
        listed.lines().filter(|file| !file.starts_with("src/") && *file != ".cargo_vcs_info.json").collect();
    assert_eq!(
        others,
        ["CHANGELOG.md", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig", "LICENSE", "README.md", "build.rs"]
    );
    for needed in
        ["src/main.rs", "src/lib.rs", "src/providers/definitions/atlassian-cloud.yaml", "src/pages/html/style.css"]
    {
        assert!(listed.lines().any(|file| file == needed), "{needed}");
    }
}
