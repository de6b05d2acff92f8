//! Templates: `{name}`, `{name.field}`, `{+name}`; `{{` and `}}` are literal braces.

use std::fmt;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::scalar_span::SpanError;

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text whose names are filled for each request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(Name),
}

/// What is written between two braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name before the first dot: a setting, an `as` name, `credential`, `login` or `key`.
    pub head: String,
    pub fields: Vec<String>,
    /// `{+name}`: slashes stay as they are.
    pub raw: bool,
    /// Its byte range in the template, including the braces.
    pub at: Range<usize>,
}

impl fmt::Display for Name {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if self.raw { "+" } else { "" };
        write!(to, "{{{plus}{}", self.head)?;
        self.fields.iter().try_for_each(|field| write!(to, ".{field}"))?;
        to.write_str("}")
    }
}

/// A value that cannot be part of a path. Shows the template's name, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {why}")]
pub struct PathError {
    name: String,
    why: &'static str,
}

impl Template {
    /// # Errors
    /// Every unbalanced brace and every invalid name, with its position.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<SpanError>> {
        let (mut parts, mut errors) = (Vec::new(), Vec::new());
        let mut plain = String::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            at += match rest.as_bytes() {
                [b'{', b'{', ..] | [b'}', b'}', ..] => {
                    plain.push_str(&rest[..1]);
                    2
                }
                [b'{', ..] => {
                    let length = rest.find('}').map_or(rest.len(), |end| end + 1);
                    match name(text, at..at + length) {
                        Ok(name) => parts.extend([Part::Text(std::mem::take(&mut plain)), Part::Name(name)]),
                        Err(error) => errors.push(error),
                    }
                    length
                }
                [b'}', ..] => {
                    errors.push(SpanError::new(at..at + 1, "unmatched `}`; write `}}` for a literal brace"));
                    1
                }
                _ => {
                    let length = rest.find(['{', '}']).unwrap_or(rest.len());
                    plain.push_str(&rest[..length]);
                    length
                }
            };
        }
        parts.push(Part::Text(plain));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        if errors.is_empty() { Ok(Self(parts)) } else { Err(errors) }
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    /// The name, if the template is a single one.
    pub fn only(&self) -> Option<&Name> {
        match &self.0[..] {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with its names filled; `None` if the template is a single name without a value. In a longer template such
    /// a name is empty.
    pub fn fill(&self, value: &dyn Fn(&Name) -> Option<String>) -> Option<String> {
        if let Some(name) = self.only() {
            return value(name);
        }
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(name) => value(name).unwrap_or_default(),
        };
        Some(self.0.iter().map(part).collect())
    }

    /// The text as a URL path: each name is one percent-encoded segment, or several for `{+name}`.
    ///
    /// # Errors
    /// If a segment is empty, `.` or `..`: it would change which resource the path names.
    pub fn fill_path(&self, value: &dyn Fn(&Name) -> Option<String>) -> Result<String, PathError> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => push_segments(&mut filled, name, &value(name).unwrap_or_default())?,
            }
        }
        Ok(filled)
    }

    /// The name that the template begins with, and the rest.
    pub(crate) fn split_first_name(&self) -> Option<(&Name, Self)> {
        match self.0.split_first() {
            Some((Part::Name(name), rest)) => Some((name, Self(rest.to_vec()))),
            _ => None,
        }
    }

    /// Whether its text has one of these characters, outside of names.
    pub(crate) fn mentions(&self, chars: [char; 2]) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Text(text) if text.contains(chars)))
    }

    /// Whether its text begins with a slash.
    pub(crate) fn begins_with_slash(&self) -> bool {
        matches!(self.0.first(), Some(Part::Text(text)) if text.starts_with('/'))
    }
}

fn name(text: &str, at: Range<usize>) -> Result<Name, SpanError> {
    let Some(inner) = text[at.clone()].strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return Err(SpanError::new(at.start..at.start + 1, "unmatched `{`; write `{{` for a literal brace"));
    };
    let (raw, path) = match inner.strip_prefix('+') {
        Some(path) => (true, path),
        None => (false, inner),
    };
    let mut fields: Vec<String> = path.split('.').map(str::to_owned).collect();
    if !fields.iter().all(|field| is_name(field)) {
        return Err(SpanError::new(at, "invalid name; write `{{` for a literal brace"));
    }
    let head = fields.remove(0);
    Ok(Name { head, fields, raw, at })
}

/// Whether a text can be a name: of a setting, a map, a listing, an `as`.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn push_segments(path: &mut String, name: &Name, value: &str) -> Result<(), PathError> {
    let error = |why| Err(PathError { name: name.to_string(), why });
    let segments = if name.raw { value.trim_matches('/').split('/').collect() } else { vec![value] };
    for (number, segment) in segments.into_iter().enumerate() {
        match segment {
            "" => return error("is empty, which a path must not contain"),
            "." | ".." => return error("is a dot segment, which a path must not contain"),
            _ => {}
        }
        if number > 0 {
            path.push('/');
        }
        path.extend(utf8_percent_encode(segment, RESERVED));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn value(name: &Name) -> Option<String> {
        let value = match name.to_string().trim_matches(['{', '}', '+']) {
            "group" => "acme/platform",
            "group.id" => "12",
            "special" => "a b?&#%ü",
            "dots" => "..",
            "climb" => "secret/../../admin",
            "mount" => "/team/approle/",
            "empty" => "",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    #[test]
    fn fill_replaces_names_by_values() {
        let cases = [
            ("", Some("")),
            ("plain", Some("plain")),
            ("ApiKey {group.id}", Some("ApiKey 12")),
            ("{{{group.id}}}", Some("{12}")),
            ("Level=project,ProjectID={group.id}", Some("Level=project,ProjectID=12")),
            ("{unset}", None),
            ("{empty}", Some("")),
            ("x{unset}", Some("x")),
            ("{special}", Some("a b?&#%ü")),
            ("ü{group}ß", Some("üacme/platformß")),
        ];
        for (text, expected) in cases {
            assert_eq!(template(text).fill(&value).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn fill_path_keeps_each_name_within_its_segment() {
        let cases = [
            ("/groups/{group}/tokens", Ok("/groups/acme%2Fplatform/tokens")),
            ("/v1/auth/{+mount}/role", Ok("/v1/auth/team/approle/role")),
            ("/x/{special}", Ok("/x/a%20b%3F%26%23%25%C3%BC")),
            ("/x/{dots}/y", Err("`{dots}` is a dot segment, which a path must not contain")),
            ("/x/{+climb}/y", Err("`{+climb}` is a dot segment, which a path must not contain")),
            ("/x/{climb}", Ok("/x/secret%2F..%2F..%2Fadmin")),
            ("/x/{empty}", Err("`{empty}` is empty, which a path must not contain")),
            ("/x/{unset.field}", Err("`{unset.field}` is empty, which a path must not contain")),
        ];
        for (text, expected) in cases {
            let filled = template(text).fill_path(&value).map_err(|error| error.to_string());
            assert_eq!(filled, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn parse_reports_the_position_of_each_error() {
        let cases = [
            ("/a/{group", 3..4, "unmatched `{`; write `{{` for a literal brace"),
            ("/a}/b", 2..3, "unmatched `}`; write `}}` for a literal brace"),
            ("x{}", 1..3, "invalid name; write `{{` for a literal brace"),
            ("{a..b}", 0..6, "invalid name; write `{{` for a literal brace"),
            ("{\"a\": 1}", 0..8, "invalid name; write `{{` for a literal brace"),
        ];
        for (text, at, message) in cases {
            assert_eq!(Template::parse(text), Err(vec![SpanError::new(at, message)]), "{text}");
        }
    }

    #[test]
    fn names_are_listed_in_order() {
        let several = template("{+mount}/{group.id}");
        let names: Vec<String> = several.names().map(ToString::to_string).collect();
        assert_eq!(names, ["{+mount}", "{group.id}"]);
        assert_eq!(several.only(), None);
        assert_eq!(template("{user.id}").only().expect("a name").fields, ["id"]);
    }
}
