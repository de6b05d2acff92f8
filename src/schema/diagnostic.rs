//! An error in a file that a person has written: its position, the problem and the remedy.

use std::fmt;
use std::sync::Arc;

/// A text that a person has written, and its name in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText(Arc<(String, String)>);

impl SourceText {
    /// `name` is usually the path of the file as it was given.
    pub fn new(name: impl Into<String>, content: impl Into<String>) -> Self {
        Self(Arc::new((name.into(), content.into())))
    }

    pub fn name(&self) -> &str {
        &self.0.0
    }

    pub fn content(&self) -> &str {
        &self.0.1
    }

    /// The number, from 1, of the line in which an offset is.
    pub fn line_number(&self, offset: usize) -> usize {
        self.content()[..floor(self.content(), offset)].matches('\n').count() + 1
    }

    /// An error at this position.
    pub fn error(&self, at: Span, message: impl Into<String>) -> Diagnostic {
        let content = self.content();
        let start = floor(content, at.start);
        let line_start = content[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = content[line_start..].split(['\n', '\r']).next().unwrap_or_default();
        // Not `clamp`, which panics if `start` is past the line's end: a lone carriage return is not a line break in YAML.
        let end = floor(content, at.end).min(line_start + line.len()).max(start);
        let position = Position {
            line: self.line_number(start),
            column: content[line_start..start].chars().count() + 1,
            width: content[start..end].chars().count().max(1),
            text: Some(line.to_owned()),
        };
        Diagnostic { file: self.name().to_owned(), message: message.into(), position: Some(position) }
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

/// A part of a text, in bytes from its beginning; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// One error. `Display` is the whole message, over several lines:
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
    position: Option<Position>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    line: usize,
    column: usize,
    width: usize,
    /// None if the line may hold a secret.
    text: Option<String>,
}

impl Diagnostic {
    /// An error of a file as a whole, or of a flag or variable if `file` is its name.
    pub fn in_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), message: message.into(), position: None }
    }

    /// The same error without the text of its line, which may hold a secret.
    #[must_use]
    pub fn hide_line(mut self) -> Self {
        if let Some(position) = &mut self.position {
            position.text = None;
        }
        self
    }

    /// The message without position and line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it is at the same position, or in a line whose text the other one hides because of a secret.
    pub fn repeats(&self, other: &Self) -> bool {
        match (&self.position, &other.position) {
            (Some(own), Some(other)) => own.line == other.line && (own.column == other.column || other.text.is_none()),
            _ => false,
        }
    }

    /// The number of its line, from 1; 0 if it has none.
    pub fn line_number(&self) -> usize {
        self.position.as_ref().map_or(0, |position| position.line)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, message, position } = self;
        let Some(Position { line, column, width, text }) = position else {
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

/// Several errors, reported together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, error: Diagnostic) {
        self.0.push(error);
    }

    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The value of a result, or none after its errors were added to these.
    pub fn collect<T>(&mut self, result: Result<T, Self>) -> Option<T> {
        result.map_err(|errors| self.extend(errors)).ok()
    }

    /// The errors in the order in which they were found.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// The same errors; lines that `hide` chooses by their number are without their text.
    #[must_use]
    pub fn hide_lines(self, hide: impl Fn(usize) -> bool) -> Self {
        let hidden = |error: Diagnostic| if hide(error.line_number()) { error.hide_line() } else { error };
        Self(self.0.into_iter().map(hidden).collect())
    }

    /// # Errors
    /// The errors, if there are any, in the order of their positions, each once.
    pub fn into_result(mut self) -> Result<(), Self> {
        let position = |error: &Diagnostic| error.position.as_ref().map_or((0, 0), |at| (at.line, at.column));
        self.0.sort_by(|a, b| (&a.file, position(a)).cmp(&(&b.file, position(b))));
        self.0.dedup();
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(error: Diagnostic) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            let blank = if number == 0 { "" } else { "\n\n" };
            write!(to, "{blank}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The known name that a misspelt one most probably means.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let limit = (length / 3).clamp(1, 3).min(length.saturating_sub(1));
    let distance = |candidate: &'a str| (strsim::damerau_levenshtein(name, candidate), candidate);
    let (distance, candidate) = known.into_iter().map(distance).min_by_key(|(distance, _)| *distance)?;
    (distance <= limit || candidate.starts_with(name) && length > 2).then_some(candidate)
}

/// ``; did you mean `NAME`?`` if a known name is close to this one, else nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

/// The known name that is probably meant, or all of them: the end of a message about an unknown name.
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => format!("; expected {}", one_of(known)),
    }
}

/// Names as a sentence lists them: `` `a`, `b` or `c` ``, each once.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut list: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    list.dedup();
    match list.pop() {
        Some(last) if !list.is_empty() => format!("{} or {last}", list.join(", ")),
        last => last.unwrap_or_default(),
    }
}
