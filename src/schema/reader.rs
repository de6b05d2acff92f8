//! Collecting every error of one text, and reading its simple values.

use super::diagnostic::{Diagnostics, SourceText, Span, one_of, suggest};
use super::yaml::{Kind, Node};
use crate::core::sanitize::{MAX_TEXT_LEN, is_displayable};

/// The longest name that takes the place of a number in a path.
const MAX_NAME_IN_PATH: usize = 63;

/// Reads the nodes of one text, and collects every error.
#[derive(Debug)]
pub struct Reader {
    pub text: SourceText,
    pub diagnostics: Diagnostics,
    /// Whether null is as good as an absent key.
    pub(super) null_is_absent: bool,
    secrets: Vec<Span>,
    /// Number of secrets that were not read.
    pub(super) skipped: usize,
}

impl Reader {
    pub fn new(text: SourceText) -> Self {
        Self { text, diagnostics: Diagnostics::default(), null_is_absent: true, secrets: Vec::new(), skipped: 0 }
    }

    /// A reader that refuses null for a key that has a type.
    pub fn refusing_null(text: SourceText) -> Self {
        Self { null_is_absent: false, ..Self::new(text) }
    }

    pub fn error(&mut self, at: Span, message: impl Into<String>) {
        self.diagnostics.push(self.text.error(at, message));
    }

    /// Reports a secret in the text. The message must not quote it; no message shows its lines or reads it again.
    pub fn secret(&mut self, at: Span, message: impl Into<String>) {
        self.secrets.push(at);
        self.error(at, message);
    }

    pub(super) fn is_secret(&self, at: Span) -> bool {
        self.secrets.contains(&at)
    }

    pub fn wrong_type(&mut self, node: &Node, path: &str, expected: &str) {
        self.error(node.at, format!("{path}: expected {expected}, found {}", node.describe()));
    }

    /// Finishes the reading. The errors do not show lines with a secret, nor those that `hide` chooses by their number.
    ///
    /// # Errors
    /// Every error, in the order of their positions.
    pub fn finish(self, hide: impl Fn(usize) -> bool) -> Result<(), Diagnostics> {
        let Self { text, diagnostics, secrets, .. } = self;
        let last = |at: &Span| at.end.saturating_sub(1).max(at.start);
        let lines = secrets.iter().map(|at| text.line_number(at.start)..=text.line_number(last(at)));
        let lines: Vec<_> = lines.collect();
        diagnostics.hide_lines(|line| hide(line) || lines.iter().any(|lines| lines.contains(&line))).into_result()
    }

    /// A text, a number or a flag, as it is written.
    pub fn string(&mut self, node: &Node, path: &str) -> Option<String> {
        let written = written(&self.text, node).map(str::to_owned);
        if written.is_none() {
            self.wrong_type(node, path, "a string");
        }
        written
    }

    /// A `ValueType::Line`.
    pub fn line(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = self.string(node, path)?;
        if text.trim().is_empty() {
            self.error(node.at, format!("{path}: must not be empty"));
            return None;
        }
        self.is_displayable(node, path, &text).then_some(text)
    }

    /// Whether a text can be displayed on one line; if not, reports it.
    pub fn is_displayable(&mut self, node: &Node, path: &str, text: &str) -> bool {
        let problem = if !is_displayable(text) {
            "contains a line break or a character that cannot be displayed; write it on one line".to_owned()
        } else if text.chars().count() > MAX_TEXT_LEN {
            format!("is longer than {MAX_TEXT_LEN} characters")
        } else {
            return true;
        };
        self.error(node.at, format!("{path}: {problem}"));
        false
    }

    /// Reports a value that is not one of these words.
    pub fn one_of(&mut self, node: &Node, path: &str, words: &[&str]) {
        match written(&self.text, node) {
            Some(word) if words.contains(&word) => {}
            Some(word) => {
                let hint = suggest(word, words.iter().copied().filter(|word| !word.is_empty()));
                self.error(node.at, format!("{path}: unknown value `{word}`{hint}"));
            }
            None => self.wrong_type(node, path, &one_of(words.iter().copied())),
        }
    }
}

/// A text, number or flag as it is written.
pub fn written<'a>(text: &'a SourceText, node: &'a Node) -> Option<&'a str> {
    match &node.kind {
        Kind::Text(text) => Some(text),
        Kind::Number(_) | Kind::Flag(_) => text.content().get(node.at.start..node.at.end),
        _ => None,
    }
}

/// The path of a key for messages.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The elements of a list, each with its path: by its `name` if it has one that can be shown, else by its number.
pub fn element_paths<'n>(
    node: &'n Node,
    path: &str,
    is_secret: impl Fn(&Node) -> bool,
) -> impl Iterator<Item = (String, &'n Node)> {
    node.elements().iter().enumerate().map(move |(number, element)| {
        let name = element.get("name").filter(|name| !is_secret(name)).and_then(Node::as_text);
        let path = match name.filter(|name| (1..=MAX_NAME_IN_PATH).contains(&name.len())) {
            _ if !matches!(node.kind, Kind::List(_)) => path.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None => format!("{path}[{number}]"),
        };
        (path, element)
    })
}
