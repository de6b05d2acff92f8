//! The lines of the file that no message shows, since they may hold a secret.
//!
//! Found without parsing: this must work for a text that is not valid YAML too. It hides too many lines rather than too
//! few: a message without its line still has the position.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::secrets::{HEADERS, has_password, is_secret_header, looks_like_secret, names_secret};

/// A harmless value of `credential`: a file or a variable, as one key or in braces, and the names of parts.
static ORIGINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const ORIGIN: &str = r"(?:file|env)\s*:\s*[^\s,{}'#]+";
    const OPTIONAL: &str = r"optional\s*:\s*(?:true|false)";
    let braces = format!(r"\{{\s*(?:{OPTIONAL}\s*,\s*)?{ORIGIN}(?:\s*,\s*{OPTIONAL})?\s*\}}");
    let part = format!(r"[\w-]+\s*:\s*{braces}");
    let parts = format!(r"\{{\s*{part}(?:\s*,\s*{part})*\s*\}}");
    let key = r"(?:[\w-]+\s*:)?";
    Regex::new(&format!(r"{key}\s*(?:{parts}|{braces})|^\s*(?:{ORIGIN}|{OPTIONAL})\s*$|^\s*(?:- )?[\w-]+\s*:\s*$")).ok()
});

/// The numbers, from 1, of the lines that may hold a secret.
pub(super) fn redacted_lines(content: &str) -> BTreeSet<usize> {
    let mut hidden = BTreeSet::new();
    let mut under: Option<usize> = None;
    // The indentation of `headers`, below which names of headers count too.
    let mut in_headers: Option<usize> = None;
    let mut in_key = false;
    for (index, line) in content.lines().enumerate() {
        let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
        if !line.trim().is_empty() && under.is_some_and(|outer| indent <= outer) {
            under = None;
        }
        if !line.trim().is_empty() && in_headers.is_some_and(|outer| indent <= outer) {
            in_headers = None;
        }
        if in_headers.is_none() && words(line).any(|word| word == HEADERS) {
            in_headers = Some(indent);
        }
        let names_a_secret =
            |line: &str| names_a_secret(line) || in_headers.is_some() && words(line).any(is_secret_header);
        in_key |= line.contains("-----BEGIN");
        let rest = without_origins(line);
        let may_hold_one = under.is_some() && !rest.trim().is_empty() || names_a_secret(&rest);
        if may_hold_one || in_key || has_password(line) || line.split(SEPARATORS).any(looks_like_secret) {
            hidden.insert(index + 1);
        }
        if under.is_none() && names_a_secret(line) {
            under = Some(indent);
        }
        in_key &= !line.contains("-----END");
    }
    hidden
}

const SEPARATORS: [char; 10] = [' ', '\t', '"', '\'', ',', '{', '}', '[', ']', '#'];

/// The line without the names of files and variables.
fn without_origins(line: &str) -> String {
    match ORIGINS.as_ref() {
        Some(origins) => origins.replace_all(line, " ").into_owned(),
        None => line.to_owned(),
    }
}

/// Whether a word of it is the name of a secret, perhaps with a stray character in it.
fn names_a_secret(line: &str) -> bool {
    let squashed: String = line.chars().filter(char::is_ascii_alphanumeric).collect();
    words(line).any(names_secret) || ["credential", "password", "privatekey"].iter().any(|name| squashed.contains(name))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_lines_are_those_that_may_hold_a_secret() {
        let cases: &[(&str, &[usize])] = &[
            ("a: [\npassword: x", &[2]),
            ("credential: x", &[1]),
            ("credential {x", &[1]),
            ("- {name: a, credential: {file: x}, token: y", &[1]),
            ("  credential:\n    value: x\n    y\n  url: z", &[2, 3]),
            ("  credential:\n    user:\n      x", &[3]),
            ("  - credential:\n      x\n    url: y", &[2]),
            (
                "  private_key: |\n    -----BEGIN PRIVATE KEY-----\n  x\n    -----END PRIVATE KEY-----\n  url: y",
                &[1, 2, 3, 4],
            ),
            ("a: glpat-0123456789abcdefghij", &[1]),
            ("credential: {env: glpat-0123456789abcdefghij}", &[1]),
            ("url: https://user:x@example.com/", &[1]),
            ("credential: {file: x}\nurl: https://example.com/a:b@c", &[]),
            ("- {name: a, credential: {file: /run/secrets/token}, url: y}", &[]),
            ("- {name: a, credential: {user: {env: X}, password: {file: y}}}", &[]),
            ("credential:\n  file: x\nurl: [", &[]),
            ("credential:\n  file: x\n  optional: true\nurl: [", &[]),
            ("- {name: a, credential: {file: /run/secrets/token, optional: true}, url: y}", &[]),
            ("- {name: a, credential: {optional: hunter2, file: x}, url: y}", &[1]),
            ("credential:\n  user: {env: X}\n  password:\n    env: X\n", &[]),
            ("headers: {X-Team: a, X-Api-Key: hunter2}\nurl: [", &[1]),
            ("headers:\n  X-Team: a\n  Proxy-Authorization: hunter2\nurl: X-Api-Key\na: [", &[3]),
            ("headers:\n  X-Api-Key:\n    hunter2\nurl: [", &[3]),
            ("headers:\n  X-Api-Key:\n    file: x\n  Cookie: {env: X}\nurl: [", &[]),
            ("headers: {X-Api-Key: {file: /run/secrets/key}}\nurl: [", &[]),
            ("{\"headers\": {\"X-Api-Key\": \"hunter2\"}, \"url\": [", &[1]),
            ("listings: [project-access-token]\nurl: [", &[]),
            ("a: {b: 1", &[]),
        ];
        for (content, expected) in cases {
            assert_eq!(redacted_lines(content).into_iter().collect::<Vec<_>>(), *expected, "{content}");
        }
    }
}
