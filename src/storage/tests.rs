#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use serde_json::json;

use super::encoding::{decode_former, decode_state};
use super::*;
use crate::core::inventory::TokensBuilder;

mod damage;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000, 0).unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path());
    (directory, store)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const FILES: [&str; 3] = ["inventory-s.state", "inventory-s.tokens", "inventory.lock"];

fn tokens(ids: &[&str]) -> StoredTokens {
    let mut tokens = TokensBuilder::default();
    for id in ids {
        let token = json!({
            "id": id, "name": "zwö\n", "kind": "k", "owner": null, "created_at": null, "expires": "never", "last_used": "never",
            "scopes": [], "disabled": false, "lifetime": null, "manage_url": null, "labels": {}, "approximate": false,
        });
        let stored = json!({"token": token, "listing": "l", "path": "", "presence": "listed"});
        tokens.push(serde_json::from_value(stored).unwrap());
    }
    tokens.build("p".to_owned())
}

fn source(ids: &[&str]) -> StoredSource {
    let state = StoredState { provider: "p".to_owned(), last_attempt: Some(now()), ..StoredState::default() };
    StoredSource { state, tokens: tokens(ids) }
}

fn save(store: &Store, ids: &[&str]) -> Result<(), StorageError> {
    store.save("s", &source(ids), true, now())
}

fn ids(tokens: &StoredTokens) -> Vec<String> {
    tokens
        .iter()
        .map(|token| serde_json::to_value(token).unwrap()["token"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The tokens that the store loads without a problem.
fn loaded(store: &Store) -> Vec<String> {
    let loaded = store.load("s");
    assert!(loaded.problems.is_empty() && loaded.state.is_some(), "{loaded:?}");
    ids(&loaded.tokens.unwrap())
}

fn encoded_tokens(ids: &[&str]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    write_tokens(&mut bytes, &tokens(ids)).unwrap();
    bytes.into_inner()
}

#[test]
fn saved_source_is_loaded_and_readable_only_by_its_owner() {
    let (directory, store) = store();
    let missing = store.load("s");
    assert!(missing.state.is_none() && missing.tokens.is_none() && missing.problems.is_empty());
    save(&store, &["1"]).unwrap();
    save(&store, &["1", "2"]).unwrap();
    assert_eq!(loaded(&store), ["1", "2"]);
    for name in names(directory.path()) {
        let mode = fs::metadata(directory.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(names(directory.path()), FILES);
    insta::assert_snapshot!(fs::read_to_string(store.state_file("s")).unwrap(), @r#"
    {"format":3,"crc32":"e5260ac8","length":200,"written_at":"2025-10-09T08:53:20Z"}
    {"provider":"p","last_attempt":"2025-10-09T08:53:20Z","last_success":null,"last_duration_milliseconds":null,"credential":null,"rate_limit":null,"listings":{},"dropped":0,"filtered":0,"adjustments":{}}
    "#);
    let file = fs::read(store.tokens_file("s")).unwrap();
    let header_length = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let header: serde_json::Value = serde_json::from_slice(&file[..header_length]).unwrap();
    assert_eq!((&header["format"], &header["provider"]), (&json!(3), &json!("p")));
    assert_eq!(header["length"], file.len() - header_length);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&file[header_length..]).read_to_string(&mut text).unwrap();
    insta::assert_snapshot!(text, @r#"
    {"token":{"id":"1","name":"zwö\n","kind":"k","owner":null,"created_at":null,"expires":"never","last_used":"never","scopes":[],"disabled":false,"lifetime":null,"manage_url":null,"labels":{},"approximate":false},"listing":"l","path":"","presence":"listed"}
    {"token":{"id":"2","name":"zwö\n","kind":"k","owner":null,"created_at":null,"expires":"never","last_used":"never","scopes":[],"disabled":false,"lifetime":null,"manage_url":null,"labels":{},"approximate":false},"listing":"l","path":"","presence":"listed"}
    "#);
}

#[test]
fn tokens_that_did_not_change_are_not_written_unless_their_file_is_missing() {
    let (_directory, store) = store();
    save(&store, &["1"]).unwrap();
    let later = StoredSource { state: StoredState { dropped: 7, ..source(&[]).state }, tokens: tokens(&["2"]) };
    store.save("s", &later, false, now()).unwrap();
    assert_eq!(loaded(&store), ["1"]);
    assert_eq!(store.load("s").state.unwrap().dropped, 7);
    fs::remove_file(store.tokens_file("s")).unwrap();
    store.save("s", &later, false, now()).unwrap();
    assert_eq!(loaded(&store), ["2"]);
}

#[test]
fn equal_tokens_have_equal_bytes_and_are_written_from_the_present_position() {
    let once = encoded_tokens(&["1", "2"]);
    assert_eq!(encoded_tokens(&["2", "1"]), once);
    let mut after = Cursor::new(b"before".to_vec());
    after.seek(SeekFrom::End(0)).unwrap();
    write_tokens(&mut after, &tokens(&["1", "2"])).unwrap();
    assert_eq!(after.position(), after.get_ref().len() as u64);
    assert_eq!(after.into_inner(), [b"before", &once[..]].concat());
}

#[test]
fn state_is_decoded_within_another_value() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Object {
        revision: u64,
        source: StoredState,
    }
    let object = Object { revision: 4, source: source(&[]).state };
    let bytes = encode_state(&object, now()).unwrap();
    assert_eq!(decode_state::<Object>(&bytes).unwrap(), object);
    assert!(matches!(decode_state::<Object>(&bytes[..9]), Err(ReadError::Damaged(_))));
    let former = String::from_utf8(bytes).unwrap().replace("\"format\":3", "\"format\":1");
    assert_eq!(decode_former::<Object>(former.as_bytes()).unwrap(), object);
}

type Create = fn(&Path);

/// With a set group ID, and after a change of user in Kubernetes.
#[test]
fn files_are_shared_with_a_group_that_may_write_to_the_directory() {
    for (mode, expected) in [(0o770, 0o640), (0o2775, 0o640), (0o750, 0o600), (0o1777, 0o600), (0o700, 0o600)] {
        let (directory, store) = store();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        save(&store, &["1"]).unwrap();
        for file in [store.state_file("s"), store.tokens_file("s")] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, expected, "{mode:o}");
        }
    }
}

#[test]
fn crash_leaves_the_previous_files() {
    let (directory, before) = store();
    save(&before, &["old"]).unwrap();
    drop(before);
    fs::write(directory.path().join(".inventory-x7Gq2"), "half").unwrap();
    let after = Store::new(directory.path());
    assert_eq!(after.lock().unwrap(), Lock::Acquired);
    assert_eq!(loaded(&after), ["old"]);
    assert_eq!(names(directory.path()), FILES);
}

#[test]
fn files_of_other_sources_are_removed_and_foreign_files_stay() {
    let (directory, store) = store();
    for name in ["s", "S", "gone", "go.ne"] {
        store.save(name, &source(&["1"]), true, now()).unwrap();
    }
    for foreign in
        ["inventory.json", "inventory-notes.txt", "notes.state", "tokens.yaml", "inventory-gone.tokens.set-aside-1"]
    {
        fs::write(directory.path().join(foreign), "x").unwrap();
    }
    store.retain(&["s".to_owned(), "S".to_owned()].into()).unwrap();
    let expected = [
        "inventory-%53.state",
        "inventory-%53.tokens",
        "inventory-gone.tokens.set-aside-1",
        "inventory-notes.txt",
        "inventory-s.state",
        "inventory-s.tokens",
        "inventory.json",
        "inventory.lock",
        "notes.state",
        "tokens.yaml",
    ];
    assert_eq!(names(directory.path()), expected);
}

#[test]
fn directory_is_locked_by_one_store() {
    let (directory, first) = store();
    assert_eq!(first.lock().unwrap(), Lock::Acquired);
    assert_eq!(first.lock().unwrap(), Lock::Acquired, "again");
    fs::write(directory.path().join(".inventory-x7Gq2"), "being written by the first").unwrap();
    let second = Store::new(directory.path());
    assert_eq!(second.lock().unwrap(), Lock::Taken);
    for failed in [save(&second, &["1"]), second.retain(&BTreeSet::new())] {
        let error = failed.unwrap_err().to_string();
        assert!(error.contains("locked by another process"), "{error}");
    }
    assert_eq!(
        names(directory.path()),
        [".inventory-x7Gq2", "inventory.lock"],
        "files of the first store are unchanged"
    );
    drop(first);
    assert_eq!(second.lock().unwrap(), Lock::Acquired);
}

#[test]
fn lock_is_taken_again_if_its_file_was_replaced() {
    let (directory, store) = store();
    assert_eq!(store.lock().unwrap(), Lock::Acquired);
    fs::remove_file(directory.path().join("inventory.lock")).unwrap();
    save(&store, &["1"]).unwrap();
    assert_eq!(names(directory.path()), FILES, "with the lock file of the second time");
}

#[test]
fn write_error_names_the_remedy() {
    let (directory, _) = store();
    let created = Store::new(directory.path().join("made/here"));
    save(&created, &["1"]).unwrap();
    assert_eq!(fs::metadata(directory.path().join("made/here")).unwrap().permissions().mode() & 0o777, 0o700);
    // A file instead of the directory: not even root, as whom tests may run, can create it.
    let blocked = Store::new(created.state_file("s"));
    let error = save(&blocked, &["1"]).unwrap_err().to_string();
    assert!(error.starts_with("cannot create ") && error.contains("here/inventory-s.state: "), "{error}");
    assert!(error.ends_with("the storage path must be a writable directory"), "{error}");
    // A directory cannot be replaced by the file; the temporary file is removed.
    let (directory, blocked) = store();
    fs::create_dir(blocked.tokens_file("s")).unwrap();
    assert!(save(&blocked, &["1"]).is_err());
    assert_eq!(names(directory.path()), ["inventory-s.tokens", "inventory.lock"]);
}
