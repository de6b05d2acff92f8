//! The kinds that a listing's tokens can have, as far as its definition shows.

use crate::providers::language::provider::Listing;

/// Every kind, with `*` for any text; `None` if unknown.
pub(super) fn of_listing(listing: &Listing) -> Option<Vec<String>> {
    let mut kinds = listing.token.kind.as_ref().map_or(Some(Vec::new()), |kind| of_code(kind.code()))?;
    kinds.push(listing.kind.clone());
    Some(kinds)
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
