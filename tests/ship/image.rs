//! The image as a platform runs it: without rights, on a file system that cannot be written to.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::docker::{Container, IMAGE, docker, field, inspect, try_docker};
use crate::equipment::{client, free_port, promtool_has_nothing_to_say, wait_for};
use crate::{BY_HAND, table, tokens};

const MOST_BYTES: u64 = 20_000_000;
const STOPS_WITHIN: Duration = Duration::from_secs(1);

/// A folder with a configuration that everybody may read.
fn configuration() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    write(folder.path(), "config.yaml", BY_HAND);
    write(folder.path(), "tokens.csv", &table(&["one"]));
    folder
}

fn write(folder: &Path, name: &str, content: &str) {
    fs::write(folder.join(name), content).unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(0o644)).unwrap();
}

async fn exposition(url: &str) -> Option<String> {
    client().get(url).send().await.ok()?.error_for_status().ok()?.text().await.ok()
}

/// The exposition as soon as it tells of these tokens.
async fn tells(url: &str, names: &[&str]) -> String {
    wait_for(&format!("{url} tells of {names:?}"), Duration::from_secs(30), || async {
        exposition(url).await.filter(|text| tokens(text) == names)
    })
    .await
}

#[tokio::test]
async fn without_any_right_it_collects_reloads_stops_and_remembers() {
    let folder = configuration();
    let volume = docker(&["volume", "create"]);
    let (port, mount) = (free_port(), format!("{}:/etc/token-expiry-exporter:ro", folder.path().display()));
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
    let text = tells(&url, &["one"]).await;
    promtool_has_nothing_to_say(&text);
    assert!(text.contains("token_expiry_exporter_storage_failures_total 0\n"), "{text}");

    let status = exporter.status();
    assert_eq!(field(&status, "Uid"), "65532\t65532\t65532\t65532");
    assert_eq!(field(&status, "Gid"), "65532\t65532\t65532\t65532");
    for capabilities in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&status, capabilities), "0000000000000000", "{capabilities}");
    }
    assert_eq!((field(&status, "NoNewPrivs"), field(&status, "Seccomp")), ("1", "2"));
    assert_eq!(exporter.exec(&["/token-expiry-exporter", "health", &address]), (0, String::new()));
    let nobody = format!("127.0.0.1:{}", free_port());
    let (code, said) = exporter.exec(&["/token-expiry-exporter", "health", &nobody]);
    assert!(code == 1 && said.starts_with(&format!("unhealthy: {nobody}: ")), "{code}: {said}");

    write(folder.path(), "config.yaml", &format!("{BY_HAND}    tokens: [{{name: two, expires: 2099-01-01}}]\n"));
    docker(&["kill", "--signal=HUP", &exporter.id]);
    tells(&url, &["one", "two"]).await;

    let begun = Instant::now();
    docker(&["kill", "--signal=TERM", &exporter.id]);
    assert_eq!(docker(&["wait", &exporter.id]), "0");
    assert!(begun.elapsed() < STOPS_WITHIN, "it stopped after {:?}", begun.elapsed());
    println!("stopped after {:?}", begun.elapsed());
    drop(exporter);

    // Another container, and the source answers no more: what is told comes from the volume.
    fs::remove_file(folder.path().join("tokens.csv")).unwrap();
    let exporter = start();
    wait_for("the source fails", Duration::from_secs(30), || async {
        exposition(&url)
            .await
            .filter(|text| text.contains("token_source_up{source=\"by-hand\",provider=\"manual\"} 0\n"))
    })
    .await;
    tells(&url, &["one", "two"]).await;
    drop(exporter);
    docker(&["volume", "rm", &volume]);
}

#[tokio::test]
async fn by_itself_it_says_whether_it_is_healthy() {
    let folder = configuration();
    let exporter = Container::run(&[
        "--network=none",
        "--health-interval=1s",
        "--volume",
        &format!("{}:/etc/token-expiry-exporter:ro", folder.path().display()),
        IMAGE,
    ]);
    wait_for("the container is healthy", Duration::from_secs(30), || async {
        let state = &inspect("container", &exporter.id)["State"];
        assert_eq!(state["Running"], true, "{state}");
        (state["Health"]["Status"] == "healthy").then_some(())
    })
    .await;
    assert_eq!(field(&exporter.status(), "Uid"), "65532\t65532\t65532\t65532");
}

#[test]
fn it_is_small_and_holds_what_it_must_and_nothing_else() {
    let image = inspect("image", IMAGE);
    let size = image["Size"].as_u64().unwrap();
    println!("the image has {size} bytes");
    assert!(size < MOST_BYTES, "{size} bytes");
    let labels = &image["Config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.title"], "token-expiry-exporter");
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(labels["org.opencontainers.image.licenses"], env!("CARGO_PKG_LICENSE"));
    assert_eq!(labels["org.opencontainers.image.description"], env!("CARGO_PKG_DESCRIPTION"));
    let revision = labels["org.opencontainers.image.revision"].as_str().unwrap();
    assert_eq!(revision.len(), 40, "a commit: {revision}");
    assert_eq!(image["Config"]["User"], "65532:65532");

    let container = docker(&["create", IMAGE]);
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("image.tar");
    docker(&["export", "--output", tar.to_str().unwrap(), &container]);
    docker(&["rm", &container]);
    let listed = std::process::Command::new("tar").arg("--list").arg("--file").arg(&tar).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    // Docker adds folders and empty files of its own to any container.
    let own = |file: &&str| {
        !["dev/", "proc/", "sys/"].iter().any(|folder| file.starts_with(folder))
            && !["etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", ".dockerenv"].contains(file)
            && !file.ends_with('/')
    };
    assert_eq!(
        listed.lines().filter(own).collect::<Vec<_>>(),
        ["etc/ssl/certs/ca-certificates.crt", "token-expiry-exporter", "usr/share/doc/token-expiry-exporter/LICENSE",]
    );

    let version = docker(&["run", "--rm", "--network=none", IMAGE, "--version"]);
    assert_eq!(version, format!("token-expiry-exporter {} ({revision})", env!("CARGO_PKG_VERSION")));
    let refused = try_docker(&["run", "--rm", "--network=none", IMAGE]);
    assert_eq!(refused.status.code(), Some(2), "without a configuration it says so, and ends");
}
