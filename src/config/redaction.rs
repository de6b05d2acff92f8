//! Which lines of the file no message shows, since a secret may stand in them.
//!
//! By the lines alone: this must hold for a text that is no YAML too, and for a slip beside the secret. It hides too much
//! rather than too little: a message without its line still has the place.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::secrets::{has_password, looks_like_one, names_one};

/// What may stand under `credential`: where a secret comes from, as one key or in braces, and the parts' names.
static ORIGINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const ORIGIN: &str = r"(?:file|env)\s*:\s*[^\s,{}'#]+";
    let braces = format!(r"\{{\s*{ORIGIN}\s*\}}");
    let part = format!(r"[\w-]+\s*:\s*{braces}");
    let parts = format!(r"\{{\s*{part}(?:\s*,\s*{part})*\s*\}}");
    let key = r"(?:[\w-]+\s*:)?";
    Regex::new(&format!(r"{key}\s*(?:{parts}|{braces})|^\s*{ORIGIN}\s*$|^\s*(?:- )?[\w-]+\s*:\s*$")).ok()
});

/// The numbers, from 1, of the lines that may hold a secret.
pub(super) fn lines(content: &str) -> BTreeSet<usize> {
    let mut hidden = BTreeSet::new();
    let mut under: Option<usize> = None;
    let mut in_key = false;
    for (index, line) in content.lines().enumerate() {
        let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
        if !line.trim().is_empty() && under.is_some_and(|outer| indent <= outer) {
            under = None;
        }
        in_key |= line.contains("-----BEGIN");
        let rest = without_origins(line);
        let stands = under.is_some() && !rest.trim().is_empty() || names_a_secret(&rest);
        if stands || in_key || has_password(line) || line.split(SEPARATORS).any(looks_like_one) {
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

/// The line without what names a file or a variable.
fn without_origins(line: &str) -> String {
    match ORIGINS.as_ref() {
        Some(origins) => origins.replace_all(line, " ").into_owned(),
        None => line.to_owned(),
    }
}

/// Whether a word of it is the name of a secret, or becomes one without a sign that strayed into it.
fn names_a_secret(line: &str) -> bool {
    let squashed: String = line.chars().filter(char::is_ascii_alphanumeric).collect();
    words(line).any(names_one) || ["credential", "password", "privatekey"].iter().any(|name| squashed.contains(name))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_hidden_where_a_secret_may_stand() {
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
            ("credential:\n  user: {env: X}\n  password:\n    env: X\n", &[]),
            ("a: {b: 1", &[]),
        ];
        for (content, expected) in cases {
            assert_eq!(lines(content).into_iter().collect::<Vec<_>>(), *expected, "{content}");
        }
    }
}
