//! The types of values that only this file has.

use regex::Regex;
use serde_json::{Map, Value, json};
use url::Url;

use super::labels;
use crate::core::address;
use crate::schema::diagnostic::Span;
use crate::schema::json_schema;
use crate::schema::reader::Reader;
use crate::schema::table::{DomainType, Key, Table, ValueType};
use crate::schema::yaml::Node;

/// The longest name of a source: it is a label value, and a part of file names and links.
const MAX_NAME: usize = 63;

pub(super) static SOURCE_NAME: DomainType = DomainType {
    words: "string",
    json_schema: || json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,63}$"}),
    check: |reader, node, path| {
        let Some(name) = reader.line(node, path) else { return };
        let forbidden = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c));
        let problem = match forbidden {
            Some(' ') => "a space".to_owned(),
            Some(other) => format!("`{other}`"),
            None if name.len() > MAX_NAME => format!("more than {MAX_NAME} characters"),
            None => return,
        };
        let message = format!("{path}: a name has only letters, digits, `-`, `_` and `.`; this one has {problem}");
        reader.error(node.at, message);
    },
};

/// One bare mail address; [`address::normalize`] normalizes it.
pub(super) static ADDRESS: DomainType = DomainType {
    words: "e-mail address",
    json_schema: || json!({"type": "string", "format": "email"}),
    check: |reader, node, path| {
        let text = reader.line(node, path);
        if let Some(text) = text.filter(|text| address::normalize(text).is_none()) {
            let message = format!("{path}: `{text}` is not a bare address; write it such as `team@example.com`");
            reader.error(node.at, message);
        }
    },
};

/// A regular expression. Not `format: regex`: that is JavaScript's, which does not know `(?i)`.
pub(super) static PATTERN: DomainType = DomainType {
    words: "regular expression",
    json_schema: || json!({"type": "string", "minLength": 1}),
    check: |reader, node, path| {
        let Some(pattern) = reader.line(node, path) else { return };
        let Err(error) = Regex::new(&pattern) else { return };
        let (offset, problem) = syntax_error(&error);
        let content = reader.text.content();
        let at = offset.and_then(|offset| position_in(content, node.at, &pattern, offset)).unwrap_or(node.at);
        reader.error(at, format!("{path}: invalid regular expression: {problem}"));
    },
};

/// Where in a pattern the error is, in characters, and what it is.
///
/// The crate reports the position only in a drawing: the pattern indented by four blanks, with a caret below the error.
fn syntax_error(error: &regex::Error) -> (Option<usize>, String) {
    let regex::Error::Syntax(drawing) = error else { return (None, "it is too large".into()) };
    let problem = drawing.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("syntax error");
    let caret = match drawing.lines().collect::<Vec<_>>()[..] {
        [_, _, carets, _] => carets.find('^').and_then(|at| at.checked_sub(4)),
        _ => None,
    };
    (caret, problem.to_owned())
}

/// The position in the file of a character of a text that the file has as it is, without escapes or folding.
fn position_in(content: &str, at: Span, text: &str, offset: usize) -> Option<Span> {
    let start = at.start + content.get(at.start..at.end)?.find(text)?;
    let (before, c) = text.char_indices().nth(offset).unwrap_or((text.len(), ' '));
    Some(Span { start: start + before, end: start + before + c.len_utf8() })
}

/// Labels to set. An empty value removes what an earlier rule has set.
pub(super) static LABELS: DomainType = DomainType {
    words: "map: label name → string",
    json_schema: || {
        json!({
            "type": "object",
            "propertyNames": {"pattern": "^(?!__|token_)[A-Za-z_][A-Za-z0-9_]*$", "not": {"enum": labels::reserved()}},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        })
    },
    check: labels::check,
};

/// The path of a file. A text of several lines is the file's content, which may be a key.
pub(super) static FILE_PATH: DomainType = DomainType {
    words: "path, relative to the directory of this file",
    json_schema: || json!({"type": "string", "minLength": 1}),
    check: |reader, node, path| {
        if node.as_text().is_some_and(|text| text.trim_end().contains('\n') || text.starts_with("-----BEGIN")) {
            reader.secret(node.at, format!("{path}: expected a path, found file content"));
        } else {
            reader.line(node, path);
        }
    },
};

/// The URL of a proxy. One with a password was reported as a secret before.
pub(super) static PROXY: DomainType = DomainType {
    words: "URL",
    json_schema: || json!({"type": "string", "format": "uri", "pattern": "^(https?|socks5h?)://"}),
    check: |reader, node, path| {
        let Some(text) = reader.line(node, path) else { return };
        if let Some(problem) = proxy_problem(&text) {
            reader.error(node.at, format!("{path}: {problem}"));
        }
    },
};

/// Why a text is not the URL of a proxy.
pub(super) fn proxy_problem(text: &str) -> Option<String> {
    const EXPECTED: &str = "write it such as `http://proxy.example.com:3128`";
    match Url::parse(text) {
        Err(error) => Some(format!("not a URL: {error}; {EXPECTED}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") || !url.has_host() => {
            Some("expected a URL that begins with `http://`, `https://`, `socks5://` or `socks5h://`".to_owned())
        }
        Ok(url) if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() => {
            Some(format!("the URL of a proxy ends after the port; {EXPECTED}"))
        }
        Ok(_) => None,
    }
}

/// Where a secret is read from: exactly one of the first two.
pub(super) static ORIGIN: Table = Table::new(&[
    Key::optional("file", ValueType::Domain(&FILE_PATH), "a file that contains only the secret"),
    Key::optional("env", ValueType::Domain(&VARIABLE), "an environment variable"),
    Key::optional("optional", ValueType::Flag, "start without the secret; until it is there, the source fails"),
]);

fn origin_schema() -> Value {
    let mut origin = json_schema::object(&ORIGIN, &mut Map::new());
    origin["oneOf"] = json!([{"required": ["file"]}, {"required": ["env"]}]);
    origin
}

/// The name of an environment variable. It is read with the credential.
static VARIABLE: DomainType = DomainType {
    words: "variable name",
    json_schema: || json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
    check: unchecked,
};

/// Where a secret comes from, or several. The sources read it.
pub(super) static CREDENTIAL: DomainType = DomainType {
    words: "`{file: PATH}` or `{env: NAME}`, with `optional: true` if it may be missing at the start; several secrets: `{PART: {file: PATH}, …}`",
    json_schema: || {
        let origin = origin_schema();
        json!({"anyOf": [origin, {"type": "object", "minProperties": 1, "additionalProperties": origin}]})
    },
    check: unchecked,
};

/// Headers by name. The sources read them.
pub(super) static HEADERS: DomainType = DomainType {
    words: "map: header → string; a secret value: `{file: PATH}` or `{env: NAME}`, as in `credential`",
    json_schema: || {
        json!({
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"},
            "additionalProperties": {"anyOf": [{"type": ["string", "number", "boolean"]}, origin_schema()]},
        })
    },
    check: unchecked,
};

fn unchecked(_: &mut Reader, _: &Node, _: &str) {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::invalid_regex)]
    fn syntax_error_has_a_position_in_the_pattern() {
        let cases = [
            ("a(b", Some(1), "unclosed group"),
            ("ü*+[z-a]", Some(4), "invalid character class range, the start must be <= the end"),
            ("(?<=x)", Some(0), "look-around, including look-ahead and look-behind, is not supported"),
            ("x{9999}{9999}", None, "it is too large"),
        ];
        for (pattern, offset, problem) in cases {
            assert_eq!(syntax_error(&Regex::new(pattern).unwrap_err()), (offset, problem.to_owned()), "{pattern}");
        }
    }
}
