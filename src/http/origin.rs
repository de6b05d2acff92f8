//! Where a credential is at home: scheme, host and port.

use url::Url;

/// Why an address is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OriginError {
    /// It is no URL.
    Invalid,
    /// It is at this other origin.
    Different(String),
    /// It brings a name or a password of its own.
    Userinfo,
}

/// An address that a provider gave, absolute or relative to `base`, if it is at the origin of `base`.
///
/// From https to http is another origin, and so is another port: the credential never leaves where it was given for.
pub(super) fn within(base: &Url, address: &str) -> Result<Url, OriginError> {
    let url = base.join(address).map_err(|_| OriginError::Invalid)?;
    if !url.origin().is_tuple() || url.origin() != base.origin() {
        return Err(OriginError::Different(shown(&url)));
    }
    if (url.username(), url.password()) != (base.username(), base.password()) {
        return Err(OriginError::Userinfo);
    }
    Ok(url)
}

/// An origin for a message: `https://h.example`, or the scheme alone where it has no host.
pub(super) fn shown(url: &Url) -> String {
    if url.origin().is_tuple() { url.origin().ascii_serialization() } else { format!("{}:", url.scheme()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_within_its_origin_or_astray() {
        let base = "https://h.example/v1/a?x=1";
        let cases: [(&str, Result<&str, OriginError>); 16] = [
            ("https://h.example/v1/b", Ok("https://h.example/v1/b")),
            ("https://H.EXAMPLE:443/v1/b", Ok("https://h.example/v1/b")),
            ("b?page=2", Ok("https://h.example/v1/b?page=2")),
            ("/b", Ok("https://h.example/b")),
            ("?page=2", Ok("https://h.example/v1/a?page=2")),
            ("", Ok("https://h.example/v1/a?x=1")),
            ("http://h.example/v1/b", Err(OriginError::Different("http://h.example".into()))),
            ("https://h.example:8443/", Err(OriginError::Different("https://h.example:8443".into()))),
            ("https://evil.example/", Err(OriginError::Different("https://evil.example".into()))),
            ("https://h.example.evil.example/", Err(OriginError::Different("https://h.example.evil.example".into()))),
            ("//evil.example/v1", Err(OriginError::Different("https://evil.example".into()))),
            (r"\\evil.example\v1", Err(OriginError::Different("https://evil.example".into()))),
            ("https://h.example@evil.example/", Err(OriginError::Different("https://evil.example".into()))),
            ("https://jane:x@h.example/", Err(OriginError::Userinfo)),
            ("data:text/plain,x", Err(OriginError::Different("data:".into()))),
            ("https://[", Err(OriginError::Invalid)),
        ];
        for (address, want) in cases {
            let got = within(&Url::parse(base).unwrap(), address);
            assert_eq!(got.as_ref().map(Url::as_str).map_err(Clone::clone), want, "{address}");
        }
    }

    #[test]
    fn a_base_without_an_origin_is_home_to_nothing() {
        let base = Url::parse("file:///etc/passwd").unwrap();
        assert_eq!(within(&base, "/etc/shadow"), Err(OriginError::Different("file:".into())));
    }
}
