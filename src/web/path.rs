//! The paths that are answered; also the values of the label `path`.

use std::fmt;
use std::str::FromStr;

/// The status page.
pub const STATUS: &str = "/";
/// The list of tokens.
pub const TOKENS: &str = "/api/v1/tokens";
/// The calendar.
pub const CALENDAR: &str = "/calendar.ics";
/// Whether the process lives.
pub const HEALTHY: &str = "/-/healthy";
/// Whether it has something to say.
pub const READY: &str = "/-/ready";
/// The reload.
pub const RELOAD: &str = "/-/reload";

/// All paths but that of the metrics, which is configured.
const FIXED: [&str; 6] = [STATUS, TOKENS, CALENDAR, HEALTHY, READY, RELOAD];

/// The path of the metrics: `--web.telemetry-path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryPath(String);

impl TelemetryPath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the label `path` for a request: unknown paths are one, since anybody can make up more of them.
    pub(super) fn label<'a>(&'a self, path: &str) -> &'a str {
        if path == self.0 {
            return &self.0;
        }
        FIXED.into_iter().find(|fixed| *fixed == path).unwrap_or("other")
    }
}

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
            return Err(format!("the path `{path}` is taken; choose another, such as `/metrics`"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(plain) {
            return Err("the path must begin with `/`, followed by letters, digits and `/ - _ . ~`".to_owned());
        }
        Ok(Self(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_plain_and_not_taken() {
        for (path, sound) in [
            ("/metrics", true),
            ("/a/b-c_d.e~", true),
            ("", false),
            ("metrics", false),
            ("/", false),
            ("/-/ready", false),
            ("/{x}", false),
            ("/a b", false),
        ] {
            assert_eq!(path.parse::<TelemetryPath>().is_ok(), sound, "{path}");
        }
    }

    #[test]
    fn an_unknown_path_is_other() {
        let telemetry = TelemetryPath("/m".to_owned());
        for (path, label) in
            [("/m", "/m"), ("/", "/"), ("/metrics", "other"), ("/-/ready", "/-/ready"), ("/m/", "other")]
        {
            assert_eq!(telemetry.label(path), label);
        }
    }
}
