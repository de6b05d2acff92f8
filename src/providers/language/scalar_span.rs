//! Maps a position in the value of a YAML scalar to a position in the file: through quotes, escapes and folding.

use std::ops::Range;

use crate::schema::diagnostic::{SourceText, Span};

/// An error inside a scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpanError {
    /// Its byte range in the value.
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
}

impl SpanError {
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// The position of `part` of a value in the file. `scalar` is the position of the whole scalar.
pub(crate) fn span_in_file(file: &SourceText, scalar: Span, value: &str, part: &Range<usize>) -> Span {
    let Some(raw) = file.content().get(scalar.start..scalar.end) else { return scalar };
    let style = raw.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let skip = style.map_or(0, char::len_utf8);
    let mut pairs = ScalarWalk { raw, value, style, raw_at: skip, value_at: 0 };
    let mut start = None;
    let mut end = None;
    for (raw_range, value_at) in pairs.by_ref() {
        if value_at <= part.start {
            start = Some(raw_range.start);
        }
        if value_at < part.end.max(part.start + 1) {
            end = Some(raw_range.end);
        }
    }
    if part.start >= value.len() {
        start = Some(pairs.raw_at);
        end = start;
    }
    match (start, end) {
        (Some(start), Some(end)) => Span { start: scalar.start + start, end: scalar.start + end.max(start) },
        _ => scalar,
    }
}

/// Iterates over the characters of a value and of its source in parallel.
struct ScalarWalk<'a> {
    raw: &'a str,
    value: &'a str,
    style: Option<char>,
    raw_at: usize,
    value_at: usize,
}

impl Iterator for ScalarWalk<'_> {
    /// The source range of a character, and its offset in the value.
    type Item = (Range<usize>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.raw[self.raw_at..];
        let left = self.value[self.value_at..].chars().next()?;
        let (from, at) = (self.raw_at, self.value_at);
        let blank = rest.len() - rest.trim_start().len();
        if rest[..blank].contains('\n') {
            // A fold: white space with a line break became a space, line breaks, or nothing.
            let blank_left = self.value[at..].len() - self.value[at..].trim_start().len();
            self.raw_at += blank;
            self.value_at += blank_left;
            return if blank_left == 0 { self.next() } else { Some((from..self.raw_at, at)) };
        }
        self.raw_at += match (self.style, rest.as_bytes()) {
            (Some('\''), [b'\'', b'\'', ..]) => 2,
            (Some('"'), [b'\\', b'\n' | b'\r', ..]) => {
                // An escaped line break is no part of the value.
                self.raw_at += 1;
                self.raw_at += self.raw[self.raw_at..].len() - self.raw[self.raw_at..].trim_start().len();
                return self.next();
            }
            (Some('"'), [b'\\', b'x', ..]) => 4,
            (Some('"'), [b'\\', b'u', ..]) => 6,
            (Some('"'), [b'\\', b'U', ..]) => 10,
            (Some('"'), [b'\\', ..]) => 2,
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
        self.raw_at = self.raw_at.min(self.raw.len());
        self.value_at += left.len_utf8();
        Some((from..self.raw_at, at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::schema::yaml::{Kind, parse};

    /// The source of `mark` in the value of `a`.
    fn found(yaml: &str, mark: &str) -> String {
        let file = SourceText::new("x.yaml", yaml);
        let root = parse(&file).expect("YAML");
        let Kind::Map(entries) = &root.kind else { panic!("a map") };
        let node = &entries[0].1;
        let value = node.as_text().expect("a text");
        let start = value.find(mark).expect("the mark");
        let at = span_in_file(&file, node.at, value, &(start..start + mark.len()));
        yaml[at.start..at.end].to_owned()
    }

    #[test]
    fn span_in_file_sees_through_quotes_escapes_and_folds() {
        let cases = [
            ("a: one mark two\n", "mark", "mark"),
            ("a: 'it''s ''mark'' here'\n", "mark", "mark"),
            ("a: 'it''s'\n", "'", "''"),
            ("a: \"tab\\t\\u00e4\\x41 \\\"mark\\\" end\"\n", "mark", "mark"),
            ("a: \"one\\\n   mark\"\n", "mark", "mark"),
            ("a: 'one\n   mark two'\n", "mark", "mark"),
            ("a: one\n   two\n\n   mark\n", "mark", "mark"),
            ("a: >-\n  one\n    two\n\n  mark\n", "mark", "mark"),
            ("a: |\n  one\n   two mark\n", "mark", "mark"),
            ("a: ü ö mark\n", "mark", "mark"),
            ("a: &x >-\n  ü\n  ö mark\n", "mark", "mark"),
        ];
        for (yaml, mark, expected) in cases {
            assert_eq!(found(yaml, mark), *expected, "{yaml}");
        }
    }

    #[test]
    fn span_in_file_covers_the_end_of_a_value() {
        let file = SourceText::new("x.yaml", "a: 'x |'\n");
        assert_eq!(span_in_file(&file, Span { start: 3, end: 8 }, "x |", &(3..3)), Span { start: 7, end: 7 });
    }
}
