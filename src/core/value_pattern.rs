//! How credentials are recognised in text: by published prefixes, so that nothing else is ever sent to a provider.

use std::sync::Arc;

use regex::Regex;

/// The longest text that is searched, in bytes. A Secret of Kubernetes has at most 1 MiB.
const MAX_TEXT_LEN: usize = 1 << 20;

/// How the credentials of one source begin and go on.
#[derive(Clone, Debug)]
pub struct ValuePattern {
    regex: Regex,
    prefixes: Arc<[String]>,
}

impl ValuePattern {
    /// What follows a prefix, unless a definition says otherwise: the characters of RFC 6750. The last one
    /// is not a character that ends a sentence. <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>
    pub const DEFAULT_REST: &'static str = "[A-Za-z0-9._~+/=-]{11,4000}[A-Za-z0-9_=-]";

    /// `rest` is a regular expression for what follows one of the prefixes.
    ///
    /// # Errors
    /// Why it is invalid.
    pub fn new(prefixes: &[String], rest: &str) -> Result<Self, String> {
        let escaped: Vec<_> = prefixes.iter().map(|prefix| regex::escape(prefix)).collect();
        let pattern = format!(r"(?:^|[^A-Za-z0-9_.-])((?:{})(?:{rest}))(?:$|[^A-Za-z0-9_-])", escaped.join("|"));
        match Regex::new(&pattern) {
            Ok(regex) if !regex.is_match("") && !prefixes.is_empty() => Ok(Self { regex, prefixes: prefixes.into() }),
            Ok(_) => Err("matches the empty text".to_owned()),
            Err(error) => {
                Err(error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// The credentials in a text.
    pub fn find<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let end = (0..=MAX_TEXT_LEN.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let text = &text[..end.unwrap_or_default()];
        // The end of one may be the beginning of the next.
        let mut at = 0;
        std::iter::from_fn(move || {
            let found = self.regex.captures_at(text, at)?.get(1)?;
            at = found.end();
            Some(found.as_str())
        })
    }

    pub fn is_match(&self, value: &str) -> bool {
        self.find(value).any(|found| found == value)
    }

    /// The number of characters with which a text begins like a prefix. They are published, so they distinguish no credential.
    pub fn prefix_len(&self, text: &str) -> usize {
        let common = |prefix: &String| prefix.chars().zip(text.chars()).take_while(|(one, other)| one == other).count();
        self.prefixes.iter().map(common).max().unwrap_or_default()
    }
}

/// The patterns of all sources that can identify credentials. Nothing is found without any.
#[derive(Clone, Debug, Default)]
pub struct ValuePatterns(pub Arc<[ValuePattern]>);

impl ValuePatterns {
    /// The credentials in a text, each once.
    pub fn find<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut found: Vec<_> = self.0.iter().flat_map(|pattern| pattern.find(text)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const TOKEN: &str = "glpat-AbCdEf0123456789xyzw";

    fn patterns() -> ValuePatterns {
        let gitlab = ValuePattern::new(&["glpat-".into(), "gldt-".into()], ValuePattern::DEFAULT_REST).unwrap();
        let vault = ValuePattern::new(&["s.".into()], "[A-Za-z0-9]{24}").unwrap();
        ValuePatterns([gitlab, vault].into())
    }

    #[test]
    fn credential_is_found_in_every_form_of_a_file() {
        let forms = [
            TOKEN.to_owned(),
            format!("{TOKEN}\n"),
            format!("GITLAB_TOKEN={TOKEN}\nOTHER=1"),
            format!("export GITLAB_TOKEN=\"{TOKEN}\""),
            format!("{{\"gitlab\":{{\"token\":\"{TOKEN}\"}}}}"),
            format!("token: {TOKEN}  # of Jane"),
            format!("https://oauth2:{TOKEN}@gitlab.example/x.git"),
            format!("The token is {TOKEN}."),
            format!("machine gitlab.example login x password {TOKEN}"),
            format!("a={TOKEN},b={TOKEN}"),
            format!("{TOKEN}é"),
        ];
        for form in forms {
            assert_eq!(patterns().find(&form), [TOKEN], "{form}");
        }
    }

    #[test]
    fn several_credentials_are_found_side_by_side() {
        let other = "glpat-0123456789AbCdEfxyzw";
        assert_eq!(patterns().find(&format!("{TOKEN} {other} {TOKEN}\n{other}")), [other, TOKEN]);
    }

    #[test]
    fn what_only_looks_like_a_credential_is_not_found() {
        let words =
            ["glpat-short", "xglpat-AbCdEf0123456789xyzw", "glpat-", "tests.AbCdEf0123456789AbCdEf01", "s.short", ""];
        for word in words {
            assert_eq!(patterns().find(word), [""; 0], "{word}");
        }
    }

    #[test]
    fn prefix_len_counts_what_is_published() {
        let pattern = ValuePattern::new(&["sk-".into(), "sk-ant-".into()], ValuePattern::DEFAULT_REST).unwrap();
        for (text, len) in [("sk-ant-aB", 7), ("sk-xy", 3), ("s", 1), ("", 0), ("other", 0)] {
            assert_eq!(pattern.prefix_len(text), len, "{text}");
        }
    }

    #[test]
    fn invalid_pattern_is_refused() {
        assert!(ValuePattern::new(&["a".into()], "(").is_err());
        assert!(ValuePattern::new(&[], "x").is_err());
    }
}
