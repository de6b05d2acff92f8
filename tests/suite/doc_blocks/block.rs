//! The fenced code blocks of a page.

use std::fs;
use std::path::Path;

use super::repository;

/// A block, without the indentation of its fence.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) page: String,
    /// Of the opening fence.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// `docs/web.md:82`.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    /// The commands of a shell block: continued lines joined, without comments, prompts and empty lines. In a `console`, a line
    /// without a prompt is output.
    pub(crate) fn commands(&self) -> Vec<String> {
        let joined = self.text.replace("\\\n", " ");
        let is_console = self.language == "console";
        let lines = joined.lines().filter_map(|line| if is_console { line.strip_prefix("$ ") } else { Some(line) });
        let lines = lines.map(|line| line.split("    #").next().unwrap_or_default().trim().to_owned());
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    }
}

/// The blocks of a page, by its path in the repository.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(repository().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    parse(page, &text)
}

pub(super) fn parse(page: &str, text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        assert!(!content.starts_with("~~~"), "{page}:{}: fence a block with ```", number + 1);
        let ticks: String = content.chars().take_while(|c| *c == '`').collect();
        match &open {
            None if ticks.len() >= 3 => {
                let language = content[ticks.len()..].trim().to_owned();
                found.push(Block { page: page.to_owned(), line: number + 1, language, text: String::new() });
                open = Some((indent, ticks));
            }
            Some((_, fence)) if content.trim_end() == fence => open = None,
            Some((indent, _)) => {
                let block = found.last_mut().expect("an open block");
                block.text.push_str(line.get(*indent..).unwrap_or_default());
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(open.is_none(), "{page}: the last block is not closed");
    found
}

/// Every page with code that a reader may copy, by its path in the repository.
pub(crate) fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "helm/token-expiry-exporter/README.md"]
            .map(str::to_owned)
            .into();
    let pattern = repository().join("docs/**/*.md");
    let found = glob::glob(pattern.to_str().expect("UTF-8")).expect("a pattern").map(|path| path.expect("a path"));
    pages.extend(found.map(|path| relative(&path)));
    pages
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository()).expect("a file of the repository").display().to_string()
}
