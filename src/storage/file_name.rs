//! Names of files and objects for sources.

use std::fmt::Write as _;

use percent_encoding::percent_encode_byte;
use ring::digest::{SHA256, digest};

/// File systems allow 255 bytes, of which prefixes and suffixes need some.
const MAX_LEN: usize = 200;

/// The part of a longer name that stays.
const START_LEN: usize = 160;

/// The name as a part of a file name, different for each source: percent-encoded, capital letters too, as some file systems
/// ignore case. The end of a long name is replaced by a hash.
pub fn file_name(source: &str) -> String {
    let mut name = String::new();
    for byte in source.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(char::from(byte)),
            _ => name.push_str(percent_encode_byte(byte)),
        }
    }
    if name.len() > MAX_LEN {
        name.truncate(START_LEN);
        // Not in an encoded name.
        name.push('~');
        for byte in &digest(&SHA256, source.as_bytes()).as_ref()[..16] {
            // Writing to a text cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn file_name_is_safe_and_different_for_each_source() {
        for (source, expected) in [
            ("gitlab-1_a.b", "gitlab-1_a.b"),
            ("GitLab", "%47it%4Cab"),
            ("a/b", "a%2Fb"),
            ("..", ".."),
            ("ä~%", "%C3%A4%7E%25"),
            ("", ""),
        ] {
            assert_eq!(file_name(source), expected, "{source}");
        }
        let sources = ["a", "A", "%41", "a/", &"x".repeat(200), &"x".repeat(201), &"x".repeat(202), &"ö".repeat(99)];
        let names: BTreeSet<String> = sources.iter().map(|source| file_name(source)).collect();
        assert_eq!(names.len(), sources.len(), "{names:?}");
        assert!(names.iter().all(|name| name.len() <= MAX_LEN && !name.contains('/')), "{names:?}");
    }
}
