//! How tokens are renewed: text for people.

use serde::{Deserialize, Serialize};

use super::sanitize::{sanitize, truncate};

/// The most lines of a text.
pub const MAX_LINES: usize = 4;

/// How a token is renewed: who can do it, where, and by which command.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Renewal {
    /// One to four lines of plain text.
    pub steps: Vec<String>,
    /// The page of the vendor's documentation: the same for every reader, unlike a page of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
}

impl Renewal {
    /// The steps of a definition.
    pub fn new(who: &str, place: Option<&str>, command: Option<&str>, docs: Option<String>) -> Self {
        let parts = [("Who", Some(who)), ("Where", place), ("Command", command)];
        let steps = parts.into_iter().filter_map(|(title, text)| Some(line(&format!("{title}: {}", text?))));
        Self { steps: steps.collect(), docs }
    }

    /// The steps that a person writes, a line each. Control characters are removed, long lines cut.
    ///
    /// # Errors
    /// The number of lines, if there are none or too many.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let steps: Vec<_> = text.lines().map(line).filter(|line| !line.is_empty()).collect();
        match steps.len() {
            1..=MAX_LINES => Ok(Self { steps, docs: None }),
            count => Err(count),
        }
    }
}

fn line(text: &str) -> String {
    let mut line = truncate(text.trim());
    sanitize(&mut line);
    line
}

/// The steps of a provider's tokens, by kind. A `*` in a kind stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewals(Vec<(String, Renewal)>);

impl FromIterator<(String, Renewal)> for Renewals {
    fn from_iter<I: IntoIterator<Item = (String, Renewal)>>(renewals: I) -> Self {
        Self(renewals.into_iter().collect())
    }
}

impl Renewals {
    /// The steps of a kind: those of exactly this kind, else the first whose pattern matches.
    pub fn of_kind(&self, kind: &str) -> Option<&Renewal> {
        let exact = self.0.iter().find(|(pattern, _)| pattern == kind);
        exact.or_else(|| self.0.iter().find(|(pattern, _)| matches(pattern, kind))).map(|(_, renewal)| renewal)
    }

    /// The kinds, and the steps of each, in the order of the definition.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Renewal)> {
        self.0.iter().map(|(kind, renewal)| (&**kind, renewal))
    }
}

/// Whether a kind matches a pattern with at most one `*`.
pub fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == kind,
        Some((start, end)) => kind.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn exact_kind_comes_before_a_pattern() {
        let steps = |text: &str| Renewal::parse(text).unwrap();
        let renewals: Renewals = [("*-token", steps("any")), ("b-token", steps("b")), ("*", steps("rest"))]
            .map(|(k, r)| (k.into(), r))
            .into_iter()
            .collect();
        for (kind, expected) in [("b-token", "b"), ("a-token", "any"), ("-token", "any"), ("key", "rest")] {
            assert_eq!(renewals.of_kind(kind), Some(&steps(expected)), "{kind}");
        }
        assert_eq!(Renewals::default().of_kind("key"), None);
    }

    #[test]
    fn pattern_matches_only_if_both_ends_fit() {
        for (pattern, kind, expected) in
            [("a", "a", true), ("a", "ab", false), ("a*b", "ab", true), ("a*b", "axb", true), ("ab*ba", "aba", false)]
        {
            assert_eq!(matches(pattern, kind), expected, "{pattern} {kind}");
        }
    }

    #[test]
    fn text_has_one_to_four_clean_lines() {
        let parsed = Renewal::parse("  one\u{7} \n\n two \n").unwrap();
        assert_eq!(parsed.steps.len(), 2, "{parsed:?}");
        assert!(parsed.steps[0].starts_with("one") && !parsed.steps[0].contains('\u{7}'), "{parsed:?}");
        assert_eq!(parsed.steps[1], "two");
        assert_eq!(Renewal::parse(" \n"), Err(0));
        assert_eq!(Renewal::parse("1\n2\n3\n4\n5"), Err(5));
    }

    #[test]
    fn definition_becomes_a_line_per_part() {
        let renewal = Renewal::new("the owner", None, Some("x renew"), Some("https://a.example".into()));
        assert_eq!(renewal.steps, ["Who: the owner", "Command: x renew"]);
    }
}
