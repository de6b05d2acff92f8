//! The reading of one file: what was found wrong so far, and which lines no message may show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::Environment;
use super::redaction;
use crate::core::sanitize::is_displayable;
use crate::schema::diagnostic::{Diagnostics, SourceText, Span};
use crate::schema::yaml::{Node, Reader};

/// The longest text that is shown to people, in characters; a provider's words are cut there.
const LONGEST: usize = 200;

/// The reading of one file.
pub(super) struct ConfigReader {
    pub(super) reader: Reader,
    secrets: Vec<Span>,
    surroundings: Arc<dyn Environment>,
    folder: PathBuf,
}

impl ConfigReader {
    /// Begins to read a text. Relative paths in it stand under the folder of its name.
    pub(super) fn new(text: SourceText, surroundings: Arc<dyn Environment>) -> Self {
        let folder = Path::new(text.name()).parent().map(Path::to_owned).unwrap_or_default();
        Self { reader: Reader::new(text), secrets: Vec::new(), surroundings, folder }
    }

    /// The text.
    pub(super) fn content(&self) -> &str {
        self.reader.text.content()
    }

    /// Files and variables.
    pub(super) fn surroundings(&self) -> &Arc<dyn Environment> {
        &self.surroundings
    }

    /// A path of the file, from where the program runs.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// Notes a mistake.
    pub(super) fn error(&mut self, at: Span, message: impl Into<String>) {
        self.reader.error(at, message);
    }

    /// Notes that a secret stands in the file: the message must not quote it, and its lines are shown by no message.
    pub(super) fn secret(&mut self, at: Span, message: impl Into<String>) {
        self.secrets.push(at);
        self.reader.error(at, message);
    }

    /// Whether this place was found to hold a secret.
    pub(super) fn is_secret(&self, at: Span) -> bool {
        self.secrets.contains(&at)
    }

    /// Notes that a value is of the wrong type.
    pub(super) fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        self.reader.wrong_type(node, what, expected);
    }

    /// A text.
    pub(super) fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        self.reader.string(node, what)
    }

    /// A text that is not blank.
    pub(super) fn filled(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.string(node, what)?;
        if text.trim().is_empty() {
            self.error(node.at, format!("{what}: the text is empty"));
            return None;
        }
        self.can_be_shown(node, what, &text).then_some(text)
    }

    /// Whether a text can stand in a label, on a page and in a mail; what cannot is a mistake.
    pub(super) fn can_be_shown(&mut self, node: &Node, what: &str, text: &str) -> bool {
        let problem = if !is_displayable(text) {
            "it holds a line end or another character that cannot be shown; write it on one line"
        } else if text.chars().count() > LONGEST {
            "it is longer than 200 characters"
        } else {
            return true;
        };
        self.error(node.at, format!("{what}: {problem}"));
        false
    }

    /// The number of the line in which a place stands, for messages that speak of a second place.
    pub(super) fn line(&self, at: Span) -> usize {
        self.reader.text.line_number(at.start)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// The mistakes, without the lines that hold a secret.
    pub(super) fn finish(self) -> Result<(), Diagnostics> {
        let mut hidden = redaction::lines(self.content());
        for at in &self.secrets {
            let last = Span { start: at.end.saturating_sub(1).max(at.start), end: at.end };
            hidden.extend(self.line(*at)..=self.line(last));
        }
        let mut shown = Diagnostics::default();
        for mistake in self.reader.diagnostics.iter() {
            let line = mistake.line_number();
            let mistake = mistake.clone();
            shown.push(if hidden.contains(&line) { mistake.hide_line() } else { mistake });
        }
        shown.into_result()
    }
}
