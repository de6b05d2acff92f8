//! The paths; together with `other` they are the values of the label `path`.

use std::fmt;
use std::str::FromStr;

use crate::exposition::external_url::ExternalUrl;

/// The status page.
pub const STATUS: &str = "/";
/// The page of a token; with its source and id below it.
pub const TOKEN: &str = "/token";
/// The owners; each below it.
pub const OWNER: &str = "/owner";
/// The findings; each below it.
pub const FINDING: &str = "/finding";
/// The sources; each below it.
pub const SOURCE: &str = "/source";
/// The list of tokens.
pub const TOKENS: &str = "/api/v1/tokens";
/// The status of the sources.
pub const SOURCES: &str = "/api/v1/sources";
/// The policies that tokens violate.
pub const FINDINGS: &str = "/api/v1/findings";
/// The description of the API.
pub const OPENAPI: &str = "/api/v1/openapi.json";
/// The calendar.
pub const CALENDAR: &str = "/calendar.ics";
/// Whether the process responds.
pub const HEALTHY: &str = "/-/healthy";
/// Whether every source was collected once.
pub const READY: &str = "/-/ready";
/// The reload.
pub const RELOAD: &str = "/-/reload";

/// All paths except the configurable path of the metrics.
const FIXED: [&str; 13] =
    [STATUS, TOKEN, OWNER, FINDING, SOURCE, TOKENS, SOURCES, FINDINGS, OPENAPI, CALENDAR, HEALTHY, READY, RELOAD];

/// The path of the metrics: `--web.telemetry-path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryPath(String);

impl Default for TelemetryPath {
    fn default() -> Self {
        Self("/metrics".to_owned())
    }
}

impl fmt::Display for TelemetryPath {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl FromStr for TelemetryPath {
    type Err = String;

    fn from_str(path: &str) -> Result<Self, String> {
        if FIXED.contains(&path) {
            return Err(format!("`{path}` is in use; choose another path, such as `/metrics`"));
        }
        plain(path).map(Self)
    }
}

fn plain(path: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !path.starts_with('/') || !path.bytes().all(is_plain) {
        return Err("expected `/`, followed by letters, digits and `/ - _ . ~`".to_owned());
    }
    Ok(path.to_owned())
}

/// A prefix of every path, as a reverse proxy sends it: `--web.route-prefix`. It has no slash at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePrefix(String);

impl RoutePrefix {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This path with the prefix.
    pub(super) fn with(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The prefix with a slash, as a link that is relative to the prefix without one.
    pub(super) fn with_slash(&self) -> String {
        format!("{}/", self.0.rsplit('/').next().unwrap_or_default())
    }

    /// The path of the URL at which a proxy serves the exporter.
    ///
    /// # Errors
    /// If the path is not plain.
    pub fn of_external_url(url: &ExternalUrl) -> Result<Self, String> {
        url.path().parse()
    }

    /// Whether a path with the prefix is the path of the metrics.
    pub fn is_ambiguous_with(&self, TelemetryPath(metrics): &TelemetryPath) -> bool {
        !self.is_empty() && (self.0 == *metrics || FIXED.iter().any(|path| self.with(path) == *metrics))
    }
}

impl fmt::Display for RoutePrefix {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl FromStr for RoutePrefix {
    type Err = String;

    fn from_str(prefix: &str) -> Result<Self, String> {
        let prefix = prefix.trim_end_matches('/');
        if FIXED.contains(&prefix) {
            return Err(format!("`{prefix}` is in use; choose another prefix, such as `/tokens`"));
        }
        if prefix.is_empty() { Ok(Self::default()) } else { plain(prefix).map(Self) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn telemetry_path_is_plain_and_not_in_use() {
        for (path, is_valid) in [
            ("/metrics", true),
            ("/a/b-c_d.e~", true),
            ("", false),
            ("metrics", false),
            ("/", false),
            ("/-/ready", false),
            ("/{x}", false),
            ("/a b", false),
        ] {
            assert_eq!(path.parse::<TelemetryPath>().is_ok(), is_valid, "{path}");
        }
    }

    #[test]
    fn route_prefix_is_plain_and_has_no_slash_at_the_end() {
        for (prefix, expected) in [
            ("/", Ok("")),
            ("", Ok("")),
            ("/tokens", Ok("/tokens")),
            ("/tokens/", Ok("/tokens")),
            ("/a/b-c_d.e~//", Ok("/a/b-c_d.e~")),
            ("tokens", Err("expected `/`, followed by letters, digits and `/ - _ . ~`")),
            ("/{x}", Err("expected `/`, followed by letters, digits and `/ - _ . ~`")),
            ("/calendar.ics/", Err("`/calendar.ics` is in use; choose another prefix, such as `/tokens`")),
        ] {
            let parsed = prefix.parse::<RoutePrefix>().map(|prefix| prefix.to_string());
            assert_eq!(parsed, expected.map(str::to_owned).map_err(str::to_owned), "{prefix}");
        }
    }

    #[test]
    fn external_url_gives_the_prefix() {
        for (url, expected) in [
            ("https://example.com/tokens/", Some("/tokens")),
            ("http://example.com:8080/a/b", Some("/a/b")),
            ("https://example.com", Some("")),
            ("https://example.com/?x=1", None),
            ("https://example.com/#x", None),
            ("https://example.com/a%20b", None),
            ("ftp://example.com/tokens", None),
            ("/tokens", None),
        ] {
            let prefix = url.parse::<ExternalUrl>().and_then(|url| RoutePrefix::of_external_url(&url));
            let prefix = prefix.ok().map(|prefix| prefix.to_string());
            assert_eq!(prefix.as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn prefix_is_ambiguous_if_a_path_would_be_in_use_twice() {
        for (prefix, metrics, expected) in [
            ("/tokens", "/metrics", false),
            ("/tokens", "/tokens/metrics", false),
            ("/", "/metrics", false),
            ("/metrics", "/metrics", true),
            ("/tokens", "/tokens/calendar.ics", true),
            ("/tokens", "/tokens/", true),
        ] {
            let prefix: RoutePrefix = prefix.parse().unwrap();
            assert_eq!(prefix.is_ambiguous_with(&metrics.parse().unwrap()), expected, "{prefix} {metrics}");
        }
    }
}
