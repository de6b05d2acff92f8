//! `--storage.url`: which bucket, and the prefix of all object names in it.

use std::fmt;
#[cfg(feature = "object-store")]
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

/// The maximum length of the prefix in bytes. Object names are at most 1,024 bytes long, and those below the prefix need the
/// rest (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const MAX_PREFIX: usize = 256;

/// A bucket, container or directory, and a prefix in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub(super) service: Service,
    /// Empty for a directory.
    pub(super) bucket: String,
    /// Without slashes at its ends; for a directory its path.
    pub(super) prefix: String,
}

/// The service that holds the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    Azure,
    Google,
    /// A directory of this machine, for tests.
    Directory,
}

impl Service {
    const ALL: [Self; 4] = [Self::S3, Self::Azure, Self::Google, Self::Directory];

    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "az",
            Self::Google => "gs",
            Self::Directory => "file",
        }
    }

    /// The term of this service for a bucket.
    pub(super) fn bucket_term(self) -> &'static str {
        match self {
            Self::S3 | Self::Google => "bucket",
            Self::Azure => "container",
            Self::Directory => "directory",
        }
    }

    /// The prefix of the environment variables that configure this service.
    pub(super) fn variables(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Azure => "AZURE_",
            Self::Google => "GOOGLE_",
            Self::Directory => "",
        }
    }
}

impl Location {
    /// The directory of a `file://` URL.
    #[cfg(feature = "object-store")]
    pub(super) fn directory(&self) -> PathBuf {
        PathBuf::from(&self.prefix)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.bucket.is_empty() || self.prefix.is_empty() { "" } else { "/" };
        write!(f, "{}://{}{separator}{}", self.service.scheme(), self.bucket, self.prefix)
    }
}

impl FromStr for Location {
    type Err = String;

    /// No message quotes the URL, which may contain a credential by mistake.
    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected s3://BUCKET/PREFIX, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX or file:///DIRECTORY";
        let url = Url::parse(text).map_err(|error| format!("invalid URL ({error}); {EXPECTED}"))?;
        let service = Service::ALL.into_iter().find(|service| service.scheme() == url.scheme());
        let service = service.ok_or_else(|| format!("unknown scheme `{}`; {EXPECTED}", url.scheme()))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            let from = match service {
                Service::Directory => "the URL is only a path".to_owned(),
                other => format!("credentials and options come from the environment variables {}…", other.variables()),
            };
            return Err(format!("the URL has a user, a query or a fragment; remove it: {from}"));
        }
        if url.port().is_some() {
            return Err(format!(
                "the URL has a port; set the address of the service with {}",
                if service == Service::S3 { "AWS_ENDPOINT_URL" } else { "AZURE_ENDPOINT" }
            ));
        }
        let bucket = url.host_str().unwrap_or_default().to_owned();
        let path = percent_decode_str(url.path()).decode_utf8().map_err(|_| "the path is not UTF-8".to_owned())?;
        if path.chars().any(char::is_control) {
            return Err("the path contains a control character; remove it".to_owned());
        }
        if service == Service::Directory {
            if !bucket.is_empty() || path.len() < 2 {
                return Err("expected file:///DIRECTORY with an absolute path".to_owned());
            }
            let prefix = path.trim_end_matches('/').to_owned();
            return Ok(Self { service, bucket, prefix });
        }
        if bucket.is_empty() {
            return Err(format!("the URL names no {}; {EXPECTED}", service.bucket_term()));
        }
        let prefix = path.trim_matches('/').to_owned();
        if prefix.split('/').any(|part| part == "." || part == "..") || prefix.contains("//") {
            return Err("the prefix has an empty part, `.` or `..`; remove it".to_owned());
        }
        if prefix.len() > MAX_PREFIX {
            return Err(format!("the prefix is longer than {MAX_PREFIX} bytes; shorten it"));
        }
        Ok(Self { service, bucket, prefix })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn url_is_a_bucket_and_a_prefix() {
        for (text, service, bucket, prefix, shown) in [
            ("s3://b/p", Service::S3, "b", "p", "s3://b/p"),
            ("s3://b/p/q/", Service::S3, "b", "p/q", "s3://b/p/q"),
            ("s3://b", Service::S3, "b", "", "s3://b"),
            ("s3://b/", Service::S3, "b", "", "s3://b"),
            ("az://c/p", Service::Azure, "c", "p", "az://c/p"),
            ("gs://b/a%20b", Service::Google, "b", "a b", "gs://b/a b"),
            ("file:///srv/tokens/", Service::Directory, "", "/srv/tokens", "file:///srv/tokens"),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!((location.service, &*location.bucket, &*location.prefix), (service, bucket, prefix), "{text}");
            assert_eq!(location.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn invalid_url_is_explained_and_not_quoted() {
        for (text, expected) in [
            ("bucket/prefix", "invalid URL"),
            ("https://b.s3.amazonaws.com/p", "unknown scheme `https`"),
            ("s3://AKIAHIDDEN:hidden-secret@b/p", "AWS_…"),
            ("az://c/p?sig=hidden-secret", "AZURE_…"),
            ("gs://b/p#hidden-secret", "GOOGLE_…"),
            ("s3://127.0.0.1:9000/b", "AWS_ENDPOINT_URL"),
            ("s3:///prefix", "names no bucket"),
            ("az:///prefix", "names no container"),
            ("file://host/dir", "absolute path"),
            ("file:///", "absolute path"),
            ("s3://b/a//b", "empty part"),
            ("s3://b/a%0Ab", "control character"),
            ("s3://b/%ff", "UTF-8"),
            (&format!("s3://b/{}", "x".repeat(300)), "longer than 256 bytes"),
        ] {
            let error = text.parse::<Location>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hidden-secret") && !error.contains("AKIAHIDDEN"), "{error}");
        }
    }
}
