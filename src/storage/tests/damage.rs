//! Files that are damaged, unreadable, or not files.

use super::*;

/// The reason for which a file is renamed.
fn renamed(store: &Store, file: &Path, bytes: &[u8]) -> String {
    fs::write(file, bytes).unwrap();
    let mut problems = store.load("s").problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    let Some(Problem::Quarantined { file: renamed, to, why }) = problems.pop() else {
        panic!("{file:?} is not renamed")
    };
    assert_eq!(renamed, file);
    assert_eq!(
        to.file_name().unwrap().to_str().unwrap(),
        format!("{}.set-aside-1", file.file_name().unwrap().to_str().unwrap())
    );
    assert_eq!(fs::read(&to).unwrap(), bytes);
    fs::remove_file(to).unwrap();
    why
}

/// Cases that both kinds of files have in common.
fn unusable(valid: &[u8]) -> Vec<(Vec<u8>, String)> {
    let changed = |from: &str, to: &str| {
        let end = valid.iter().position(|byte| *byte == b'\n').unwrap();
        let header = String::from_utf8(valid[..end].to_vec()).unwrap();
        assert!(header.contains(from), "{header}");
        [header.replace(from, to).as_bytes(), &valid[end..]].concat()
    };
    let crc32 = String::from_utf8_lossy(valid).split("\"crc32\":\"").nth(1).unwrap()[..8].to_owned();
    let length = valid.len() - valid.iter().position(|byte| *byte == b'\n').unwrap() - 1;
    let newer = "unsupported format 4; this version expects 3";
    [
        ([valid, b"x"].concat(), format!("expected {length} bytes, found {}", length + 1)),
        (changed(&crc32, "00000000"), "checksum mismatch".to_owned()),
        (changed("\"format\":3", "\"format\":4"), newer.to_owned()),
        (b"{\"format\":4,\"zstd\":true}\n".to_vec(), newer.to_owned()),
        (changed("\"format\":3", "\"format\":2"), "unsupported format 2; this version expects 3".to_owned()),
        (b"[1]\n".to_vec(), "not an inventory file".to_owned()),
        (b"<!DOCTYPE html>\n<html>".to_vec(), "not an inventory file".to_owned()),
        (b"\0\0\0\0".to_vec(), "incomplete header line".to_owned()),
        (vec![b'x'; 1 << 20], "incomplete header line".to_owned()),
        (Vec::new(), "incomplete header line".to_owned()),
    ]
    .into()
}

#[test]
fn unusable_state_is_renamed_and_the_tokens_are_loaded() {
    let (_directory, store) = store();
    save(&store, &["1"]).unwrap();
    let file = store.state_file("s");
    let valid = fs::read(&file).unwrap();
    let mut cases = unusable(&valid);
    cases.push((valid[..valid.len() - 1].to_vec(), "expected 200 bytes, found 199".to_owned()));
    cases.push((encode_state(&[1], now()).unwrap(), "invalid content: Data error at line 1, column 2".to_owned()));
    for (bytes, expected) in cases {
        assert_eq!(renamed(&store, &file, &bytes), expected);
        let loaded = store.load("s");
        assert!(loaded.state.is_none() && loaded.problems.is_empty(), "{loaded:?}");
        assert_eq!(ids(&loaded.tokens.unwrap()), ["1"]);
    }
}

#[test]
fn unusable_tokens_are_renamed() {
    let (_directory, store) = store();
    save(&store, &["1"]).unwrap();
    let file = store.tokens_file("s");
    let valid = fs::read(&file).unwrap();
    for (bytes, expected) in unusable(&valid) {
        assert_eq!(renamed(&store, &file, &bytes), expected);
        assert!(store.load("s").tokens.is_none());
    }
    // More than is read ahead.
    let start = valid.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (found, expected) = (valid.len() - start + (1 << 20), valid.len() - start);
    let longer = renamed(&store, &file, &[&valid[..], &vec![b'x'; 1 << 20]].concat());
    assert_eq!(longer, format!("expected {expected} bytes, found {found}"));
    let state = encode_state(&[1], now()).unwrap();
    assert_eq!(renamed(&store, &file, &state), "no provider");
    for length in valid.len() - 60..valid.len() {
        assert!(!renamed(&store, &file, &valid[..length]).is_empty(), "cut at {length}");
    }
    for at in start..valid.len() {
        let mut flipped = valid.clone();
        flipped[at] ^= 0x10;
        assert!(!renamed(&store, &file, &flipped).is_empty(), "flipped at {at}");
    }
}

#[test]
fn state_without_tokens_is_a_problem() {
    let (_directory, store) = store();
    save(&store, &["1"]).unwrap();
    fs::remove_file(store.tokens_file("s")).unwrap();
    let problems = store.load("s").problems;
    assert!(matches!(&problems[..], [Problem::Missing(file)] if *file == store.tokens_file("s")), "{problems:?}");
}

#[test]
fn tokens_over_the_limit_are_rejected_without_reading_them() {
    let bytes = encoded_tokens(&["1", "2"]);
    assert_eq!(ids(&read_tokens(&bytes[..], u64::MAX).unwrap()), ["1", "2"]);
    let why = read_tokens(&bytes[..], 300).unwrap_err().to_string();
    assert_eq!(why, "text longer than 300 bytes");
    // Four megabytes of zeros in a few kilobytes.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&vec![0; 4 << 20]).unwrap();
    let header = b"{\"format\":3,\"provider\":\"p\",\"crc32\":\"\",\"length\":0}\n";
    let hostile = [&header[..], &gzip.finish().unwrap()].concat();
    for limit in [0, 1 << 10, 1 << 20] {
        let why = read_tokens(&hostile[..], limit).unwrap_err().to_string();
        assert_eq!(why, format!("text longer than {limit} bytes"));
    }
    assert_eq!(read_tokens(&hostile[..], u64::MAX).unwrap_err().to_string(), "incomplete last line");
}

#[test]
fn error_of_the_reader_is_no_damage() {
    struct Failing;
    impl io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk error"))
        }
    }
    let bytes = encoded_tokens(&["1"]);
    for length in [0, 10, bytes.len() - 20] {
        let error = read_tokens(bytes[..length].chain(Failing), u64::MAX).unwrap_err();
        assert!(matches!(&error, ReadError::Unreadable(_)), "{length}: {error:?}");
    }
}

#[test]
fn former_file_is_loaded_or_renamed_and_removed() {
    let (directory, store) = store();
    assert!(store.load_former().unwrap().is_none());
    let content = json!({"sources": {"s": {
        "provider": "p", "last_attempt": null, "last_success": null, "last_duration_milliseconds": 7, "credential": null,
        "rate_limit": null, "listings": {}, "tokens": [],
    }}});
    let encoded = String::from_utf8(encode_state(&content, now()).unwrap()).unwrap();
    fs::write(store.former_file(), encoded.replace("\"format\":3", "\"format\":2")).unwrap();
    let mut sources = store.load_former().unwrap().unwrap().into_sources();
    let (name, source) = sources.next().unwrap();
    assert_eq!((&*name, source.state.last_duration_milliseconds, source.tokens.provider()), ("s", Some(7), "p"));
    store.remove_former().unwrap();
    store.remove_former().unwrap();
    assert_eq!(names(directory.path()), ["inventory.lock"]);

    fs::write(store.former_file(), &encoded).unwrap();
    let problem = store.load_former().unwrap_err();
    let expected = "unsupported format 3; this version expects 1 to 2";
    assert!(matches!(&problem, Problem::Quarantined { why, .. } if why == expected), "{problem:?}");
    assert_eq!(names(directory.path()), ["inventory.json.set-aside-1", "inventory.lock"]);
}

#[test]
fn non_regular_file_is_renamed_without_blocking() {
    fn pipe(at: &Path) {
        assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
    }
    let cases: [(_, Create); 2] = [("a directory", |at| fs::create_dir(at).unwrap()), ("a pipe", pipe)];
    for (what, create) in cases {
        let (_directory, store) = store();
        create(&store.tokens_file("s"));
        create(&store.state_file("s"));
        let problems = store.load("s").problems;
        let is_renamed = |problem: &Problem| matches!(problem, Problem::Quarantined { why, to, .. } if why == "not a regular file" && to.exists());
        assert!(problems.len() == 2 && problems.iter().all(is_renamed), "{what}: {problems:?}");
        save(&store, &["1"]).unwrap();
        assert_eq!(loaded(&store), ["1"], "{what}");
    }
}

/// A link to a volume that is not mounted yet: not even root can read it.
#[test]
fn unreadable_file_is_neither_renamed_nor_replaced_until_it_is_readable() {
    for tokens_file in [true, false] {
        let (directory, before) = store();
        save(&before, &["old"]).unwrap();
        let file = if tokens_file { before.tokens_file("s") } else { before.state_file("s") };
        let volume = directory.path().join("volume");
        fs::rename(&file, directory.path().join("elsewhere")).unwrap();
        symlink(&volume, &file).unwrap();
        let mut problems = before.load("s").problems;
        let Some(Problem::Unreadable(error)) = problems.pop() else { panic!("no problem") };
        let error = error.to_string();
        assert!(error.starts_with("cannot read ") && error.contains("No such file"), "{error}");
        assert!(error.ends_with("make it readable and restart, or delete it"), "{error}");
        let not_replaced = save(&before, &["new"]).unwrap_err().to_string();
        assert!(not_replaced.contains("it could not be read at the start and is not replaced"), "{not_replaced}");
        before.save("other", &source(&["1"]), true, now()).unwrap();
        before.retain(&BTreeSet::new()).unwrap();
        assert!(file.symlink_metadata().is_ok(), "not removed");
        drop(before);
        fs::rename(directory.path().join("elsewhere"), &volume).unwrap();
        let after = Store::new(directory.path());
        let loaded = after.load("s");
        assert!(loaded.problems.len() == usize::from(!tokens_file && loaded.tokens.is_none()), "{loaded:?}");
        save(&after, &["new"]).unwrap();
    }
}

#[test]
fn deleted_unreadable_file_is_replaced() {
    let (_directory, store) = store();
    symlink("/nowhere/at/all", store.tokens_file("s")).unwrap();
    assert_eq!(store.load("s").problems.len(), 1);
    fs::remove_file(store.tokens_file("s")).unwrap();
    save(&store, &["new"]).unwrap();
    assert_eq!(loaded(&store), ["new"]);
}

#[test]
fn renamed_files_are_limited() {
    let (directory, store) = store();
    for _ in 0..20 {
        fs::write(store.tokens_file("s"), "x").unwrap();
        store.load("s");
    }
    assert_eq!(names(directory.path()).len(), 9);
}
