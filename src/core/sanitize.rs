//! Which characters of untrusted text may be shown: in a label, on a page, in a mail, on a terminal, in a log.

/// The most combining marks on one letter. Living scripts need two or three; dozens of them cover the lines above and below.
const MAX_MARKS: usize = 4;

/// The longest text that is shown, in characters: a label value, a part of a message.
pub(crate) const MAX_TEXT_LEN: usize = 200;

/// Control characters, the line breaks of Unicode, and direction marks: with these, a token's name could make the rest of
/// a mail read as something else.
pub(crate) fn is_unsafe_char(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{61C}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether [`sanitize`] leaves the text unchanged.
pub(crate) fn is_displayable(text: &str) -> bool {
    let mut marks = CombiningMarks::default();
    !text.chars().any(|c| is_unsafe_char(c) || marks.exceed_limit_with(c))
}

/// Removes unsafe characters and excess combining marks.
pub(crate) fn sanitize(text: &mut String) {
    let mut marks = CombiningMarks::default();
    text.retain(|c| !is_unsafe_char(c) && !marks.exceed_limit_with(c));
}

/// Replaces each unsafe character that is not in `keep`, for text that is only printed.
pub(crate) fn replace_unsafe(text: &str, keep: &[char]) -> String {
    text.chars()
        .map(|c| if is_unsafe_char(c) && !keep.contains(&c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Truncates a part of a message to 200 characters.
pub(crate) fn truncate(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_LEN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Counts the combining marks on one letter.
#[derive(Default)]
struct CombiningMarks(usize);

impl CombiningMarks {
    fn exceed_limit_with(&mut self, c: char) -> bool {
        self.0 = if is_mark(c) { self.0 + 1 } else { 0 };
        self.0 > MAX_MARKS
    }
}

/// The Unicode blocks of combining marks, and the variation selectors, which are invisible.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}')
        || matches!(c, '\u{20D0}'..='\u{20FF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}')
        || matches!(c, '\u{E0100}'..='\u{E01EF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitize_removes_unsafe_characters() {
        let stacked = format!("Z{}a", "\u{336}".repeat(50));
        for (text, expected) in [
            ("Zoë 🔑 日本 Việt", "Zoë 🔑 日本 Việt"),
            ("a\u{0}\u{1b}[31m\u{9b}b", "a[31mb"),
            ("\u{202e}gpj\u{2066}\u{2028}", "gpj"),
            (stacked.as_str(), "Z\u{336}\u{336}\u{336}\u{336}a"),
        ] {
            let mut sanitized = text.to_owned();
            sanitize(&mut sanitized);
            assert_eq!(sanitized, expected, "{text:?}");
            assert!(is_displayable(&sanitized), "{text:?}");
            assert_eq!(is_displayable(text), text == expected, "{text:?}");
        }
        assert_eq!(replace_unsafe("a\tb\u{1b}\u{202e}\n", &['\t']), "a\tb\u{fffd}\u{fffd}\u{fffd}");
    }
}
