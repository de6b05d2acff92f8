//! The origin of a URL (scheme, host and port), beyond which a credential is never sent.

use url::Url;

/// Why a URL is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OriginError {
    #[error("is not a valid URL")]
    Invalid,
    #[error("is at {other}, a different origin than {own}: not followed")]
    Different { other: String, own: String },
    #[error("is at {other}, a different origin than {own}, and not under its path {path}: not followed")]
    OutsideBase { other: String, own: String, path: String },
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

/// The next page at the configured origin.
///
/// A server behind a reverse proxy writes its public scheme, host, port and context path into the URLs that it returns. So only
/// path and query of such a URL are used, and nothing is ever sent to the origin that it names. `base` is the configured base
/// URL, `page` the URL that responded, which has the same origin. The path is
///
/// 1. that of the URL, if it is under the path of `base`;
/// 2. otherwise, if it ends with the path of `page` below `base`, that path under `base`: the public context path is another;
/// 3. otherwise that of the URL, if the URL has the configured origin.
pub(super) fn resolve_at_origin(base: &Url, page: &Url, next: &str) -> Result<Url, OriginError> {
    let url = page.join(next).map_err(|_| OriginError::Invalid)?;
    let different = || OriginError::Different { other: display(&url), own: display(base) };
    if !matches!(url.scheme(), "http" | "https") || !base.origin().is_tuple() {
        return Err(different());
    }
    if (url.username(), url.password()) != (base.username(), base.password()) {
        return Err(OriginError::Userinfo);
    }
    let (base_path, linked) = (segments(base), segments(&url));
    let responded = segments(page);
    let below_base = responded.strip_prefix(&*base_path).unwrap_or(&responded);
    let is_below = linked.starts_with(&base_path);
    let path = if is_below && !base_path.is_empty() {
        url.path().to_owned()
    } else if !below_base.is_empty() && linked.ends_with(below_base) {
        let slash = if url.path().ends_with('/') { "/" } else { "" };
        let raw: Vec<_> = raw_segments(base).chain(raw_segments(&url).skip(linked.len() - below_base.len())).collect();
        format!("/{}{slash}", raw.join("/"))
    } else if is_below || url.origin() == base.origin() {
        url.path().to_owned()
    } else {
        return Err(OriginError::OutsideBase {
            other: display(&url),
            own: display(base),
            path: base.path().to_owned(),
        });
    };
    let mut resolved = base.clone();
    resolved.set_path(&path);
    resolved.set_query(url.query());
    resolved.set_fragment(None);
    Ok(resolved)
}

/// The segments of the path, decoded, because proxies write escapes in several ways.
fn segments(url: &Url) -> Vec<Vec<u8>> {
    raw_segments(url).map(|segment| percent_encoding::percent_decode_str(segment).collect()).collect()
}

/// The segments of the path, without an empty last one.
fn raw_segments(url: &Url) -> impl Iterator<Item = &str> {
    let path = url.path();
    path.strip_suffix('/').unwrap_or(path).split('/').skip(1)
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
    fn next_page_is_requested_from_the_configured_origin() {
        let outside = |other: &str, path: &str| {
            Err(OriginError::OutsideBase { other: other.into(), own: "http://inner:8080".into(), path: path.into() })
        };
        let different =
            |other: &str| Err(OriginError::Different { other: other.into(), own: "http://inner:8080".into() });
        let top = "http://inner:8080";
        let under = "http://inner:8080/git";
        // The configured base, the path of the page, the link, and the page that is requested.
        type Case = (&'static str, &'static str, &'static str, Result<&'static str, OriginError>);
        let cases: Vec<Case> = vec![
            // Another host, scheme or port.
            (top, "/api/t", "https://git.example.com/api/t?page=2", Ok("http://inner:8080/api/t?page=2")),
            (top, "/api/t", "https://inner:8080/api/t?page=2", Ok("http://inner:8080/api/t?page=2")),
            (top, "/api/t", "http://inner/api/t?page=2#x", Ok("http://inner:8080/api/t?page=2")),
            (top, "/api/t", "//git.example.com/api/t?page=2", Ok("http://inner:8080/api/t?page=2")),
            (top, "/api/t", "https://git.example.com/other/1?page=2", Ok("http://inner:8080/other/1?page=2")),
            (top, "/api/t", "https://git.example.com?page=2", Ok("http://inner:8080/?page=2")),
            // Relative.
            (top, "/api/t", "?page=2", Ok("http://inner:8080/api/t?page=2")),
            (top, "/api/t", "t?page=2", Ok("http://inner:8080/api/t?page=2")),
            (top, "/api/t", "/api/t?page=2", Ok("http://inner:8080/api/t?page=2")),
            (under, "/git/api/t", "?page=2", Ok("http://inner:8080/git/api/t?page=2")),
            // A context path that only the public URL has, that only the configured one has, and two different ones.
            (top, "/api/t", "https://x.example/git/api/t?page=2", Ok("http://inner:8080/api/t?page=2")),
            (top, "/api/t", "/git/api/t/?page=2", Ok("http://inner:8080/api/t/?page=2")),
            (under, "/git/api/t", "https://x.example/api/t?page=2", Ok("http://inner:8080/git/api/t?page=2")),
            (under, "/git/api/t", "/api/t?page=2", Ok("http://inner:8080/git/api/t?page=2")),
            (under, "/git/api/t", "https://x.example/a/b/api/t?page=2", Ok("http://inner:8080/git/api/t?page=2")),
            (under, "/git/api/t", "https://x.example/git/api/u?page=2", Ok("http://inner:8080/git/api/u?page=2")),
            ("http://inner:8080/git/", "/git/api/t", "https://x.example/api/t", Ok("http://inner:8080/git/api/t")),
            // Escapes stay as they are; `..` is resolved first.
            (top, "/g/a%2Fb/t", "https://x.example/c/g/a%2fb/t?q=%26+1", Ok("http://inner:8080/g/a%2fb/t?q=%26+1")),
            (under, "/git/api/t", "https://x.example/git/../admin", outside("https://x.example", "/git")),
            // Not the configured server's.
            (under, "/git/api/t", "https://x.example/api/u?page=2", outside("https://x.example", "/git")),
            (under, "/git/api/t", "https://x.example/gitt/api/u", outside("https://x.example", "/git")),
            (under, "/git/api/t", "http://inner:8080/api/u?page=2", Ok("http://inner:8080/api/u?page=2")),
            (under, "/git", "https://x.example/api", outside("https://x.example", "/git")),
            (top, "/api/t", "https://jane:x@git.example.com/api/t", Err(OriginError::Userinfo)),
            (top, "/api/t", "ftp://inner:8080/api/t", different("ftp://inner:8080")),
            (top, "/api/t", "data:text/plain,x", different("data:")),
            (top, "/api/t", "https://[", Err(OriginError::Invalid)),
        ];
        for (base, page, next, want) in cases {
            let base = Url::parse(base).unwrap();
            let got = resolve_at_origin(&base, &base.join(page).unwrap(), next);
            assert_eq!(got.as_ref().map(Url::as_str).map_err(Clone::clone), want, "{base} {page} {next}");
        }
    }

    #[test]
    fn urls_without_an_origin_are_never_the_same() {
        let base = Url::parse("file:///etc/passwd").unwrap();
        let different = OriginError::Different { other: "file:".into(), own: "file:".into() };
        assert_eq!(resolve_same_origin(&base, "/etc/shadow"), Err(different));
    }
}
