//! The persisted inventory: after a restart all tokens are served at once, also with faults of disks and providers.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Utc;
use token_expiry_exporter::core::inventory::{FormerInventory, Inventory};
use token_expiry_exporter::storage::encoding::{FORMAT, decode_former};
use token_expiry_exporter::storage::{LoadedSource, Store};

use crate::sample_inventory;
use crate::stub_provider::{Org, ProviderFault, StubProvider};
use crate::test_servers::{Server, client, exporter, free_port, metrics, persisted, samples, wait_for};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/inventory").join(name)
}

/// The sample's configuration without tokens.
fn configured() -> Inventory {
    let mut inventory = Inventory::default();
    let (sources, rules) = sample_inventory::configuration();
    inventory.set_policy(sources, rules);
    inventory
}

/// The sample's configuration with the tokens of the file of an earlier version.
fn restore_former(version: u32) -> Inventory {
    let bytes = fs::read(golden(&format!("format-{version}.json"))).unwrap();
    let mut inventory = configured();
    for (name, source) in decode_former::<FormerInventory>(&bytes).unwrap().into_sources() {
        inventory.restore(&name, Some(source.state), Some(source.tokens));
    }
    inventory
}

/// The sample's configuration with the tokens of this directory.
fn restore(directory: &Path) -> Inventory {
    let (mut inventory, store) = (configured(), Store::new(directory));
    for name in sample_inventory::configuration().0.into_keys() {
        let LoadedSource { state, tokens, problems } = store.load(&name);
        assert!(problems.is_empty() && state.is_some() == tokens.is_some(), "{name}: {problems:?}");
        inventory.restore(&name, state, tokens);
    }
    inventory
}

/// The files of a directory by name. Tokens uncompressed: the compressor may change.
fn contents(directory: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let content = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let mut text = String::from_utf8(bytes[..end].to_vec()).unwrap();
        if path.extension().is_some_and(|extension| extension == "tokens") {
            text = text.split("\"crc32\"").next().unwrap().to_owned();
            flate2::read::GzDecoder::new(&bytes[end..]).read_to_string(&mut text).unwrap();
        } else {
            text += std::str::from_utf8(&bytes[end..]).unwrap();
        }
        (path.file_name().unwrap().to_str().unwrap().to_owned(), text)
    };
    files.filter(|path| !path.ends_with("inventory.lock")).map(content).collect()
}

#[test]
fn stored_locations_are_restored() {
    let written = tempfile::tempdir().unwrap();
    let (sample, store) = (sample_inventory::inventory(), Store::new(written.path()));
    for (name, source) in sample.sources().filter_map(|(name, _)| Some((name, sample.stored(name)?))) {
        store.save(name, &source, true, sample_inventory::now()).unwrap();
    }
    let restored = restore(written.path());
    let unlisted = |inventory: &Inventory| -> Vec<_> {
        inventory.unlisted_credentials().map(|found| format!("{found:?}")).collect()
    };
    assert_eq!(unlisted(&restored), unlisted(&sample));
    assert!(unlisted(&restored).concat().contains("prod/ci/unknown"));
    let locations = |inventory: &Inventory| -> Vec<_> {
        let tokens = inventory.tokens(sample_inventory::now());
        tokens.flat_map(|view| view.locations.iter().cloned().collect::<Vec<_>>()).collect()
    };
    assert_eq!(locations(&restored), locations(&sample));
    assert_eq!(locations(&restored).len(), 3);
}

/// Written before a place could be hidden, and never changed since.
#[test]
fn locations_that_an_earlier_version_stored_are_read() {
    let directory = golden("format-3-locations");
    let stored = contents(&directory);
    for file in ["inventory-small.state", "shared-small"] {
        assert!(stored[file].contains("prod/ci/renovate") && !stored[file].contains("hidden\":"), "{file}");
    }
    let (restored, sample) = (restore(&directory), sample_inventory::inventory());
    let facts = |inventory: &Inventory| -> Vec<String> {
        let tokens = inventory.tokens(sample_inventory::now());
        let tokens =
            tokens.map(|view| format!("{} {} {:?} {:?}", view.source, view.token.id, view.locations, view.findings));
        tokens.chain(inventory.unlisted_credentials().map(|found| format!("{found:?}"))).collect()
    };
    assert_eq!(facts(&restored), facts(&sample));
    let text = facts(&restored).concat();
    assert!(
        text.contains("prod/ci/renovate") && text.contains("203.0.113.7") && text.contains("prod/ci/unknown"),
        "{text}"
    );
}

/// Files in `tests/golden/inventory/` never change: they are what some version of the exporter has written.
#[test]
fn format_changes_only_with_its_version_and_older_files_are_read() {
    let written = tempfile::tempdir().unwrap();
    // Locations are optional fields: a state without them is unchanged, and a program that does not know them ignores them.
    let (sample, store) = (sample_inventory::inventory_without_locations(), Store::new(written.path()));
    let stored: Vec<_> = sample.sources().filter_map(|(name, _)| Some((name, sample.stored(name)?))).collect();
    assert!(stored.len() > 2 && stored.len() < sample.sources().count(), "a source without a collection is not stored");
    for (name, source) in stored {
        store.save(name, &source, true, sample_inventory::now()).unwrap();
    }
    let current = golden(&format!("format-{FORMAT}"));
    if !current.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir(&current).unwrap();
        for name in contents(written.path()).keys() {
            fs::copy(written.path().join(name), current.join(name)).unwrap();
        }
    }
    assert!(
        contents(&current) == contents(written.path()),
        "the format has changed: increment `FORMAT`, give new fields a default, and write the files of the new \
         version with UPDATE_GOLDEN=1; keep those of the old versions"
    );
    let tokens = |inventory: &Inventory| {
        inventory
            .tokens(sample_inventory::now())
            .map(|view| (view.source.to_owned(), view.token.clone()))
            .collect::<Vec<_>>()
    };
    let known = tokens(&sample);
    assert!(known.len() > 15);
    for version in 1..=FORMAT {
        let inventory = if version < 3 { restore_former(version) } else { restore(&current) };
        assert_eq!(tokens(&inventory), known, "format {version}");
        for ((name, before), (_, after)) in sample.sources().zip(inventory.sources()) {
            assert_eq!((after.last_success, after.last_attempt), (before.last_success, before.last_attempt), "{name}");
            assert_eq!(
                (after.credential_expiry, &after.listings),
                (before.credential_expiry, &before.listings),
                "{name}"
            );
            // Format 1 does not contain it.
            let dropped = if version == 1 { 0 } else { before.dropped };
            assert_eq!(after.dropped, dropped, "{name} of format {version}");
        }
    }
}

/// A directory with a credential, and the flag for the storage path.
fn directory() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key"), "a-key").unwrap();
    let storage = format!("--storage.path={}", dir.path().join("inventory").display());
    (dir, storage)
}

/// The file with the tokens of the source `main`.
fn file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("inventory/inventory-main.tokens")
}

/// The file with its state, written after each collection.
fn state_file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("inventory/inventory-main.state")
}

async fn listed(exporter: &Server) -> usize {
    samples(&metrics(exporter).await, "token_expiry_timestamp_seconds").len()
}

async fn value(exporter: &Server, metric: &str) -> Option<f64> {
    samples(&metrics(exporter).await, metric).first().map(|sample| sample.value)
}

async fn until_listed(exporter: &Server, tokens: usize) {
    wait_for(&format!("{tokens} tokens"), || async { (listed(exporter).await == tokens).then_some(()) }).await;
}

/// Waits until the persisted inventory has this many tokens of the source `main`.
async fn until_saved(dir: &tempfile::TempDir, tokens: usize) {
    wait_for(&format!("{tokens} tokens on disk"), || async { (saved(dir)? == tokens).then_some(()) }).await;
}

/// The number of tokens of the source `main` in the persisted inventory, which must always be valid.
fn saved(dir: &tempfile::TempDir) -> Option<usize> {
    Some(persisted(&dir.path().join("inventory"), "main")?.len())
}

fn warnings(exporter: &Server) -> usize {
    exporter.log().lines().filter(|line| line.contains("inventory") && !line.contains("level=info")).count()
}

#[tokio::test]
async fn restarted_exporter_serves_all_tokens_while_the_provider_is_down() {
    let now = Utc::now().timestamp();
    let stub = StubProvider::start([("main", Org::with(2_500, now)), ("other", Org::with(3, now))]).await;
    let (dir, storage) = directory();
    let config = format!("sources: [{}, {}]\n", stub.source("main", "1h"), stub.source("other", "1h"));
    let before = exporter(dir.path(), &config, &[&storage]).await;
    until_listed(&before, 2_503).await;
    until_saved(&dir, 2_500).await;
    let inventory = dir.path().join("inventory");
    wait_for("the other source", || async { (persisted(&inventory, "other")?.len() == 3).then_some(()) }).await;
    let ages = samples(&metrics(&before).await, "token_source_last_success_timestamp_seconds");
    assert_eq!(ages.len(), 2);
    drop(before);
    let stored = contents(&inventory);
    assert_eq!(stored.len(), 4, "{:?}", stored.keys());
    for (name, content) in stored {
        assert_eq!(fs::metadata(inventory.join(&name)).unwrap().mode() & 0o777, 0o600, "{name}");
        assert!(!content.contains("a-key"), "the credential is on disk: {name}");
    }

    for org in ["main", "other"] {
        stub.org(org, |org| org.fault = Some(ProviderFault::Silence));
    }
    let after = exporter(dir.path(), &config, &[&storage]).await;
    let first = metrics(&after).await;
    assert_eq!(samples(&first, "token_expiry_timestamp_seconds").len(), 2_503, "the first scrape has all tokens");
    assert_eq!(samples(&first, "token_source_last_success_timestamp_seconds"), ages);
    let ready = client().get(format!("{}/-/ready", after.url)).send().await.unwrap();
    assert_eq!(ready.status(), 200, "the inventory was restored");
    wait_for("the failure", || async {
        let up = samples(&metrics(&after).await, "token_source_up");
        (up.len() == 2 && up.iter().all(|up| up.value == 0.0)).then_some(())
    })
    .await;
    assert_eq!(listed(&after).await, 2_503);
    assert_eq!(samples(&metrics(&after).await, "token_source_last_success_timestamp_seconds"), ages);
}

#[tokio::test]
async fn collection_without_a_change_writes_only_the_state() {
    let stub = StubProvider::start([("main", Org::with(200, Utc::now().timestamp()))]).await;
    let (dir, storage) = directory();
    let exporter = exporter(dir.path(), &format!("sources: [{}]\n", stub.source("main", "1s")), &[&storage]).await;
    until_saved(&dir, 200).await;
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.ino(), file.modified().unwrap())).unwrap();
    let tokens = identity(&file(&dir));
    for collection in 1..=3 {
        let state = identity(&state_file(&dir));
        wait_for("a saved state", || async { (identity(&state_file(&dir)) != state).then_some(()) }).await;
        assert_eq!(identity(&file(&dir)), tokens, "collection {collection}");
    }
    assert!(fs::metadata(state_file(&dir)).unwrap().len() < 1_500);
    stub.org("main", |org| org.tokens.retain(|number, _| *number <= 100));
    // The second time that a token is missing.
    until_saved(&dir, 100).await;
    assert_ne!(identity(&file(&dir)), tokens);
    drop(exporter);
}

#[tokio::test]
async fn exporter_listens_at_once_and_serves_no_page_before_it_is_restored() {
    let tokens = 20_000;
    let stub = StubProvider::start([("main", Org::with(tokens, Utc::now().timestamp()))]).await;
    let (dir, storage) = directory();
    let config = format!("sources: [{}]\n", stub.source("main", "1h"));
    let before = exporter(dir.path(), &config, &[&storage]).await;
    until_saved(&dir, tokens as usize).await;
    drop(before);
    let saved_at = [file(&dir), state_file(&dir)].map(|file| fs::metadata(file).unwrap().modified().unwrap());

    stub.org("main", |org| org.fault = Some(ProviderFault::Silence));
    let interrupted = exporter(dir.path(), &config, &[&storage]).await;
    let starting = client().get(format!("{}/metrics", interrupted.url)).send().await.unwrap().status();
    let log = interrupted.stop();
    assert_eq!(starting, 503);
    assert!(log.contains("stopping") && !log.contains("inventory restored"), "it waits for the restoration: {log}");

    let after = exporter(dir.path(), &config, &[&storage]).await;
    let get = async |path: &str| client().get(format!("{}{path}", after.url)).send().await.unwrap();
    let mut unavailable = 0;
    let first = loop {
        let ready = get("/-/ready").await.status();
        let page = get("/metrics").await;
        assert_eq!(get("/-/healthy").await.status(), 200);
        if page.status() == 200 {
            break page.text().await.unwrap();
        }
        assert_eq!(
            (page.status().as_u16(), &page.headers()["retry-after"], ready.as_u16()),
            (503, &"1".parse().unwrap(), 503)
        );
        unavailable += 1;
    };
    assert!(unavailable > 0, "the inventory was restored before the first request");
    assert_eq!(samples(&first, "token_expiry_timestamp_seconds").len(), tokens as usize);
    assert_eq!(get("/-/ready").await.status(), 200, "as soon as there is a page");
    after.stop();
    let files = [file(&dir), state_file(&dir)].map(|file| fs::metadata(file).unwrap().modified().unwrap());
    assert_eq!(files, saved_at, "what was restored is not saved again");
}

/// A Bitbucket Data Center that refuses every password, and the requests that it received.
async fn refusing_provider() -> (String, Arc<AtomicUsize>) {
    let (listener, requests) =
        (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::<AtomicUsize>::default());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::clone(&requests);
    let router = axum::Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready((axum::http::StatusCode::UNAUTHORIZED, "{}"))
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, requests)
}

async fn refusals(exporter: &Server) -> f64 {
    let failures = samples(&metrics(exporter).await, "token_source_failures_total");
    failures.iter().filter(|sample| sample.label("reason") == "unauthorized").map(|sample| sample.value).sum()
}

#[tokio::test]
async fn refused_password_is_not_sent_again_after_a_restart_until_it_changes() {
    let (url, requests) = refusing_provider().await;
    let (dir, storage) = directory();
    let settings = "provider: bitbucket-data-center, username: svc, interval: 1s, credential: {file: key}";
    let config = format!("sources: [{{name: b, url: '{url}', {settings}}}]\n");
    for restart in ["before", "after"] {
        let exporter = exporter(dir.path(), &config, &[&storage]).await;
        // Three listings fail in each collection.
        wait_for("three collections", || async { (refusals(&exporter).await >= 9.0).then_some(()) }).await;
        assert_eq!(requests.load(Ordering::SeqCst), 1, "{restart} the restart:\n{}", exporter.log());
        exporter.stop();
    }
    let persisted = fs::read_to_string(dir.path().join("inventory/inventory-b.state")).unwrap();
    assert!(persisted.contains("\"refusal\":{\"at\":") && !persisted.contains("a-key"), "{persisted}");

    fs::write(dir.path().join("key"), "another-key").unwrap();
    let exporter = exporter(dir.path(), &config, &[&storage]).await;
    wait_for("three collections", || async { (refusals(&exporter).await >= 9.0).then_some(()) }).await;
    assert_eq!(requests.load(Ordering::SeqCst), 2, "the changed password is sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_path_is_locked_by_one_process_until_it_dies() {
    let stub = StubProvider::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, storage) = directory();
    let config = format!("sources: [{}]\n", stub.source("main", "1h"));
    let first = exporter(dir.path(), &config, &[&storage]).await;
    until_saved(&dir, 5).await;

    fs::write(dir.path().join("config.yaml"), &config).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        let output = command.args(arguments).current_dir(dir.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let address = format!("--web.listen-address=127.0.0.1:{}", free_port());
    let (code, stderr) = run(&["serve", "--config.file=config.yaml", &storage, &address]);
    let path = dir.path().join("inventory");
    let expected = format!("the storage path {} is in use by another token-expiry-exporter", path.display());
    assert!(code == Some(1) && stderr.contains(&expected), "{code:?}: {stderr}");
    for command in ["check", "list"] {
        let (code, stderr) = run(&[command, "--config.file=config.yaml"]);
        assert_eq!(code, Some(0), "{command} is not affected: {stderr}");
    }
    assert_eq!(saved(&dir), Some(5), "the file of the first process is unchanged");

    drop(first); // Kills it.
    let next = exporter(dir.path(), &config, &[&storage]).await;
    assert_eq!(listed(&next).await, 5);
}

#[tokio::test]
async fn unusable_file_is_renamed_logged_once_and_counted() {
    let stub = StubProvider::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, storage) = directory();
    let config = format!("sources: [{}]\n", stub.source("main", "1h"));
    fs::create_dir(dir.path().join("inventory")).unwrap();
    let newer = r#"{"format":4,"crc32":"00000000","length":2,"written_at":"2026-03-01T08:00:00Z"}"#;
    fs::write(file(&dir), format!("{newer}\n{{}}")).unwrap();
    let exporter = exporter(dir.path(), &config, &[&storage]).await;
    until_listed(&exporter, 5).await;
    until_saved(&dir, 5).await;
    assert!(fs::read_to_string(file(&dir).with_extension("tokens.set-aside-1")).unwrap().starts_with(newer));
    assert_eq!(value(&exporter, "token_expiry_exporter_storage_failures_total").await, Some(1.0));
    wait_for("a warning", || async { (warnings(&exporter) > 0).then_some(()) }).await;
    assert_eq!(warnings(&exporter), 1, "{}", exporter.log());
}

/// A limit of the file size has the same effect as a full disk.
#[tokio::test]
async fn full_disk_is_counted_and_saving_recovers() {
    let stub = StubProvider::start([("main", Org::with(2_000, Utc::now().timestamp()))]).await;
    let (dir, storage) = directory();
    let port = free_port();
    fs::write(dir.path().join("config.yaml"), format!("sources: [{}]\n", stub.source("main", "1s"))).unwrap();
    let program = env!("CARGO_BIN_EXE_token-expiry-exporter");
    let mut command = Command::new("bash");
    // In blocks of 1 KiB. The signal is ignored so that the write fails instead; the log goes through a pipe without the limit.
    command.arg("-c").arg(format!(
        "exec > >(cat) 2>&1; trap '' XFSZ; ulimit -S -f 8; \
         exec '{program}' serve '{storage}' --config.file=config.yaml --web.listen-address=127.0.0.1:{port}"
    ));
    command.current_dir(dir.path());
    let exporter = Server::start("token-expiry-exporter", command, dir.path(), port, "/-/healthy").await;
    wait_for("a failure", || async {
        value(&exporter, "token_expiry_exporter_storage_failures_total").await.filter(|failures| *failures > 0.0)
    })
    .await;
    until_listed(&exporter, 2_000).await;
    assert_eq!(saved(&dir), None, "no incomplete file");
    let unlimited =
        Command::new("prlimit").arg(format!("--pid={}", exporter.pid())).arg("--fsize=unlimited:").status().unwrap();
    assert!(unlimited.success());
    until_saved(&dir, 2_000).await;
    let log = exporter.logged(&["File too large", "inventory persistence recovered"]).await;
    let logged = log.lines().filter(|line| line.contains("cannot save the inventory")).count();
    assert_eq!(logged, 1, "not at every attempt: {log}");
}

/// The group of directories that are shared, of which every process is a member if the test runs as root.
const GROUP: u32 = 2_000;

/// The exporter with the storage path `inventory`. If the test runs as root, who may read and write everything: as this user and
/// group, from a copy of the program, as other users may have no access to the test's own directory.
async fn exporter_as(uid: u32, gid: u32, dir: &Path, config: &str) -> Server {
    let port = free_port();
    let command = command_as(uid, gid, dir, config, port);
    Server::start("token-expiry-exporter", command, dir, port, "/-/healthy").await
}

fn command_as(uid: u32, gid: u32, dir: &Path, config: &str, port: u16) -> Command {
    let program = dir.join("exporter");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_token-expiry-exporter"), &program).unwrap();
    }
    set_mode(dir, 0o755);
    set_mode(&dir.join("key"), 0o644);
    fs::write(dir.join("config.yaml"), config).unwrap();
    let mut command = Command::new(if is_root() { "setpriv" } else { "env" });
    if is_root() {
        command.args([format!("--reuid={uid}"), format!("--regid={gid}"), format!("--groups={GROUP}")]);
    }
    command.arg(program).args(["serve", "--config.file=config.yaml", "--storage.path=inventory"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(dir);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Creates the storage path with this mode; it belongs to the test's user and to this group if the test runs as root.
fn storage_path(dir: &tempfile::TempDir, gid: u32, mode: u32) -> PathBuf {
    let inventory = dir.path().join("inventory");
    fs::create_dir(&inventory).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&inventory, None, Some(gid)).unwrap();
    }
    set_mode(&inventory, mode);
    inventory
}

#[tokio::test]
async fn read_only_directory_is_counted_and_saving_recovers() {
    let stub = StubProvider::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, _) = directory();
    let inventory = storage_path(&dir, 0, 0o555);
    let config = format!("sources: [{}]\n", stub.source("main", "1s"));
    let exporter = exporter_as(65_534, 65_534, dir.path(), &config).await;
    until_listed(&exporter, 5).await;
    let failures = || value(&exporter, "token_expiry_exporter_storage_failures_total");
    wait_for("failures", || async { failures().await.filter(|failures| *failures >= 3.0) }).await;
    let owner = fs::metadata(&inventory).unwrap();
    let expected =
        format!("the directory inventory belongs to uid {} and gid {} with mode 0555", owner.uid(), owner.gid());
    exporter.logged(&[&expected]).await;
    set_mode(&inventory, 0o777);
    exporter.logged(&["inventory persistence recovered"]).await;
    assert_eq!(listed(&exporter).await, 5);
}

/// A volume that belongs to a group, as with `fsGroup` in Kubernetes, after a change of `runAsUser`.
#[tokio::test]
async fn another_user_of_the_directorys_group_restores_the_inventory() {
    // With and without the set-group-ID bit, by which new files get the directory's group.
    for mode in [0o2775, 0o775] {
        check_change_of_user(mode).await;
    }
}

async fn check_change_of_user(mode: u32) {
    let stub = StubProvider::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, _) = directory();
    storage_path(&dir, GROUP, mode);
    let config = format!("sources: [{}]\n", stub.source("main", "1s"));
    let before = exporter_as(65_534, 65_534, dir.path(), &config).await;
    until_saved(&dir, 5).await;
    before.stop();

    stub.org("main", |org| org.fault = Some(ProviderFault::Status(401)));
    let after = exporter_as(65_533, 65_533, dir.path(), &config).await;
    assert_eq!(listed(&after).await, 5, "the inventory is restored: {}", after.log());
    assert_eq!(value(&after, "token_expiry_exporter_storage_failures_total").await, Some(0.0), "{}", after.log());
    let saved_at = fs::metadata(state_file(&dir)).unwrap().modified().unwrap();
    wait_for("a save", || async {
        (fs::metadata(state_file(&dir)).unwrap().modified().unwrap() > saved_at).then_some(())
    })
    .await;
    assert_eq!(saved(&dir), Some(5));
}

/// An inventory that this user may not read is neither renamed nor overwritten; a lock file that it may not open is replaced.
#[tokio::test]
async fn inventory_of_another_user_stays_until_its_owner_is_changed() {
    let stub = StubProvider::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, _) = directory();
    let inventory = storage_path(&dir, 0, 0o777);
    let config = format!("sources: [{}]\n", stub.source("main", "1s"));
    let before = exporter_as(65_534, 65_534, dir.path(), &config).await;
    until_saved(&dir, 5).await;
    before.stop();
    let lock = inventory.join("inventory.lock");
    if !is_root() {
        set_mode(&file(&dir), 0o000);
        set_mode(&lock, 0o000);
    }
    let file_before = fs::metadata(file(&dir)).unwrap();
    let owner_and_mode = |path: &Path| fs::metadata(path).map(|file| (file.uid(), file.mode())).unwrap();
    let lock_before = owner_and_mode(&lock);

    stub.org("main", |org| org.tokens.retain(|number, _| *number <= 3));
    let after = exporter_as(65_533, 65_533, dir.path(), &config).await;
    until_listed(&after, 3).await;
    let failures = || value(&after, "token_expiry_exporter_storage_failures_total");
    wait_for("failures", || async { failures().await.filter(|failures| *failures >= 3.0) }).await;
    let owner = format!("inventory-main.tokens belongs to uid {} and gid {}", file_before.uid(), file_before.gid());
    let log =
        after.logged(&[&owner, "cannot restore the inventory", "change its owner and restart, or delete it"]).await;
    let file_after = fs::metadata(file(&dir)).unwrap();
    assert_eq!((file_after.ino(), file_after.mtime()), (file_before.ino(), file_before.mtime()), "{log}");
    assert_ne!(owner_and_mode(&lock), lock_before, "the lock file is replaced");
    let mut names: Vec<_> = fs::read_dir(&inventory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["inventory-main.state", "inventory-main.tokens", "inventory.lock"]);
    after.stop();

    // The remedy in the message.
    if is_root() {
        std::os::unix::fs::chown(file(&dir), Some(65_533), Some(65_533)).unwrap();
    } else {
        set_mode(&file(&dir), 0o600);
    }
    stub.org("main", |org| org.fault = Some(ProviderFault::Silence));
    let restored = exporter_as(65_533, 65_533, dir.path(), &config).await;
    assert_eq!(listed(&restored).await, 5, "{}", restored.log());
    restored.stop();
    assert_eq!(saved(&dir), Some(5));
}

#[tokio::test]
async fn storage_path_is_locked_against_processes_of_other_users() {
    let stub = StubProvider::start([("main", Org::with(5, Utc::now().timestamp()))]).await;
    let (dir, _) = directory();
    let inventory = storage_path(&dir, 0, 0o777);
    let config = format!("sources: [{}]\n", stub.source("main", "1s"));
    let first = exporter_as(65_534, 65_534, dir.path(), &config).await;
    until_saved(&dir, 5).await;
    let lock = inventory.join("inventory.lock");
    // Also if the lock file cannot be opened, and if it was deleted.
    for damage in ["unreadable", "deleted"] {
        if damage == "deleted" {
            fs::remove_file(&lock).unwrap();
        } else {
            set_mode(&lock, 0o000);
        }
        let port = free_port();
        let output = command_as(65_533, 65_533, dir.path(), &config, port).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let in_use = "the storage path inventory is in use by another token-expiry-exporter";
        assert!(output.status.code() == Some(1) && stderr.contains(in_use), "{damage}: {:?}: {stderr}", output.status);
    }
    let saved_at = fs::metadata(state_file(&dir)).unwrap().modified().unwrap();
    wait_for("a save of the first process", || async {
        (fs::metadata(state_file(&dir)).unwrap().modified().unwrap() > saved_at).then_some(())
    })
    .await;
    assert!(lock.exists(), "the first process locks again: {}", first.log());
    drop(first);
    let next = exporter_as(65_534, 65_534, dir.path(), &config).await;
    assert_eq!(listed(&next).await, 5);
}
