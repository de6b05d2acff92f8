//! The kinds and labels that a listing's tokens can have, as far as its definition shows.

use crate::providers::language::provider::{Listing, RowMap};

/// Every kind, with `*` for any text; `None` if unknown.
pub(super) fn of_listing(listing: &Listing) -> Option<Vec<String>> {
    let RowMap::Token(token) = &listing.rows else { return Some(Vec::new()) };
    let mut kinds = token.kind.as_ref().map_or(Some(Vec::new()), |kind| of_code(kind.code()))?;
    kinds.push(listing.kind.clone());
    Some(kinds)
}

/// The words of an object that is written out, among which are the names of all labels.
pub(super) fn labels(listing: &Listing) -> Option<Vec<String>> {
    let RowMap::Token(token) = &listing.rows else { return Some(Vec::new()) };
    token.labels.as_ref().map_or(Some(Vec::new()), |labels| label_names(labels.code()))
}

fn label_names(code: &str) -> Option<Vec<String>> {
    let code = code.trim();
    // A second object, a computed name or a path after the object could add others.
    let is_plain =
        code.starts_with('{') && code.ends_with('}') && code.matches('{').count() == 1 && !code.contains("(");
    let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    is_plain.then(|| words.map(str::to_owned).collect())
}

/// The string literals of an expression, if its last filter is a literal or an `if` whose branches are literals or null.
fn of_code(code: &str) -> Option<Vec<String>> {
    let (mut kinds, mut words) = (Vec::new(), String::new());
    let mut rest = code;
    while let Some((before, literal)) = rest.split_once('"') {
        let (kind, after) = literal_kind(literal)?;
        kinds.push(kind);
        words += before;
        words += " \" ";
        rest = after;
    }
    words += rest;
    let last = words.rsplit('|').next().unwrap_or_default();
    if last.contains('+') || last.contains("//") {
        return None;
    }
    let words: Vec<&str> = last.split_whitespace().collect();
    let is_constant = |word: &&str| matches!(*word, "\"" | "null" | "if");
    let starts = words.first().into_iter().filter(|word| **word != "null");
    let mut values =
        starts.chain(words.windows(2).filter(|pair| matches!(pair[0], "then" | "else")).map(|pair| &pair[1]));
    values.all(is_constant).then_some(kinds)
}

/// The value of a string literal, after its first quote, and the code after it. An interpolation can be any text.
fn literal_kind(code: &str) -> Option<(String, &str)> {
    let mut kind = String::new();
    let mut depth = 0_u32;
    let mut chars = code.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if depth == 0 => return Some((kind, &code[at + 1..])),
            '"' => return None,
            '\\' if depth == 0 => match chars.next()?.1 {
                '(' => {
                    depth = 1;
                    kind.push('*');
                }
                escaped => kind.push(escaped),
            },
            '(' if depth > 0 => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            c => kind.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names_of_a_plain_object() {
        for (code, expected) in [
            ("{path, role: $role}", Some(&["path", "role", "role"][..])),
            (" {\"team\": .team}\n", Some(&["team", "team"])),
            (".labels", None),
            ("{a: 1} + {b: 2}", None),
            ("{(.key): .value}", None),
        ] {
            let names = label_names(code);
            let names = names.as_ref().map(|names| names.iter().map(String::as_str).collect());
            assert_eq!(names, expected.map(<[&str]>::to_vec), "{code}");
        }
    }

    #[test]
    fn kinds_are_the_literals_of_constant_branches() {
        for (code, expected) in [
            (r#"if test("^a") then "x" elif .b then "y" else null end"#, Some(&["^a", "x", "y"][..])),
            (r#".a | if . == "z" then null else "y" end"#, Some(&["z", "y"])),
            (r#"if .type then "\(.type | f(1))-token" else null end"#, Some(&["*-token"])),
            (r#""x""#, Some(&["x"])),
            (".type", None),
            (r#"if .a then .type else "y" end"#, None),
            (r#""\(.a // "b")-token""#, None),
            (r#".type // "x""#, None),
            (r#"if .a then "x" + .b else null end"#, None),
        ] {
            let kinds = of_code(code);
            assert_eq!(
                kinds.as_ref().map(|kinds| kinds.iter().map(String::as_str).collect()),
                expected.map(<[&str]>::to_vec),
                "{code}"
            );
        }
    }
}
