//! Templates: `{name}`, `{name.field}`, `{+name}`; `{{` and `}}` are the braces themselves.

use std::fmt;
use std::ops::Range;

use super::scalar_span::SpanError;

/// A text with names in it that are filled at each request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(Name),
}

/// What stands between two braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name before the first dot: a setting, an `as` name, `credential`, `login` or `key`.
    pub head: String,
    /// The fields after it.
    pub fields: Vec<String>,
    /// `{+name}`: slashes stay as they are.
    pub raw: bool,
    /// Where it stands in the template's text, in bytes, with its braces.
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

/// Where a template's text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into a path: each name is one segment, and can neither be empty nor lead upwards.
    Path,
    /// Where nothing needs to be encoded, or somebody else does it.
    Plain,
}

/// A value that cannot stand in a path. It names the template's part, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {why}")]
pub struct Refused {
    name: String,
    why: &'static str,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<SpanError>> {
        let mut parts = Vec::new();
        let mut slips = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let next = at + c.len_utf8();
            if (c == '{' || c == '}') && text[next..].starts_with(c) {
                plain.push(c);
                at = next + 1;
            } else if c == '{' {
                let end = text[at..].find('}').map_or(text.len(), |end| at + end + 1);
                match name(text, at..end) {
                    Ok(name) => {
                        if !plain.is_empty() {
                            parts.push(Part::Text(std::mem::take(&mut plain)));
                        }
                        parts.push(Part::Name(name));
                    }
                    Err(slip) => slips.push(slip),
                }
                at = end;
            } else if c == '}' {
                slips.push(SpanError::new(at..next, "this `}` closes nothing; the brace itself is written `}}`"));
                at = next;
            } else {
                plain.push(c);
                at = next;
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if slips.is_empty() { Ok(Self(parts)) } else { Err(slips) }
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    /// The name, where the template is nothing but one.
    pub fn only(&self) -> Option<&Name> {
        match &self.0[..] {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The text, where the template has no names.
    pub fn literal(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with its names filled; none where the template is nothing but one name that has no value. Elsewhere a
    /// name without a value is left empty.
    ///
    /// # Errors
    /// In a path, where a value is empty, `.` or `..`, or has such a segment.
    pub fn fill(&self, place: Place, value: &dyn Fn(&Name) -> Option<String>) -> Result<Option<String>, Refused> {
        if place == Place::Plain
            && let Some(name) = self.only()
        {
            return Ok(value(name));
        }
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => {
                    let value = value(name).unwrap_or_default();
                    match place {
                        Place::Plain => filled.push_str(&value),
                        Place::Path => segments(&mut filled, name, &value)?,
                    }
                }
            }
        }
        Ok(Some(filled))
    }

    /// The name that it begins with, and what follows.
    pub(crate) fn split_first_name(&self) -> Option<(&Name, Self)> {
        match self.0.split_first() {
            Some((Part::Name(name), rest)) => Some((name, Self(rest.to_vec()))),
            _ => None,
        }
    }

    /// Whether one of these stands in its text, outside of names.
    pub(crate) fn mentions(&self, chars: [char; 2]) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Text(text) if text.contains(chars)))
    }

    /// Whether its text begins with a slash.
    pub(crate) fn begins_with_slash(&self) -> bool {
        matches!(self.0.first(), Some(Part::Text(text)) if text.starts_with('/'))
    }
}

/// Reads what stands between two braces.
fn name(text: &str, at: Range<usize>) -> Result<Name, SpanError> {
    let Some(inner) = text[at.clone()].strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return Err(SpanError::new(
            at.start..at.start + 1,
            "this `{` is never closed; the brace itself is written `{{`",
        ));
    };
    let (raw, path) = match inner.strip_prefix('+') {
        Some(path) => (true, path),
        None => (false, inner),
    };
    let mut fields: Vec<String> = path.split('.').map(str::to_owned).collect();
    if !fields.iter().all(|field| is_name(field)) {
        return Err(SpanError::new(at, "no name stands between these braces; the brace itself is written `{{`"));
    }
    let head = fields.remove(0);
    Ok(Name { head, fields, raw, at })
}

/// Whether a text can be a name: of a setting, a map, a listing, an `as`.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Appends a value as one segment, or as several where slashes stay.
fn segments(path: &mut String, name: &Name, value: &str) -> Result<(), Refused> {
    let refused = |why| Err(Refused { name: name.to_string(), why });
    let value = if name.raw { value.trim_matches('/') } else { value };
    let segments = if name.raw { value.split('/').collect() } else { vec![value] };
    for (number, segment) in segments.into_iter().enumerate() {
        match segment {
            "" => return refused("is empty, and cannot stand in a path"),
            "." | ".." => return refused("is a dot segment, and cannot stand in a path"),
            _ => {}
        }
        if number > 0 {
            path.push('/');
        }
        encode(path, segment);
    }
    Ok(())
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, section 2.3.
fn encode(path: &mut String, segment: &str) {
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn value(name: &Name) -> Option<String> {
        let value = match name.to_string().trim_matches(['{', '}', '+']) {
            "group" => "acme/platform",
            "group.id" => "12",
            "odd" => "a b?&#%ü",
            "dots" => "..",
            "climb" => "secret/../../admin",
            "mount" => "/team/approle/",
            "empty" => "",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn filled(text: &str, place: Place) -> Result<Option<String>, String> {
        Template::parse(text).expect("a template").fill(place, &value).map_err(|refused| refused.to_string())
    }

    #[test]
    fn names_are_filled_where_they_stand() {
        let cases = [
            ("", Some("")),
            ("plain", Some("plain")),
            ("ApiKey {group.id}", Some("ApiKey 12")),
            ("{{{group.id}}}", Some("{12}")),
            ("Level=project,ProjectID={group.id}", Some("Level=project,ProjectID=12")),
            ("{unset}", None),
            ("{empty}", Some("")),
            ("x{unset}", Some("x")),
            ("{odd}", Some("a b?&#%ü")),
            ("ü{group}ß", Some("üacme/platformß")),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text, Place::Plain), Ok(expected.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn in_a_path_a_name_is_one_segment() {
        let cases = [
            ("/groups/{group}/tokens", Ok("/groups/acme%2Fplatform/tokens")),
            ("/v1/auth/{+mount}/role", Ok("/v1/auth/team/approle/role")),
            ("/x/{odd}", Ok("/x/a%20b%3F%26%23%25%C3%BC")),
            ("/x/{dots}/y", Err("`{dots}` is a dot segment, and cannot stand in a path")),
            ("/x/{+climb}/y", Err("`{+climb}` is a dot segment, and cannot stand in a path")),
            ("/x/{climb}", Ok("/x/secret%2F..%2F..%2Fadmin")),
            ("/x/{empty}", Err("`{empty}` is empty, and cannot stand in a path")),
            ("/x/{unset.field}", Err("`{unset.field}` is empty, and cannot stand in a path")),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|path| Some(path.to_owned())).map_err(str::to_owned);
            assert_eq!(filled(text, Place::Path), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_told_with_its_place() {
        let cases = [
            ("/a/{group", 3..4, "this `{` is never closed; the brace itself is written `{{`"),
            ("/a}/b", 2..3, "this `}` closes nothing; the brace itself is written `}}`"),
            ("x{}", 1..3, "no name stands between these braces; the brace itself is written `{{`"),
            ("{a..b}", 0..6, "no name stands between these braces; the brace itself is written `{{`"),
            ("{\"a\": 1}", 0..8, "no name stands between these braces; the brace itself is written `{{`"),
        ];
        for (text, at, message) in cases {
            assert_eq!(Template::parse(text), Err(vec![SpanError::new(at, message)]), "{text}");
        }
    }

    #[test]
    fn a_template_tells_its_names() {
        let template = Template::parse("{+mount}/{group.id}").expect("a template");
        let names: Vec<String> = template.names().map(ToString::to_string).collect();
        assert_eq!(names, ["{+mount}", "{group.id}"]);
        assert_eq!(template.only(), None);
        assert_eq!(Template::parse("{user.id}").expect("one").only().expect("a name").fields, ["id"]);
    }
}
