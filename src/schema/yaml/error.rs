//! Errors of YAML's syntax, with a remedy for people who have never read the specification of YAML.

use serde_saphyr::{Error, Location, MessageFormatter, UserMessageFormatter};

use super::span;
use crate::schema::diagnostic::{Diagnostic, SourceText, Span};

/// The error that the library found.
pub(super) fn diagnostic(text: &SourceText, error: &Error) -> Diagnostic {
    let message = message(error);
    let Some(location) = error.location() else { return Diagnostic::in_file(text.name(), message) };
    let at = position(text.content(), location);
    text.error(if message.starts_with(TAB) { tab(text.content(), at) } else { at }, message)
}

/// The beginning of messages about tabs.
const TAB: &str = "a tab cannot";

/// The position of the tab; the scanner reports the beginning of what the tab breaks.
fn tab(content: &str, at: Span) -> Span {
    let line = content[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    content[line..].find('\t').map_or(at, |tab| Span { start: line + tab, end: line + tab + 1 })
}

/// The position of an error. The library's scanner reports only line and column, in characters from 1.
fn position(content: &str, at: Location) -> Span {
    if at.span().byte_offset().is_some() {
        return span(at);
    }
    let line = usize::try_from(at.line()).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(at.column()).unwrap_or(1).saturating_sub(1);
    let before = content.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let within = content[before..].chars().take(column).map(char::len_utf8).sum::<usize>();
    Span { start: before + within, end: before + within + 1 }
}

fn message(error: &Error) -> String {
    let message = match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => return format!("duplicate key `{key}`"),
        Error::NonFiniteFloat { value, .. } => return format!("`{value}` is not a finite number"),
        Error::AliasError { error, .. } => return message(error),
        Error::ExternalMessage { msg, .. } => return scanner_message(msg),
        Error::DuplicateMappingKey { key: None, .. } => "duplicate key",
        Error::MultipleDocuments { .. } => "a second document begins here; a file has one, without `---` in it",
        Error::Unexpected { .. } => "a key must be a string, not a list or a map",
        Error::NullIntoString { .. } => "a key is missing; quote a key that is called `null` or `~`",
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "`<<` takes a map, such as `<<: *defaults`",
        Error::UnknownAnchor { .. } => UNKNOWN_ANCHOR,
        Error::RecursiveReferencesRequireWeakTypes { .. } => "this `*` contains itself",
        Error::InvalidScalar { .. } | Error::InvalidBinaryBase64 { .. } | Error::BinaryNotUtf8 { .. } => {
            "the value does not have the type of its `!!`; remove the `!!`"
        }
        Error::Budget { .. } | Error::AliasExpansionLimitExceeded { .. } | Error::AliasReplayLimitExceeded { .. } => {
            "too large, too deep, or repeated too often by `*`"
        }
        other => return UserMessageFormatter.format_message(other).into_owned(),
    };
    message.to_owned()
}

const UNKNOWN_ANCHOR: &str =
    "unknown anchor: nothing above has this name with `&`; quote a string that begins with `*`";

/// The scanner's messages, and ours. The first whose text occurs in it applies; others are shown as they are.
///
/// Matched by text, since the enumeration is in a crate that is not a dependency of this one.
const SCANNER_MESSAGES: &[(&str, &str)] = &[
    ("unclosed bracket '['", "this `[` is never closed"),
    ("unclosed bracket '{'", "this `{` is never closed"),
    ("unclosed quote", "this quote is never closed"),
    ("did not find expected ',' or '}'", "a `,` or `}` is missing before this: a `{` is still open"),
    ("expected ',' or ']'", "a `,` or `]` is missing before this: a `[` is still open"),
    ("illegal placement of ':'", "unexpected `:`: a `[` is still open"),
    ("\"-\" is only valid inside a block", "unexpected `- `: a `{` or `[` above is still open"),
    ("block sequence entries are not allowed", "put the elements of a list on lines of their own, below its key"),
    ("misplaced bracket", "this bracket closes nothing"),
    ("mismatched bracket", "this bracket does not match the open one"),
    ("a block scalar content cannot start with a tab", "a tab cannot indent a line; use spaces"),
    ("tab", "a tab cannot indent or separate; use spaces, or quote the string"),
    (
        "mapping values are not allowed",
        "unexpected `:`; begin all keys of a map in one column, quote a string with `: `",
    ),
    ("did not find expected key", "a key is missing; begin all keys of a map in one column"),
    ("did not find expected '-'", "a `- ` is missing; begin all elements of a list in one column"),
    ("simple key expected ':'", "this line is neither `key: value` nor `- element`"),
    ("found unknown anchor", UNKNOWN_ANCHOR),
    ("invalid trailing content after", "nothing can follow a closing quote; double a quote within a quoted string"),
    ("found unknown escape character", "unknown escape; in single quotes a `\\` is an ordinary character"),
    ("while parsing a quoted scalar", "a `\\` in this string is followed by the wrong digits"),
    ("document indicator", "`---` or `...` begins a line of a string; is a quote above never closed?"),
    ("wrongly indented line in block scalar", "this line is indented less than the text that it belongs to"),
    ("invalid indentation", "this line is indented less than what it belongs to"),
    ("did not find expected <document start>", "nothing can follow the end of the document"),
    ("recursion", "nested too deeply"),
];

fn scanner_message(theirs: &str) -> String {
    match theirs.strip_prefix("unexpected character: `").and_then(|rest| rest.chars().next()) {
        // The library writes control characters escaped.
        Some('\\') => return "control characters are not allowed".into(),
        Some(c) => return format!("quote a string that begins with `{c}`"),
        None => {}
    }
    let ours = SCANNER_MESSAGES.iter().find(|(pattern, _)| theirs.contains(pattern));
    ours.map_or(theirs, |(_, ours)| ours).to_owned()
}
