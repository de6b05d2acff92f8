//! The image as a platform runs it: without privileges, on a read-only file system.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::docker::{Container, IMAGE, docker, field, inspect, try_docker};
use crate::test_servers::{assert_promtool_accepts, client, free_port, wait_for};
use crate::{CONFIG, csv, token_names};

const MAX_BYTES: u64 = 21_000_000;
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A world-readable directory with a configuration.
fn config_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    write(dir.path(), "config.yaml", CONFIG);
    write(dir.path(), "tokens.csv", &csv(&["one"]));
    dir
}

fn write(dir: &Path, name: &str, content: &str) {
    fs::write(dir.join(name), content).unwrap();
    fs::set_permissions(dir.join(name), Permissions::from_mode(0o644)).unwrap();
}

async fn exposition(url: &str) -> Option<String> {
    client().get(url).send().await.ok()?.error_for_status().ok()?.text().await.ok()
}

/// Waits until the exposition has exactly these tokens, and returns it.
async fn wait_for_tokens(url: &str, names: &[&str]) -> String {
    wait_for(&format!("{url}: tokens {names:?}"), || async {
        exposition(url).await.filter(|text| token_names(text) == names)
    })
    .await
}

#[tokio::test]
async fn image_collects_reloads_stops_and_restores_without_privileges() {
    let dir = config_dir();
    let volume = docker(&["volume", "create"]);
    let (port, mount) = (free_port(), format!("{}:/etc/token-expiry-exporter:ro", dir.path().display()));
    let address = format!("127.0.0.1:{port}");
    let start = || {
        Container::run(&[
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--user=65532:65532",
            "--network=host",
            "--volume",
            &mount,
            "--volume",
            &format!("{volume}:/var/lib/token-expiry-exporter"),
            IMAGE,
            "serve",
            "--config.file=/etc/token-expiry-exporter/config.yaml",
            "--storage.path=/var/lib/token-expiry-exporter",
            &format!("--web.listen-address={address}"),
        ])
    };
    let url = format!("http://{address}/metrics");

    let exporter = start();
    let text = wait_for_tokens(&url, &["one"]).await;
    assert_promtool_accepts(&text);
    assert!(text.contains("token_expiry_exporter_storage_failures_total 0\n"), "{text}");

    let status = exporter.proc_status();
    assert_eq!(field(&status, "Uid"), "65532\t65532\t65532\t65532");
    assert_eq!(field(&status, "Gid"), "65532\t65532\t65532\t65532");
    for capabilities in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, capabilities), "0000000000000000", "{capabilities}");
    }
    assert_eq!((field(&status, "NoNewPrivs"), field(&status, "Seccomp")), ("1", "2"));
    assert_eq!(exporter.exec(&["/token-expiry-exporter", "health", &address]), (0, String::new()));
    let unused = format!("127.0.0.1:{}", free_port());
    let (code, output) = exporter.exec(&["/token-expiry-exporter", "health", &unused]);
    assert!(code == 1 && output.starts_with(&format!("unhealthy: {unused}: ")), "{code}: {output}");

    write(dir.path(), "config.yaml", &format!("{CONFIG}    tokens: [{{name: two, expires: 2099-01-01}}]\n"));
    docker(&["kill", "--signal=HUP", &exporter.id]);
    wait_for_tokens(&url, &["one", "two"]).await;

    let begun = Instant::now();
    docker(&["kill", "--signal=TERM", &exporter.id]);
    assert_eq!(docker(&["wait", &exporter.id]), "0");
    assert!(begun.elapsed() < STOP_TIMEOUT, "stopped after {:?}", begun.elapsed());
    println!("stopped after {:?}", begun.elapsed());
    drop(exporter);

    // In a new container whose source fails, the tokens come from the volume.
    fs::remove_file(dir.path().join("tokens.csv")).unwrap();
    let exporter = start();
    wait_for("the source fails", || async {
        exposition(&url)
            .await
            .filter(|text| text.contains("token_source_up{source=\"by-hand\",provider=\"manual\"} 0\n"))
    })
    .await;
    wait_for_tokens(&url, &["one", "two"]).await;
    drop(exporter);
    docker(&["volume", "rm", &volume]);
}

#[tokio::test]
async fn image_health_check_passes() {
    let dir = config_dir();
    let exporter = Container::run(&[
        "--network=none",
        "--health-interval=1s",
        "--volume",
        &format!("{}:/etc/token-expiry-exporter:ro", dir.path().display()),
        IMAGE,
    ]);
    wait_for("the container is healthy", || async {
        let state = &inspect("container", &exporter.id)["State"];
        assert_eq!(state["Running"], true, "{state}");
        (state["Health"]["Status"] == "healthy").then_some(())
    })
    .await;
    assert_eq!(field(&exporter.proc_status(), "Uid"), "65532\t65532\t65532\t65532");
}

#[test]
fn image_contains_only_its_files_and_labels() {
    let image = inspect("image", IMAGE);
    let size = image["Size"].as_u64().unwrap();
    println!("image size: {size} bytes");
    assert!(size < MAX_BYTES, "{size} bytes");
    let labels = &image["Config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.title"], "token-expiry-exporter");
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(labels["org.opencontainers.image.licenses"], env!("CARGO_PKG_LICENSE"));
    assert_eq!(labels["org.opencontainers.image.description"], env!("CARGO_PKG_DESCRIPTION"));
    let revision = labels["org.opencontainers.image.revision"].as_str().unwrap();
    assert_eq!(revision.len(), 40, "a commit: {revision}");
    assert_eq!(image["Config"]["User"], "65532:65532");

    let container = docker(&["create", IMAGE]);
    let dir = tempfile::tempdir().unwrap();
    let tar = dir.path().join("image.tar");
    docker(&["export", "--output", tar.to_str().unwrap(), &container]);
    docker(&["rm", &container]);
    let listed = std::process::Command::new("tar").arg("--list").arg("--file").arg(&tar).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    // Docker adds these to every container.
    let is_ours = |file: &&str| {
        !["dev/", "proc/", "sys/"].iter().any(|dir| file.starts_with(dir))
            && !["etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", ".dockerenv"].contains(file)
            && !file.ends_with('/')
    };
    assert_eq!(
        listed.lines().filter(is_ours).collect::<Vec<_>>(),
        ["etc/ssl/certs/ca-certificates.crt", "token-expiry-exporter", "usr/share/doc/token-expiry-exporter/LICENSE",]
    );

    let version = docker(&["run", "--rm", "--network=none", IMAGE, "--version"]);
    assert_eq!(version, format!("token-expiry-exporter {} ({revision})", env!("CARGO_PKG_VERSION")));
    let refused = try_docker(&["run", "--rm", "--network=none", IMAGE]);
    assert_eq!(refused.status.code(), Some(2), "exits without a configuration");
}
