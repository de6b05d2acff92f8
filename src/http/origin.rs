//! The origin of a URL (scheme, host and port), beyond which a credential is never sent.

use url::Url;

/// Why a URL is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OriginError {
    #[error("is not a valid URL")]
    Invalid,
    #[error("is at {other}, a different origin than {own}: not followed")]
    Different { other: String, own: String },
    #[error("contains a user name or password: not followed")]
    Userinfo,
}

/// Resolves a URL that a provider returned, absolute or relative to `base`, if it has the origin of `base`. A change from
/// https to http or to another port is a different origin.
pub(super) fn resolve_same_origin(base: &Url, url: &str) -> Result<Url, OriginError> {
    let url = base.join(url).map_err(|_| OriginError::Invalid)?;
    if !url.origin().is_tuple() || url.origin() != base.origin() {
        return Err(OriginError::Different { other: display(&url), own: display(base) });
    }
    if (url.username(), url.password()) != (base.username(), base.password()) {
        return Err(OriginError::Userinfo);
    }
    Ok(url)
}

/// `https://h.example`, or the scheme if there is no host.
fn display(url: &Url) -> String {
    if url.origin().is_tuple() { url.origin().ascii_serialization() } else { format!("{}:", url.scheme()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_the_same_origin_are_resolved() {
        let base = "https://h.example/v1/a?x=1";
        let different = |other: &str| OriginError::Different { other: other.into(), own: "https://h.example".into() };
        let cases: [(&str, Result<&str, OriginError>); 16] = [
            ("https://h.example/v1/b", Ok("https://h.example/v1/b")),
            ("https://H.EXAMPLE:443/v1/b", Ok("https://h.example/v1/b")),
            ("b?page=2", Ok("https://h.example/v1/b?page=2")),
            ("/b", Ok("https://h.example/b")),
            ("?page=2", Ok("https://h.example/v1/a?page=2")),
            ("", Ok("https://h.example/v1/a?x=1")),
            ("http://h.example/v1/b", Err(different("http://h.example"))),
            ("https://h.example:8443/", Err(different("https://h.example:8443"))),
            ("https://evil.example/", Err(different("https://evil.example"))),
            ("https://h.example.evil.example/", Err(different("https://h.example.evil.example"))),
            ("//evil.example/v1", Err(different("https://evil.example"))),
            (r"\\evil.example\v1", Err(different("https://evil.example"))),
            ("https://h.example@evil.example/", Err(different("https://evil.example"))),
            ("https://jane:x@h.example/", Err(OriginError::Userinfo)),
            ("data:text/plain,x", Err(different("data:"))),
            ("https://[", Err(OriginError::Invalid)),
        ];
        for (url, want) in cases {
            let got = resolve_same_origin(&Url::parse(base).unwrap(), url);
            assert_eq!(got.as_ref().map(Url::as_str).map_err(Clone::clone), want, "{url}");
        }
    }

    #[test]
    fn urls_without_an_origin_are_never_the_same() {
        let base = Url::parse("file:///etc/passwd").unwrap();
        let different = OriginError::Different { other: "file:".into(), own: "file:".into() };
        assert_eq!(resolve_same_origin(&base, "/etc/shadow"), Err(different));
    }
}
