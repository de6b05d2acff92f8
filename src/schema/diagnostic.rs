//! A mistake in a file that a person has written: where it stands, what is wrong, and the way out.

use std::fmt;
use std::sync::Arc;

/// A text that a person has written, with the name by which messages call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText(Arc<(String, String)>);

impl SourceText {
    /// A text under this name, usually a file's path as it was given.
    pub fn new(name: impl Into<String>, content: impl Into<String>) -> Self {
        Self(Arc::new((name.into(), content.into())))
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.0.0
    }

    /// The text itself.
    pub fn content(&self) -> &str {
        &self.0.1
    }

    /// A mistake at this place of this text.
    pub fn mistake(&self, at: Span, message: impl Into<String>) -> Diagnostic {
        let content = self.content();
        let start = floor(content, at.start);
        let before = &content[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = &content[line_start..];
        let line = line.split(['\n', '\r']).next().unwrap_or_default();
        // The place may lie behind a carriage return that is no line's end: no `clamp`, whose bounds would cross there.
        let end = floor(content, at.end).min(line_start + line.len()).max(start);
        Diagnostic {
            file: self.name().to_owned(),
            message: message.into(),
            place: Some(Place {
                line: before.matches('\n').count() + 1,
                column: content[line_start..start].chars().count() + 1,
                width: content[start..end].chars().count().max(1),
                text: Some(line.to_owned()),
            }),
        }
    }
}

/// The nearest character boundary at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// A part of a text, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends; the byte there is not part of it.
    pub end: usize,
}

/// One mistake. `Display` is the whole message, over several lines:
///
/// ```text
/// gitlab.yaml:47:18: listings.instance.token.kind: no function `testt`; did you mean `test`?
/// 47 |           elif testt("^group_[0-9]+_bot") then "group-access-token" else null end
///    |                ^^^^^
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    file: String,
    message: String,
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    width: usize,
    text: Option<String>,
}

impl Diagnostic {
    /// A mistake that concerns a file as a whole, or has no file at all (then `file` is a flag's or variable's name).
    pub fn in_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), message: message.into(), place: None }
    }

    /// The same mistake without the line's text: for lines that may hold a secret.
    #[must_use]
    pub fn hide_line(mut self) -> Self {
        if let Some(place) = &mut self.place {
            place.text = None;
        }
        self
    }

    /// The message alone, without place and line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it stands, to put several in order.
    pub fn order(&self) -> (&str, usize, usize) {
        let (line, column) = self.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        (&self.file, line, column)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, message, place } = self;
        let Some(Place { line, column, width, text }) = place else {
            return write!(to, "{file}: {message}");
        };
        write!(to, "{file}:{line}:{column}: {message}")?;
        let Some(text) = text else { return Ok(()) };
        let gutter = " ".repeat(line.to_string().len());
        let indent = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect::<String>();
        write!(to, "\n{line} | {text}\n{gutter} | {indent}{}", "^".repeat(*width))
    }
}

impl std::error::Error for Diagnostic {}

/// Several mistakes, reported together in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Notes one more.
    pub fn push(&mut self, mistake: Diagnostic) {
        self.0.push(mistake);
    }

    /// Notes all of another list.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The mistakes, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// `Ok` where there are none.
    ///
    /// # Errors
    /// The mistakes themselves, in the order of their places, each once.
    pub fn into_result(mut self) -> Result<(), Self> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
        self.0.dedup();
        Err(self)
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(mistake: Diagnostic) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n\n" };
            write!(to, "{gap}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// `; did you mean …?` for a name that is close to one of those that exist, else nothing.
///
/// `shown` writes the candidate as the reader would, such as `` `{group}` ``.
pub fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    shown: impl Fn(&str) -> String,
) -> String {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    let nearest = known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .chain(None)
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, candidate)) if distance <= limit || (candidate.starts_with(name) && name.len() > 2) => {
            format!("; did you mean {}?", shown(candidate))
        }
        _ => String::new(),
    }
}
