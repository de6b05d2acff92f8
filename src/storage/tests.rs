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

fn set_aside(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("inventory.json.set-aside-{number}"))
}

#[test]
fn what_was_saved_is_found_again_and_only_its_owner_may_read_it() {
    let (directory, store) = store();
    assert_eq!(store.load::<Vec<String>>().unwrap(), Loaded::Nothing);
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
fn a_file_that_cannot_be_used_is_set_aside() {
    let sound = encode(&["one"], now()).unwrap();
    let changed = |from: &str, to: &str| String::from_utf8(sound.clone()).unwrap().replace(from, to).into_bytes();
    let newer = "it has format 3, and this version of the program reads formats 1 to 2";
    let cases = [
        (sound[..sound.len() - 1].to_vec(), "it should hold 7 bytes, and holds 6"),
        ([&sound[..], b"x"].concat(), "it should hold 7 bytes, and holds 8"),
        (changed("[\"one\"]", "[\"onf\"]"), "its checksum does not match its content"),
        (changed("\"format\":2", "\"format\":3"), newer),
        (b"{\"format\":3,\"zstd\":true}\n".to_vec(), newer),
        (
            changed("\"format\":2", "\"format\":0"),
            "it has format 0, and this version of the program reads formats 1 to 2",
        ),
        (b"[1]\n".to_vec(), "its first line is not that of an inventory"),
        (b"<!DOCTYPE html>\n<html>".to_vec(), "its first line is not that of an inventory"),
        (b"\0\0\0\0".to_vec(), "its first line has no end"),
        (vec![b'x'; 1 << 20], "its first line has no end"),
        (Vec::new(), "its first line has no end"),
        (encode(&[1], now()).unwrap(), "its content cannot be read: Data error at column 2"),
    ];
    for (bytes, expected) in &cases {
        let (directory, store) = store();
        fs::write(store.file(), bytes).unwrap();
        let to = set_aside(directory.path(), 1);
        let aside = Loaded::Quarantined { why: (*expected).to_owned(), to: to.clone() };
        assert_eq!(store.load::<Vec<String>>().unwrap(), aside);
        assert_eq!(&fs::read(to).unwrap(), bytes);
        assert_eq!(store.load::<Vec<String>>().unwrap(), Loaded::Nothing);
    }
}

#[test]
fn an_older_format_is_read() {
    let older = String::from_utf8(encode(&["one"], now()).unwrap()).unwrap().replace("\"format\":2", "\"format\":1");
    assert_eq!(decode(older.as_bytes()), Ok(vec!["one".to_owned()]));
}

type Make = fn(&Path);

#[test]
fn what_is_no_file_is_set_aside_without_a_wait_and_what_is_saved_takes_its_place() {
    fn pipe(at: &Path) {
        assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
    }
    let cases: [(_, Make, _); 3] = [
        ("a directory", |at| fs::create_dir(at).unwrap(), "it is no file"),
        ("a pipe", pipe, "it is no file"),
        ("a link to nothing", |at| symlink("/nowhere/at/all", at).unwrap(), "it cannot be read: No such file"),
    ];
    for (what, make, expected) in cases {
        let (directory, store) = store();
        make(&store.file());
        let Loaded::Quarantined { why, to } = store.load::<Vec<String>>().unwrap() else { panic!("{what} is used") };
        assert!(why.starts_with(expected), "{what}: {why}");
        assert_eq!(to, set_aside(directory.path(), 1));
        store.save(&encode(&["one"], now()).unwrap()).unwrap();
        assert_eq!(store.load().unwrap(), Loaded::Found(vec!["one".to_owned()]), "{what}");
    }
}

#[test]
fn files_that_were_set_aside_do_not_fill_the_disk() {
    let (directory, store) = store();
    for _ in 0..20 {
        fs::write(store.file(), "x").unwrap();
        store.load::<()>().unwrap();
    }
    assert_eq!(names(directory.path()).len(), 9);
}

#[test]
fn a_crash_leaves_the_old_file_and_nothing_for_long() {
    let (directory, before) = store();
    before.save(&encode(&["old"], now()).unwrap()).unwrap();
    drop(before);
    fs::write(directory.path().join(".inventory-x7Gq2"), "half").unwrap();
    let after = Store::new(directory.path());
    assert_eq!(after.claim().unwrap(), Lock::Ours);
    assert_eq!(after.load().unwrap(), Loaded::Found(vec!["old".to_owned()]));
    assert_eq!(names(directory.path()), ["inventory.json", "inventory.lock"]);
}

#[test]
fn a_directory_belongs_to_one_store_at_a_time() {
    let (directory, first) = store();
    assert_eq!(first.claim().unwrap(), Lock::Ours);
    assert_eq!(first.claim().unwrap(), Lock::Ours, "again");
    fs::write(directory.path().join(".inventory-x7Gq2"), "being written by the first").unwrap();
    let second = Store::new(directory.path());
    assert_eq!(second.claim().unwrap(), Lock::Taken);
    let error = second.save(b"x").unwrap_err().to_string();
    assert!(error.contains("another process keeps its inventory there"), "{error}");
    assert_eq!(names(directory.path()), [".inventory-x7Gq2", "inventory.lock"], "nothing of the first is touched");
    drop(first);
    assert_eq!(second.claim().unwrap(), Lock::Ours);
}

#[test]
fn where_nothing_can_be_written_the_error_names_the_way_out() {
    let (directory, _) = store();
    let made = Store::new(directory.path().join("made/here"));
    made.save(b"x").unwrap();
    assert_eq!(fs::metadata(directory.path().join("made/here")).unwrap().permissions().mode() & 0o777, 0o700);
    // A file in the place of the directory: neither can be made, also by root, as whom tests may run.
    let gone = Store::new(directory.path().join("made/here/inventory.json"));
    let error = gone.save(b"x").unwrap_err().to_string();
    assert!(error.starts_with("cannot make ") && error.contains("here/inventory.json: "), "{error}");
    assert!(error.ends_with("the storage path must be a directory that this process may write to"), "{error}");
    // A file that is a directory cannot be replaced, and nothing is left lying about.
    let (directory, blocked) = store();
    fs::create_dir(directory.path().join(NAME)).unwrap();
    assert!(blocked.save(b"x").is_err());
    assert_eq!(names(directory.path()), ["inventory.json", "inventory.lock"]);
}
