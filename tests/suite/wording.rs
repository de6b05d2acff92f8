//! Phrases of `tests/retired-phrases.txt` do not return to texts, comments and documentation.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use regex::{Regex, RegexSet};

/// What a user or a contributor reads. Directories are searched with everything below them.
const SEARCHED: [&str; 15] = [
    "src",
    "docs",
    "alerts",
    "dashboards",
    "helm",
    "examples",
    "packaging",
    "benches",
    "tests/providers",
    "tests/ship",
    "tests/suite",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
];
/// Between these two lines a page quotes retired phrases.
const QUOTED: (&str, &str) = ("<!-- retired phrases -->", "<!-- /retired phrases -->");
/// A name in the persisted inventory.
const STORED: &str = "serde(rename";
/// The space of a phrase: also a line break, with the marks that continue a comment or a string.
const SPACE: &str = r"[ \t]*\\?[ \t\r\n]+(?:(?://[/!]?|#)[ \t]+)?";

struct RetiredPhrases {
    set: RegexSet,
    /// Each with the term to use.
    phrases: Vec<(Regex, String)>,
}

impl RetiredPhrases {
    fn read(list: &str) -> Self {
        let rows = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (patterns, terms): (Vec<_>, Vec<_>) = rows
            .map(|row| {
                let (phrase, term) = row.split_once('\t').unwrap_or_else(|| panic!("{row}: no tab"));
                (format!(r"(?i-u)\b(?:{})\b", phrase.replace(' ', SPACE)), term.to_owned())
            })
            .unzip();
        let set = RegexSet::new(&patterns).unwrap();
        let phrases = patterns.iter().map(|pattern| Regex::new(pattern).unwrap()).zip(terms).collect();
        Self { set, phrases }
    }

    /// One line for each phrase in `text`: `path:line: "phrase": use …`.
    fn find(&self, path: &str, text: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for index in self.set.matches(text) {
            let (phrase, term) = &self.phrases[index];
            for hit in phrase.find_iter(text) {
                let line = 1 + text[..hit.start()].matches('\n').count();
                let words = hit.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
                found.push((line, format!("{path}:{line}: \"{words}\": use {term}")));
            }
        }
        found.sort();
        found
    }
}

/// Blanks quotations and stored names, which must not change, and keeps the line numbers.
fn without_exceptions(text: &str) -> String {
    let mut quoted = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        quoted = (quoted || line.trim() == QUOTED.0) && line.trim() != QUOTED.1;
        kept.push_str(if quoted || line.contains(STORED) { "\n" } else { line });
    }
    kept
}

fn search(retired: &RetiredPhrases, path: &Path, found: &mut String) {
    if path.is_dir() {
        let mut children: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        children.sort();
        for child in children {
            search(retired, &child, found);
        }
    } else if path == Path::new(file!()) {
        // This file quotes them.
    } else if let Ok(text) = fs::read_to_string(path) {
        for (_, line) in retired.find(path.to_str().unwrap(), &without_exceptions(&text)) {
            let _ = writeln!(found, "{line}");
        }
    }
}

#[test]
fn retired_phrases_do_not_return() {
    let retired = RetiredPhrases::read(include_str!("../retired-phrases.txt"));
    let mut found = String::new();
    for path in SEARCHED {
        // Relative paths, which an editor can open; cargo runs tests in the crate's directory.
        search(&retired, Path::new(path), &mut found);
    }
    assert!(found.is_empty(), "{} retired phrases (tests/retired-phrases.txt):\n{found}", found.lines().count());
}

#[test]
fn phrases_match_whole_words_in_any_case_and_across_lines() {
    let retired = RetiredPhrases::read("# a comment\n\nof before\tprevious\nheals?\trecovers\n");
    for (text, expected) in [
        ("the one Of Before", "a.rs:1: \"Of Before\": use previous"),
        ("\n/// the one of\n/// before.", "a.rs:2: \"of /// before\": use previous"),
        ("\"the one of \\\n    before\"", "a.rs:1: \"of \\ before\": use previous"),
        ("it heals", "a.rs:1: \"heals\": use recovers"),
    ] {
        let found: Vec<_> = retired.find("a.rs", text).into_iter().map(|(_, line)| line).collect();
        assert_eq!(found, [expected], "{text}");
    }
    for text in ["proof before", "healthy", "of beforehand", "of the one before"] {
        assert!(retired.find("a.rs", text).is_empty(), "{text}");
    }
    assert_eq!(
        without_exceptions("a\n<!-- retired phrases -->\nb\n<!-- /retired phrases -->\nc"),
        "a\n\n\n<!-- /retired phrases -->\nc"
    );
}
