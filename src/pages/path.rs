//! The paths; together with `other` they are the values of the label `path`.

use std::fmt;
use std::str::FromStr;

/// The status page.
pub const STATUS: &str = "/";
/// The list of tokens.
pub const TOKENS: &str = "/api/v1/tokens";
/// The calendar.
pub const CALENDAR: &str = "/calendar.ics";
/// Whether the process responds.
pub const HEALTHY: &str = "/-/healthy";
/// Whether every source was collected once.
pub const READY: &str = "/-/ready";
/// The reload.
pub const RELOAD: &str = "/-/reload";

/// All paths except the configurable path of the metrics.
const FIXED: [&str; 6] = [STATUS, TOKENS, CALENDAR, HEALTHY, READY, RELOAD];

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
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(is_plain) {
            return Err("expected `/`, followed by letters, digits and `/ - _ . ~`".to_owned());
        }
        Ok(Self(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
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
}
