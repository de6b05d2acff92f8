//! The inventory over a restart: what was known is served at once, whatever the disk and the providers do.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chrono::Utc;
use token_expiry_exporter::core::inventory::{Inventory, Snapshot};
use token_expiry_exporter::storage::{decode, encode};

use crate::equipment::{Server, client, exporter, free_port, metrics, samples, wait_for};
use crate::sample;
use crate::stub::{Org, Stub, Trouble};

const SOON: Duration = Duration::from_secs(60);

fn golden(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/inventory/format-{version}.json"))
}

/// What a process with the sample's configuration knows after it has read this file.
fn restored(file: &[u8]) -> Inventory {
    let snapshot: Snapshot<'static> = decode(file).unwrap();
    let mut inventory = Inventory::default();
    let (sources, rules) = sample::configuration();
    inventory.set_policy(sources, rules);
    inventory.restore(snapshot);
    inventory
}

/// A file in `tests/golden/inventory/` is never written anew: it is what some version of the program has left on disks.
#[test]
fn the_form_changes_only_with_its_number_and_every_older_file_is_read() {
    let written = encode(&sample::inventory().snapshot(), sample::now()).unwrap();
    let current = golden(Snapshot::VERSION);
    if !current.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&current, &written).unwrap();
    }
    assert!(
        fs::read(&current).unwrap() == written,
        "the stored form has changed: raise `Snapshot::VERSION`, give what is new a default, and let UPDATE_GOLDEN=1 write \
         the file of the new version; those of the old ones stay"
    );
    let tokens = |inventory: &Inventory| {
        inventory.tokens(sample::now()).map(|view| (view.source.to_owned(), view.token.clone())).collect::<Vec<_>>()
    };
    let known = tokens(&sample::inventory());
    assert!(known.len() > 15);
    for version in 1..=Snapshot::VERSION {
        let inventory = restored(&fs::read(golden(version)).unwrap());
        assert_eq!(tokens(&inventory), known, "format {version}");
        for ((name, before), (_, after)) in sample::inventory().sources().zip(inventory.sources()) {
            assert_eq!((after.last_success, after.last_attempt), (before.last_success, before.last_attempt), "{name}");
            assert_eq!(
                (after.credential_expiry, &after.listings),
                (before.credential_expiry, &before.listings),
                "{name}"
            );
            // Format 1 does not tell what was left out.
            let dropped = if version == 1 { 0 } else { before.dropped };
            assert_eq!(after.dropped, dropped, "{name} of format {version}");
        }
    }
}

/// A folder with a credential, and a place for the inventory.
fn folder() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key"), "a-key").unwrap();
    let storage = format!("--storage.path={}", dir.path().join("inventory").display());
    (dir, storage)
}

fn file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("inventory/inventory.json")
}

async fn listed(exporter: &Server) -> usize {
    samples(&metrics(exporter).await, "token_expiry_timestamp_seconds").len()
}

async fn value(exporter: &Server, metric: &str) -> Option<f64> {
    samples(&metrics(exporter).await, metric).first().map(|sample| sample.value)
}

async fn until_listed(exporter: &Server, tokens: usize) {
    wait_for(&format!("{tokens} tokens"), SOON, || async { (listed(exporter).await == tokens).then_some(()) }).await;
}

/// Waits until the stored inventory holds so many tokens.
async fn until_kept(file: &Path, tokens: usize) {
    wait_for(&format!("{tokens} tokens on disk"), SOON, || async { (kept(file)? == tokens).then_some(()) }).await;
}

/// How many tokens the stored inventory holds. What is there must always be sound.
fn kept(file: &Path) -> Option<usize> {
    let bytes = fs::read(file).ok()?;
    let content: serde_json::Value = decode(&bytes).expect("the stored inventory is sound at every moment");
    let sources = content["sources"].as_object()?;
    Some(sources.values().map(|source| source["tokens"].as_array().map_or(0, Vec::len)).sum())
}

fn warnings(exporter: &Server) -> usize {
    exporter.log().lines().filter(|line| line.contains("inventory") && !line.contains("level=info")).count()
}

#[tokio::test]
async fn after_a_restart_with_the_provider_down_the_first_answer_has_every_token_and_its_true_age() {
    let now = Utc::now().timestamp();
    let stub = Stub::start([("main", Org::with(2_500, now)), ("other", Org::with(3, now))]).await;
    let (dir, storage) = folder();
    let config = format!("sources: [{}, {}]\n", stub.source("main", "1h"), stub.source("other", "1h"));
    let before = exporter(dir.path(), &config, &[&storage]).await;
    until_listed(&before, 2_503).await;
    until_kept(&file(&dir), 2_503).await;
    let ages = samples(&metrics(&before).await, "token_source_last_success_timestamp_seconds");
    assert_eq!(ages.len(), 2);
    drop(before);
    assert_eq!(fs::metadata(file(&dir)).unwrap().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(file(&dir)).unwrap().contains("a-key"), "the credential is on disk");

    for org in ["main", "other"] {
        stub.org(org, |org| org.trouble = Some(Trouble::Silence));
    }
    let after = exporter(dir.path(), &config, &[&storage]).await;
    let first = metrics(&after).await;
    assert_eq!(samples(&first, "token_expiry_timestamp_seconds").len(), 2_503, "the first answer has all tokens");
    assert_eq!(samples(&first, "token_source_last_success_timestamp_seconds"), ages);
    let ready = client().get(format!("{}/-/ready", after.url)).send().await.unwrap();
    assert_eq!(ready.status(), 200, "there is something to be said of the tokens");
    wait_for("the failure", SOON, || async {
        let up = samples(&metrics(&after).await, "token_source_up");
        (up.len() == 2 && up.iter().all(|up| up.value == 0.0)).then_some(())
    })
    .await;
    assert_eq!(listed(&after).await, 2_503);
    assert_eq!(samples(&metrics(&after).await, "token_source_last_success_timestamp_seconds"), ages);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_one_storage_path_says_so_and_stops_and_a_killed_one_leaves_no_lock() {
    let stub = Stub::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, storage) = folder();
    let config = format!("sources: [{}]\n", stub.source("main", "1h"));
    let first = exporter(dir.path(), &config, &[&storage]).await;
    until_kept(&file(&dir), 5).await;

    fs::write(dir.path().join("config.yaml"), &config).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        let said = command.args(arguments).current_dir(dir.path()).output().unwrap();
        (said.status.code(), String::from_utf8(said.stderr).unwrap())
    };
    let address = format!("--web.listen-address=127.0.0.1:{}", free_port());
    let (code, words) = run(&["serve", "--config.file=config.yaml", &storage, &address]);
    let path = dir.path().join("inventory");
    let expected = format!("the storage path {} is in use by another token-expiry-exporter", path.display());
    assert!(code == Some(1) && words.contains(&expected), "{code:?}: {words}");
    for command in ["check", "list"] {
        let (code, words) = run(&[command, "--config.file=config.yaml"]);
        assert_eq!(code, Some(0), "{command} is not hindered: {words}");
    }
    assert_eq!(kept(&file(&dir)), Some(5), "what the first has kept is untouched");

    drop(first); // It is killed.
    let next = exporter(dir.path(), &config, &[&storage]).await;
    assert_eq!(listed(&next).await, 5);
}

#[tokio::test]
async fn what_cannot_be_used_is_set_aside_with_one_warning_and_counted() {
    let stub = Stub::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, storage) = folder();
    let config = format!("sources: [{}]\n", stub.source("main", "1h"));
    fs::create_dir(dir.path().join("inventory")).unwrap();
    let newer = r#"{"format":3,"crc32":"00000000","length":2,"written_at":"2026-03-01T08:00:00Z"}"#;
    fs::write(file(&dir), format!("{newer}\n{{}}")).unwrap();
    let exporter = exporter(dir.path(), &config, &[&storage]).await;
    until_listed(&exporter, 5).await;
    until_kept(&file(&dir), 5).await;
    assert!(fs::read_to_string(file(&dir).with_extension("json.set-aside-1")).unwrap().starts_with(newer));
    assert_eq!(warnings(&exporter), 1, "{}", exporter.log());
    assert_eq!(value(&exporter, "token_expiry_exporter_storage_failures_total").await, Some(1.0));
}

/// A disk is full in the same way for a process that may write no large file.
#[tokio::test]
async fn a_full_disk_is_a_counted_failure_and_heals_when_there_is_room() {
    let stub = Stub::start([("main", Org::with(200, Utc::now().timestamp()))]).await;
    let (dir, storage) = folder();
    let port = free_port();
    fs::write(dir.path().join("config.yaml"), format!("sources: [{}]\n", stub.source("main", "1s"))).unwrap();
    let program = env!("CARGO_BIN_EXE_token-expiry-exporter");
    let mut command = Command::new("bash");
    // A block is 1 KiB. The signal must not end the process before the write fails; the log has no such limit.
    command.arg("-c").arg(format!(
        "exec > >(cat) 2>&1; trap '' XFSZ; ulimit -S -f 8; \
         exec '{program}' serve '{storage}' --config.file=config.yaml --web.listen-address=127.0.0.1:{port}"
    ));
    command.current_dir(dir.path());
    let exporter = Server::start("token-expiry-exporter", command, dir.path(), port, "/-/healthy").await;
    wait_for("a failure", SOON, || async {
        value(&exporter, "token_expiry_exporter_storage_failures_total").await.filter(|failures| *failures > 0.0)
    })
    .await;
    until_listed(&exporter, 200).await;
    assert_eq!(kept(&file(&dir)), None, "nothing half written takes the file's place");
    let room =
        Command::new("prlimit").arg(format!("--pid={}", exporter.pid())).arg("--fsize=unlimited:").status().unwrap();
    assert!(room.success());
    until_kept(&file(&dir), 200).await;
    let log = exporter.log();
    assert!(log.contains("File too large") && log.contains("inventory persistence recovered"), "{log}");
    let told = log.lines().filter(|line| line.contains("cannot save the inventory")).count();
    assert_eq!(told, 1, "not at every try: {log}");
}

/// As the user `nobody` where the test runs as root, to whom nothing is forbidden.
#[tokio::test]
async fn a_folder_that_forbids_writing_costs_no_token_and_heals() {
    let stub = Stub::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, storage) = folder();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(dir.path(), 0o755);
    mode(&dir.path().join("key"), 0o644);
    let inventory = dir.path().join("inventory");
    fs::create_dir(&inventory).unwrap();
    // Nobody may read it.
    fs::write(file(&dir), "x").unwrap();
    mode(&file(&dir), 0o000);
    mode(&inventory, 0o555);
    // A copy: the test's own folder may be closed to others.
    let program = dir.path().join("exporter");
    fs::copy(env!("CARGO_BIN_EXE_token-expiry-exporter"), &program).unwrap();
    fs::write(dir.path().join("config.yaml"), format!("sources: [{}]\n", stub.source("main", "1s"))).unwrap();
    let port = free_port();
    let mut command = Command::new(if is_root { "setpriv" } else { "env" });
    if is_root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(program).args(["serve", "--config.file=config.yaml", &storage]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(dir.path());
    let exporter = Server::start("token-expiry-exporter", command, dir.path(), port, "/-/healthy").await;
    until_listed(&exporter, 5).await;
    let failures = || value(&exporter, "token_expiry_exporter_storage_failures_total");
    wait_for("failures", SOON, || async { failures().await.filter(|failures| *failures >= 3.0) }).await;
    let log = exporter.log();
    assert!(log.contains("cannot rename") && log.contains("Permission denied"), "{log}");
    mode(&inventory, 0o777);
    wait_for("a saved inventory", SOON, || async {
        exporter.log().contains("inventory persistence recovered").then_some(())
    })
    .await;
    assert_eq!(listed(&exporter).await, 5);
}
