#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use chrono::{DateTime, Utc};

use super::*;

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

fn quarantined(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("inventory.json.set-aside-{number}"))
}

#[test]
fn saved_file_is_loaded_and_readable_only_by_its_owner() {
    let (directory, store) = store();
    assert_eq!(store.load::<Vec<String>>().unwrap(), Loaded::Missing);
    store.save(&encode(&["one"], now()).unwrap()).unwrap();
    store.save(&encode(&["one", "zwö\n"], now()).unwrap()).unwrap();
    assert_eq!(store.load().unwrap(), Loaded::Found(vec!["one".to_owned(), "zwö\n".to_owned()]));
    for name in names(directory.path()) {
        let mode = fs::metadata(directory.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(names(directory.path()), ["inventory.json", "inventory.lock"]);
    insta::assert_snapshot!(fs::read_to_string(store.file()).unwrap(), @r#"
    {"format":2,"crc32":"8a1f61cd","length":16,"written_at":"2025-10-09T08:53:20Z"}
    ["one","zwö\n"]
    "#);
}

#[test]
fn unusable_file_is_renamed() {
    let valid = encode(&["one"], now()).unwrap();
    let changed = |from: &str, to: &str| String::from_utf8(valid.clone()).unwrap().replace(from, to).into_bytes();
    let newer = "unsupported format 3; this version reads 1 to 2";
    let cases = [
        (valid[..valid.len() - 1].to_vec(), "expected 7 bytes, found 6"),
        ([&valid[..], b"x"].concat(), "expected 7 bytes, found 8"),
        (changed("[\"one\"]", "[\"onf\"]"), "checksum mismatch"),
        (changed("\"format\":2", "\"format\":3"), newer),
        (b"{\"format\":3,\"zstd\":true}\n".to_vec(), newer),
        (changed("\"format\":2", "\"format\":0"), "unsupported format 0; this version reads 1 to 2"),
        (b"[1]\n".to_vec(), "not an inventory file"),
        (b"<!DOCTYPE html>\n<html>".to_vec(), "not an inventory file"),
        (b"\0\0\0\0".to_vec(), "incomplete header line"),
        (vec![b'x'; 1 << 20], "incomplete header line"),
        (Vec::new(), "incomplete header line"),
        (encode(&[1], now()).unwrap(), "invalid content: Data error at column 2"),
    ];
    for (bytes, expected) in &cases {
        let (directory, store) = store();
        fs::write(store.file(), bytes).unwrap();
        let to = quarantined(directory.path(), 1);
        let expected = Loaded::Quarantined { why: (*expected).to_owned(), to: to.clone() };
        assert_eq!(store.load::<Vec<String>>().unwrap(), expected);
        assert_eq!(&fs::read(to).unwrap(), bytes);
        assert_eq!(store.load::<Vec<String>>().unwrap(), Loaded::Missing);
    }
}

#[test]
fn older_format_is_decoded() {
    let older = String::from_utf8(encode(&["one"], now()).unwrap()).unwrap().replace("\"format\":2", "\"format\":1");
    assert_eq!(decode(older.as_bytes()), Ok(vec!["one".to_owned()]));
}

type Create = fn(&Path);

#[test]
fn non_regular_file_is_renamed_without_blocking() {
    fn pipe(at: &Path) {
        assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
    }
    let cases: [(_, Create, _); 2] = [
        ("a directory", |at| fs::create_dir(at).unwrap(), "not a regular file"),
        ("a pipe", pipe, "not a regular file"),
    ];
    for (what, create, expected) in cases {
        let (directory, store) = store();
        create(&store.file());
        let Loaded::Quarantined { why, to } = store.load::<Vec<String>>().unwrap() else { panic!("{what} is loaded") };
        assert!(why.starts_with(expected), "{what}: {why}");
        assert_eq!(to, quarantined(directory.path(), 1));
        store.save(&encode(&["one"], now()).unwrap()).unwrap();
        assert_eq!(store.load().unwrap(), Loaded::Found(vec!["one".to_owned()]), "{what}");
    }
}

/// A link to a volume that is not mounted yet: not even root can read it.
#[test]
fn unreadable_file_is_neither_renamed_nor_replaced_until_it_is_readable() {
    let (directory, before) = store();
    let volume = directory.path().join("volume");
    symlink(&volume, before.file()).unwrap();
    let error = before.load::<Vec<String>>().unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("No such file"), "{error}");
    assert!(error.ends_with("make it readable and restart, or delete it"), "{error}");
    let not_replaced = before.save(&encode(&["new"], now()).unwrap()).unwrap_err().to_string();
    assert!(not_replaced.contains("it could not be read at the start and is not replaced"), "{not_replaced}");
    assert_eq!(names(directory.path()), ["inventory.json", "inventory.lock"]);
    drop(before);
    fs::write(volume, encode(&["old"], now()).unwrap()).unwrap();
    let after = Store::new(directory.path());
    assert_eq!(after.load().unwrap(), Loaded::Found(vec!["old".to_owned()]));
    after.save(&encode(&["new"], now()).unwrap()).unwrap();
}

#[test]
fn deleted_unreadable_file_is_replaced() {
    let (_directory, store) = store();
    symlink("/nowhere/at/all", store.file()).unwrap();
    store.load::<Vec<String>>().unwrap_err();
    fs::remove_file(store.file()).unwrap();
    store.save(&encode(&["new"], now()).unwrap()).unwrap();
    assert_eq!(store.load().unwrap(), Loaded::Found(vec!["new".to_owned()]));
}

/// With a set group ID, and after a change of user in Kubernetes.
#[test]
fn file_is_shared_with_a_group_that_may_write_to_the_directory() {
    for (mode, expected) in [(0o770, 0o640), (0o2775, 0o640), (0o750, 0o600), (0o1777, 0o600), (0o700, 0o600)] {
        let (directory, store) = store();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        store.save(&encode(&["one"], now()).unwrap()).unwrap();
        assert_eq!(fs::metadata(store.file()).unwrap().permissions().mode() & 0o777, expected, "{mode:o}");
    }
}

#[test]
fn renamed_files_are_limited() {
    let (directory, store) = store();
    for _ in 0..20 {
        fs::write(store.file(), "x").unwrap();
        store.load::<()>().unwrap();
    }
    assert_eq!(names(directory.path()).len(), 9);
}

#[test]
fn crash_leaves_the_previous_file() {
    let (directory, before) = store();
    before.save(&encode(&["old"], now()).unwrap()).unwrap();
    drop(before);
    fs::write(directory.path().join(".inventory-x7Gq2"), "half").unwrap();
    let after = Store::new(directory.path());
    assert_eq!(after.lock().unwrap(), Lock::Acquired);
    assert_eq!(after.load().unwrap(), Loaded::Found(vec!["old".to_owned()]));
    assert_eq!(names(directory.path()), ["inventory.json", "inventory.lock"]);
}

#[test]
fn directory_is_locked_by_one_store() {
    let (directory, first) = store();
    assert_eq!(first.lock().unwrap(), Lock::Acquired);
    assert_eq!(first.lock().unwrap(), Lock::Acquired, "again");
    fs::write(directory.path().join(".inventory-x7Gq2"), "being written by the first").unwrap();
    let second = Store::new(directory.path());
    assert_eq!(second.lock().unwrap(), Lock::Taken);
    let error = second.save(b"x").unwrap_err().to_string();
    assert!(error.contains("locked by another process"), "{error}");
    assert_eq!(
        names(directory.path()),
        [".inventory-x7Gq2", "inventory.lock"],
        "files of the first store are unchanged"
    );
    drop(first);
    assert_eq!(second.lock().unwrap(), Lock::Acquired);
}

#[test]
fn write_error_names_the_remedy() {
    let (directory, _) = store();
    let created = Store::new(directory.path().join("made/here"));
    created.save(b"x").unwrap();
    assert_eq!(fs::metadata(directory.path().join("made/here")).unwrap().permissions().mode() & 0o777, 0o700);
    // A file instead of the directory: not even root, as whom tests may run, can create it.
    let blocked = Store::new(directory.path().join("made/here/inventory.json"));
    let error = blocked.save(b"x").unwrap_err().to_string();
    assert!(error.starts_with("cannot create ") && error.contains("here/inventory.json: "), "{error}");
    assert!(error.ends_with("the storage path must be a writable directory"), "{error}");
    // A directory cannot be replaced by the file; the temporary file is removed.
    let (directory, blocked) = store();
    fs::create_dir(directory.path().join(FILE)).unwrap();
    assert!(blocked.save(b"x").is_err());
    assert_eq!(names(directory.path()), ["inventory.json", "inventory.lock"]);
}
