//! Regular expressions as the file writes them, and where they are wrong.

use regex::Regex;

use super::config_reader::ConfigReader;
use crate::schema::diagnostic::Span;
use crate::schema::yaml::Node;

/// Reads a regular expression.
pub(super) fn read(reading: &mut ConfigReader, node: &Node, what: &str) -> Option<Regex> {
    let pattern = reading.filled(node, what)?;
    match Regex::new(&pattern) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let (offset, problem) = fault(&error);
            let at = offset.and_then(|offset| within(reading.content(), node.at, &pattern, offset)).unwrap_or(node.at);
            reading.error(at, format!("{what}: not a regular expression: {problem}"));
            None
        }
    }
}

/// Where in the pattern the fault is, in characters, and what it is.
///
/// The crate tells the place only in a drawing: the pattern indented by four blanks, a caret under the fault.
fn fault(error: &regex::Error) -> (Option<usize>, String) {
    let regex::Error::Syntax(drawing) = error else { return (None, "it is too large".into()) };
    let problem = drawing.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("it cannot be read");
    let caret = match drawing.lines().collect::<Vec<_>>()[..] {
        [_, _, carets, _] => carets.find('^').and_then(|at| at.checked_sub(4)),
        _ => None,
    };
    (caret, problem.to_owned())
}

/// The place in the file of a character of a text, where the text stands there as it is, without escapes or folding.
fn within(content: &str, at: Span, text: &str, offset: usize) -> Option<Span> {
    let start = at.start + content.get(at.start..at.end)?.find(text)?;
    let before = text.chars().take(offset).map(char::len_utf8).sum::<usize>();
    let width = text[before..].chars().next().map_or(1, char::len_utf8);
    Some(Span { start: start + before, end: start + before + width })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::invalid_regex)]
    fn the_fault_has_a_place_in_the_pattern() {
        let cases = [
            ("a(b", Some(1), "unclosed group"),
            ("ü*+[z-a]", Some(4), "invalid character class range, the start must be <= the end"),
            ("(?<=x)", Some(0), "look-around, including look-ahead and look-behind, is not supported"),
            ("x{9999}{9999}", None, "it is too large"),
        ];
        for (pattern, offset, problem) in cases {
            assert_eq!(fault(&Regex::new(pattern).unwrap_err()), (offset, problem.to_owned()), "{pattern}");
        }
    }
}
