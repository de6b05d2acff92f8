//! An owner's email address.
//!
//! Alertmanager copies it into the `to` of a mail. There, `a@x, b@y` would mail two people, a display name would make the
//! notification fail for good, and `JANE@` and `jane@` would be two mails.

use std::borrow::Cow;

/// The longest address that can receive mail (RFC 5321, 4.5.3.1.3, without the angle brackets).
const MAX_LEN: usize = 254;

/// The address in lower case, if the text is exactly one valid address without a display name.
pub fn normalize(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    (text.len() <= MAX_LEN && is_local(local) && is_domain(domain)).then(|| text.to_ascii_lowercase())
}

/// The part before the `@`. Stricter than RFC 5322: no quoted parts, and no characters that mail servers, templates or
/// shells interpret (`%`, `!`, `|`, `` ` ``, braces).
fn is_local(local: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "#$&'*+-/=?^_~".contains(c);
    local.len() <= 64 && local.split('.').all(|part| !part.is_empty() && part.chars().all(allowed))
}

/// A host name with a dot; its last part is not a number, so it is not an IP address.
fn is_domain(domain: &str) -> bool {
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let top = domain.rsplit_once('.').map(|(_, top)| top);
    top.is_some_and(|top| top.len() > 1 && top.starts_with(|c: char| c.is_ascii_alphabetic()))
        && domain.split('.').all(label)
}

/// The text with only the part before the `@` of each address in it. Any `x@y.z` counts as one, so that more than the valid
/// addresses stay private.
pub fn without_domains(text: &str) -> Cow<'_, str> {
    let is_delimiter = |c: char| c.is_whitespace() || "<>()[]{},;:\"|".contains(c);
    let mut parts = text.split('@');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (domain, rest) = part.split_at(part.find(is_delimiter).unwrap_or(part.len()));
        let has_local = shown.chars().next_back().is_some_and(|c| !c.is_whitespace() && !"<([{,;:|".contains(c));
        if has_local && domain.trim_end_matches('.').contains('.') {
            shown.push_str(rest);
        } else {
            shown.push('@');
            shown.push_str(part);
        }
    }
    if shown.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

#[cfg(test)]
mod tests {
    use super::{normalize, without_domains};

    #[test]
    fn without_domains_keeps_the_part_before_the_at_sign() {
        for (text, expected) in [
            ("jane.doe@corp.example", "jane.doe"),
            ("JANE@CORP.EXAMPLE", "JANE"),
            ("Jane Doe <jane@corp.example>", "Jane Doe <jane>"),
            ("a@x.example, b@y.example;c@z.example", "a, b;c"),
            ("user:jane@corp.example (Jane)", "user:jane (Jane)"),
            ("jané@exämple.com", "jané"),
            ("a@b.c@d.e", "a"),
            ("ask jane@corp.example.", "ask jane"),
            ("root@10.0.0.1", "root"),
            ("jane", "jane"),
            ("", ""),
            ("@jane", "@jane"),
            ("@acme.team", "@acme.team"),
            ("svc@REALM", "svc@REALM"),
            ("a @ b.c", "a @ b.c"),
            ("1+bot[bot]@users.example.com", "1+bot[bot]"),
            ("\"jane doe\"@corp.example", "\"jane doe\""),
        ] {
            assert_eq!(without_domains(text), expected, "{text}");
        }
    }

    #[test]
    fn normalize_returns_a_single_address_in_lower_case() {
        let cases = [
            ("jane@example.com", "jane@example.com"),
            ("JANE.Doe@Example.COM", "jane.doe@example.com"),
            (" jane@example.com\n", "jane@example.com"),
            ("o'brien+tokens@mail.example.co.uk", "o'brien+tokens@mail.example.co.uk"),
            ("svc_1=a@xn--bcher-kva.example", "svc_1=a@xn--bcher-kva.example"),
        ];
        for (text, expected) in cases {
            assert_eq!(normalize(text).as_deref().unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn normalize_rejects_everything_else() {
        let long = format!("jane@{}example.com", "a.".repeat(130));
        let long_local = format!("{}@example.com", "a".repeat(65));
        let cases =
            ["", "jane", "@example.com", "jane@", "jane@localhost", "jane@example.", "jane@.com", "jane@a..com"]
                .into_iter()
                .chain(["a@example.com, b@example.com", "a@example.com;b@example.com", "a@b@example.com"])
                .chain(["Jane <jane@example.com>", "<jane@example.com>", "\"jane\"@example.com", "ja ne@example.com"])
                .chain(["jane@exa mple.com", "jane@example.com\r\nBcc: b@example.com", "jane\u{0}@example.com"])
                .chain([".jane@example.com", "jane.@example.com", "ja..ne@example.com", "jane@-example.com"])
                .chain([
                    "jane@example-.com",
                    "jane@example.c",
                    "jane@127.0.0.1",
                    "jane@[127.0.0.1]",
                    "jané@example.com",
                ])
                .chain([
                    "jane@exämple.com",
                    "a%b@example.com",
                    "a!b@example.com",
                    "{{x}}@example.com",
                    "jane@exam_ple.com",
                ])
                .chain(["1+bot[bot]@users.example.com", &long, &long_local]);
        for text in cases {
            assert_eq!(normalize(text), None, "{text}");
        }
    }
}
