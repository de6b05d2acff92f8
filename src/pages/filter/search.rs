//! Case-insensitive search.

/// Words that must all be found, each in any of a token's texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Search {
    text: String,
    /// In lower case.
    words: Vec<String>,
}

impl Search {
    /// `None` without a word.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        (!words.is_empty()).then(|| Self { text: text.trim().to_owned(), words })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether every word is found. `is_found` searches one word, in lower case.
    pub(super) fn matches(&self, is_found: impl Fn(&str) -> bool) -> bool {
        self.words.iter().all(|word| is_found(word))
    }
}

/// Whether a text contains a word that is in lower case. Texts in ASCII, almost all, are not copied.
pub(super) fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() {
        let (text, word) = (text.as_bytes(), word.as_bytes());
        return text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    }
    text.to_lowercase().contains(word)
}
