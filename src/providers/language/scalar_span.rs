//! From a place in a YAML text's value to a place in the file: through quotes, escapes and folding.

use std::ops::Range;

use crate::schema::diagnostic::{SourceText, Span};

/// A mistake inside a value: its place in bytes of the value, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpanError {
    /// Where it stands.
    pub(crate) at: Range<usize>,
    /// What is wrong, and the way out.
    pub(crate) message: String,
}

impl SpanError {
    /// A mistake here.
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// Where a part of a value stands in the file. `scalar` is where YAML says that the value stands.
pub(crate) fn place(file: &SourceText, scalar: Span, value: &str, part: &Range<usize>) -> Span {
    let Some(raw) = file.content().get(scalar.start..scalar.end) else { return scalar };
    let style = raw.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let skip = style.map_or(0, char::len_utf8);
    let mut pairs = Pairs { raw, value, style, raw_at: skip, value_at: 0 };
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

/// Walks a value and the text that it was read from side by side.
struct Pairs<'a> {
    raw: &'a str,
    value: &'a str,
    style: Option<char>,
    raw_at: usize,
    value_at: usize,
}

impl Iterator for Pairs<'_> {
    /// Where a character of the value was read from, and where it stands in the value.
    type Item = (Range<usize>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.raw[self.raw_at..];
        let left = self.value[self.value_at..].chars().next()?;
        let (from, at) = (self.raw_at, self.value_at);
        let blank = rest.len() - rest.trim_start().len();
        if rest[..blank].contains('\n') {
            // A fold: blanks with a line end in them became a blank, a line end, several, or nothing.
            let blank_left = self.value[at..].len() - self.value[at..].trim_start().len();
            self.raw_at += blank;
            self.value_at += blank_left;
            return if blank_left == 0 { self.next() } else { Some((from..self.raw_at, at)) };
        }
        self.raw_at += match (self.style, rest.as_bytes()) {
            (Some('\''), [b'\'', b'\'', ..]) => 2,
            (Some('"'), [b'\\', b'\n' | b'\r', ..]) => {
                // An escaped line end stands for nothing.
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

    /// The place of `mark` in the value of `a`, as the file writes it.
    fn found(yaml: &str, mark: &str) -> String {
        let file = SourceText::new("x.yaml", yaml);
        let root = parse(&file).expect("YAML");
        let Kind::Map(entries) = &root.kind else { panic!("a map") };
        let node = &entries[0].1;
        let value = node.as_text().expect("a text");
        let start = value.find(mark).expect("the mark");
        let at = place(&file, node.at, value, &(start..start + mark.len()));
        yaml[at.start..at.end].to_owned()
    }

    #[test]
    fn a_part_of_a_value_is_found_in_the_file() {
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
    fn the_end_of_a_value_is_a_place_too() {
        let file = SourceText::new("x.yaml", "a: 'x |'\n");
        assert_eq!(place(&file, Span { start: 3, end: 8 }, "x |", &(3..3)), Span { start: 7, end: 7 });
    }
}
