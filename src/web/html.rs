//! HTML without a template engine: one page does not need one.

use std::fmt::{self, Display, Write as _};

/// A text from outside, escaped for an element's content and for a quoted attribute.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Sieve<'a, 'f>(&'a mut fmt::Formatter<'f>);
        impl fmt::Write for Sieve<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for character in text.chars() {
                    match character {
                        '&' => self.0.write_str("&amp;")?,
                        '<' => self.0.write_str("&lt;")?,
                        '>' => self.0.write_str("&gt;")?,
                        '"' => self.0.write_str("&quot;")?,
                        '\'' => self.0.write_str("&#39;")?,
                        _ => self.0.write_char(character)?,
                    }
                }
                Ok(())
            }
        }
        write!(Sieve(to), "{}", self.0)
    }
}

/// A link's target, if it leads to the web: `javascript:` and the like do not. What no URL may hold is encoded.
pub(super) fn web_link(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_cannot_become_markup() {
        let hostile = "<script>alert('x')</script>&\"é";
        let expected = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;é";
        assert_eq!(Escaped(hostile).to_string(), expected);
    }

    #[test]
    fn a_link_leads_to_the_web() {
        for (url, sound) in [
            ("https://a.example/x?y=1", Some("https://a.example/x?y=1")),
            ("HTTP://a.example", Some("http://a.example/")),
            ("https://a.example/?\"b\"\r\nX:", Some("https://a.example/?%22b%22X:")),
            ("javascript:alert(1)", None),
            (" javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("/relative", None),
            ("", None),
        ] {
            assert_eq!(web_link(url).as_deref(), sound, "{url}");
        }
    }
}
