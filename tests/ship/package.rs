//! The Debian package, to Debian's own rules, and the crate that `cargo install` would fetch.

use std::process::Command;

use crate::docker::{MACHINE, dist, docker, try_docker};

#[test]
fn lintian_has_nothing_to_say() {
    let deb = dist(".deb");
    let mount = format!("{}:/deb:ro", deb.parent().unwrap().display());
    let file = format!("/deb/{}", deb.file_name().unwrap().to_str().unwrap());
    let words = ["lintian", "--allow-root", "--fail-on=error,warning"];
    let args = [&["run", "--rm", "--network=none", "--volume", &mount, MACHINE][..], &words, &[&file]].concat();
    let output = try_docker(&args);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn it_asks_for_nothing_of_a_release_and_keeps_what_an_administrator_wrote() {
    let deb = dist(".deb");
    let field = |name: &str| {
        let output = Command::new("dpkg-deb").args(["--field", deb.to_str().unwrap(), name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(field("Depends"), "init-system-helpers (>= 1.54~)", "no library");
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
        "dpkg-deb --contents /deb/*.deb | awk '{print $1, $2, $6}' | grep -E 'secrets|bin/token|default/token'",
    ]);
    assert_eq!(
        listed,
        "-rw-r--r-- root/root ./etc/default/token-expiry-exporter\n\
         drwx------ root/root ./etc/token-expiry-exporter/secrets/\n\
         -rwxr-xr-x root/root ./usr/bin/token-expiry-exporter"
    );
}

#[test]
fn the_crate_holds_what_a_build_needs_and_no_more() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--locked", "--allow-dirty"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let beside: Vec<&str> = listed.lines().filter(|file| !file.starts_with("src/")).collect();
    assert_eq!(
        beside,
        [".cargo_vcs_info.json", "CHANGELOG.md", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig", "LICENSE", "README.md"]
            .into_iter()
            .filter(|file| listed.lines().any(|line| line == *file) || *file != ".cargo_vcs_info.json")
            .collect::<Vec<_>>()
    );
    for needed in
        ["src/main.rs", "src/lib.rs", "src/providers/definitions/atlassian-cloud.yaml", "src/pages/status.css"]
    {
        assert!(listed.lines().any(|file| file == needed), "{needed}");
    }
}
