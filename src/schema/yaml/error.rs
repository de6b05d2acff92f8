//! What is wrong with a text that is no YAML, in words for a person who has never read the specification of YAML.

use serde_saphyr::{Error, Location};

use crate::schema::diagnostic::{Diagnostic, SourceText, Span};

/// The mistake that the library found.
pub(super) fn diagnostic(text: &SourceText, error: &Error) -> Diagnostic {
    let message = message(error);
    match error.location() {
        Some(at) if message.starts_with(TAB) => text.error(tab(text.content(), place(text.content(), at)), message),
        Some(at) => text.error(place(text.content(), at), message),
        None => Diagnostic::in_file(text.name(), message),
    }
}

/// How messages about tabs begin.
const TAB: &str = "a tab cannot";

/// The tab itself: the scanner tells where the text began that it breaks.
fn tab(content: &str, at: Span) -> Span {
    let line = content[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    content[line..].find('\t').map_or(at, |tab| Span { start: line + tab, end: line + tab + 1 })
}

/// Where a fault stands. The library's scanner tells only line and column, in characters from 1.
fn place(content: &str, at: Location) -> Span {
    if at.span().byte_offset().is_some() {
        return crate::schema::yaml::span(at);
    }
    let line = usize::try_from(at.line()).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(at.column()).unwrap_or(1).saturating_sub(1);
    let before = content.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let within = content[before..].chars().take(column).map(char::len_utf8).sum::<usize>();
    Span { start: before + within, end: before + within + 1 }
}

/// The fault in our words.
fn message(error: &Error) -> String {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands twice"),
        Error::DuplicateMappingKey { key: None, .. } => "this key stands twice".into(),
        Error::MultipleDocuments { .. } => {
            "a second document begins here; a file holds one, without `---` in it".into()
        }
        Error::Unexpected { .. } => "a key is a text, never a list or a map".into(),
        Error::NullIntoString { .. } => "a key is missing; one that is called `null` or `~` stands in quotes".into(),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "`<<` takes a map, such as `<<: *defaults`".into(),
        Error::UnknownAnchor { .. } => {
            "nothing above this is named so with `&`; a text that begins with `*` stands in quotes".into()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => "this `*` contains itself".into(),
        Error::NonFiniteFloat { value, .. } => format!("`{value}` is not a number that can be used"),
        Error::InvalidScalar { .. } | Error::InvalidBinaryBase64 { .. } | Error::BinaryNotUtf8 { .. } => {
            "the value is not of the type that its `!!` says; leave the `!!` out".into()
        }
        Error::Budget { .. } | Error::AliasExpansionLimitExceeded { .. } | Error::AliasReplayLimitExceeded { .. } => {
            "too large, too deep, or too often repeated by `*`".into()
        }
        Error::AliasError { error, .. } => message(error),
        Error::ExternalMessage { msg, .. } => scanned(msg),
        other => unplaced(&other.to_string()),
    }
}

/// What the scanner says, and how people say it.
///
/// Matched by its words, since the crate that has the closed list is not ours to name. Words that are not here are
/// shown as they are.
const WORDS: &[(&str, &str)] = &[
    ("unclosed bracket '['", "this `[` is never closed"),
    ("unclosed bracket '{'", "this `{` is never closed"),
    ("unclosed quote", "this quote is never closed"),
    ("did not find expected ',' or '}'", "a `,` or `}` is missing before this: a `{` is still open"),
    ("expected ',' or ']'", "a `,` or `]` is missing before this: a `[` is still open"),
    ("illegal placement of ':'", "a `:` cannot stand here: a `[` is still open"),
    ("\"-\" is only valid inside a block", "a `- ` cannot stand here: a `{` or `[` above is still open"),
    ("block sequence entries are not allowed", "the items of a list begin on lines of their own, below its key"),
    ("misplaced bracket", "this bracket closes nothing"),
    ("mismatched bracket", "this bracket does not match the one that is open"),
    ("a block scalar content cannot start with a tab", "a tab cannot indent a line: use blanks"),
    ("tab", "a tab cannot indent a line or part its words: use blanks, or put the text in quotes"),
    (
        "mapping values are not allowed",
        "a `:` cannot stand here: the keys of a map begin in one column, and a text with `: ` in it stands in quotes",
    ),
    ("did not find expected key", "a key is missing here: all keys of a map begin in one column"),
    ("did not find expected '-'", "a `- ` is missing here: all items of a list begin in one column"),
    ("simple key expected ':'", "this line is neither `key: value` nor `- item`"),
    ("found unknown anchor", "nothing above this is named so with `&`; a text that begins with `*` stands in quotes"),
    ("invalid trailing content after", "nothing can follow a closing quote; a quote within the text is doubled"),
    (
        "found unknown escape character",
        "an unknown `\\` in this text; in single quotes a `\\` is a character like any other",
    ),
    ("while parsing a quoted scalar", "a `\\` in this text is followed by the wrong digits"),
    ("document indicator", "`---` or `...` begins a line of a text; is a quote above never closed?"),
    ("wrongly indented line in block scalar", "this line is indented less than the text that it belongs to"),
    ("invalid indentation", "this line is indented less than what it belongs to"),
    ("did not find expected <document start>", "nothing can follow the end of the document"),
    ("recursion", "nested too deeply"),
];

/// The scanner's words in ours.
fn scanned(words: &str) -> String {
    if let Some(character) = words.strip_prefix("unexpected character: `").and_then(|rest| rest.chars().next()) {
        return match character {
            // The library writes control characters escaped.
            '\\' => "a control character, which no text may hold".into(),
            c => format!("a text that begins with `{c}` stands in quotes"),
        };
    }
    match WORDS.iter().find(|(theirs, _)| words.contains(theirs)) {
        Some((_, ours)) => (*ours).to_owned(),
        None => words.to_owned(),
    }
}

/// The library's own message, without the place that it adds in words.
fn unplaced(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.rfind(" at line ").map_or(line, |at| &line[..at]).to_owned()
}
