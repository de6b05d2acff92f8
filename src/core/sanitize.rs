//! Which characters of a stranger's words may be shown: in a label, on a page, in a mail, on a terminal, in a log.

/// The most marks that may stand on one letter. Scripts that are read need two or three; a flood of them covers the lines
/// above and below.
const MOST_MARKS: usize = 4;

/// The most characters of a message's part.
const LONGEST: usize = 200;

/// Control characters, the line ends of Unicode, and what turns the direction of all that follows: with it, a token's name
/// can make a mail's next words read as something else.
pub(crate) fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{61C}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text can be shown as it stands.
pub(crate) fn is_legible(text: &str) -> bool {
    let mut marks = CombiningMarks::default();
    !text.chars().any(|c| is_unfit(c) || marks.are_too_many_with(c))
}

/// Takes out what must not be shown.
pub(crate) fn make_legible(text: &mut String) {
    let mut marks = CombiningMarks::default();
    text.retain(|c| !is_unfit(c) && !marks.are_too_many_with(c));
}

/// The text with a sign in the place of each character that must not be shown: what is printed once, and not kept.
pub(crate) fn shown(text: &str, keep: &[char]) -> String {
    text.chars().map(|c| if is_unfit(c) && !keep.contains(&c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The text, or its first 200 characters: what is told once, in a line that people read.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Counts the marks on one letter.
#[derive(Default)]
struct CombiningMarks(usize);

impl CombiningMarks {
    fn are_too_many_with(&mut self, c: char) -> bool {
        self.0 = if is_mark(c) { self.0 + 1 } else { 0 };
        self.0 > MOST_MARKS
    }
}

/// The blocks of Unicode that are nothing but combining marks, and the variation selectors, which show nothing.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}')
        || matches!(c, '\u{20D0}'..='\u{20FF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}')
        || matches!(c, '\u{E0100}'..='\u{E01EF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_shown_is_taken_out() {
        let flood = format!("Z{}a", "\u{336}".repeat(50));
        for (text, legible) in [
            ("Zoë 🔑 日本 Việt", "Zoë 🔑 日本 Việt"),
            ("a\u{0}\u{1b}[31m\u{9b}b", "a[31mb"),
            ("\u{202e}gpj\u{2066}\u{2028}", "gpj"),
            (flood.as_str(), "Z\u{336}\u{336}\u{336}\u{336}a"),
        ] {
            let mut made = text.to_owned();
            make_legible(&mut made);
            assert_eq!(made, legible, "{text:?}");
            assert!(is_legible(&made), "{text:?}");
            assert_eq!(is_legible(text), text == legible, "{text:?}");
        }
        assert_eq!(shown("a\tb\u{1b}\u{202e}\n", &['\t']), "a\tb\u{fffd}\u{fffd}\u{fffd}");
    }
}
