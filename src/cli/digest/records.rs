//! The fields of the API that a mail needs. Every text loses its line breaks and control characters here: the creator of a
//! token chooses its name.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer};

use crate::core::sanitize::replace_unsafe;
use crate::core::web_url::web_url;

/// A text on one line, such as a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line(String);

impl Line {
    pub(super) fn new(text: &str) -> Self {
        Self(replace_unsafe(text, &[]))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self::new(&text))
    }
}

/// A time. One that this program cannot read, such as of a year after 262142, counts as absent.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.and_then(|text| text.parse().ok()))
}

/// A link. One that is not http or https counts as absent.
fn link<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.and_then(|text| web_url(&text)).map(String::from))
}

/// A token of `/api/v1/tokens`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Token {
    /// As the API has it, for links.
    pub(super) source: String,
    pub(super) id: String,
    pub(super) provider: Line,
    pub(super) kind: Line,
    pub(super) name: Line,
    pub(super) owner: Option<Owner>,
    pub(super) state: String,
    /// `at`, or `policy` if a rule of the configuration sets it.
    pub(super) expiry: String,
    #[serde(deserialize_with = "time")]
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) band: Option<String>,
    pub(super) findings: Vec<String>,
    pub(super) last_used: Option<String>,
    pub(super) labels: BTreeMap<String, Line>,
    #[serde(deserialize_with = "link")]
    pub(super) manage_url: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(super) warning_at: Option<DateTime<Utc>>,
    pub(super) locations: Vec<Location>,
    pub(super) renewal: Option<Renewal>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Owner {
    pub(super) id: Option<Line>,
    pub(super) name: Option<Line>,
    pub(super) email: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Location {
    pub(super) place: Line,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Renewal {
    pub(super) steps: Vec<Line>,
    #[serde(deserialize_with = "link")]
    pub(super) docs: Option<String>,
}

/// A source of `/api/v1/sources`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Source {
    pub(super) source: Line,
    /// Whether the last collection was complete; null before the first.
    pub(super) up: Option<bool>,
    #[serde(deserialize_with = "time")]
    pub(super) last_attempt: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "time")]
    pub(super) last_success: Option<DateTime<Utc>>,
    pub(super) interval_seconds: i64,
    pub(super) dropped: u64,
}

/// What the exporters know.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The time at the exporter, so that times in words agree with its bands.
    pub(super) now: DateTime<Utc>,
    pub(super) tokens: Vec<Token>,
    pub(super) sources: Vec<Source>,
}

/// Intervals without an attempt after which a source is stale, as of the alert TokenSourceStale.
const STALE_INTERVALS: i64 = 3;

impl Source {
    /// Why tokens of this source may be missing from the mails.
    pub(super) fn problem(&self, now: DateTime<Utc>) -> Option<&'static str> {
        let limit =
            TimeDelta::try_seconds(self.interval_seconds.saturating_mul(STALE_INTERVALS)).unwrap_or(TimeDelta::MAX);
        match (self.up, self.last_attempt) {
            (Some(false), _) => Some("its last collection was incomplete"),
            (None, _) | (_, None) => Some("it was not collected since the exporter started"),
            (_, Some(at)) if now - at > limit => Some("it was not collected in time"),
            _ if self.dropped > 0 => Some("it has more tokens than its token_limit, and the rest is not monitored"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn texts_lose_line_breaks_and_links_that_are_not_web_links_disappear() {
        let token: Token = serde_json::from_value(json!({
            "source": "a", "provider": "p", "listing": "l", "id": "1", "kind": "k", "name": "a\r\nBcc: x\u{202e}",
            "owner": {"name": "J\nane", "email": null, "id": null}, "state": "active", "expiry": "at",
            "expires_at": "+12026-01-01T00:00:00Z", "band": null, "findings": [], "created_at": null, "last_used": null,
            "scopes": [], "labels": {"team": "x\ny"}, "manage_url": "javascript:alert(1)", "warning_at": "soon",
            "critical_at": null, "locations": [{"kind": "file", "place": "a\nb", "last_seen": null}],
            "renewal": {"steps": ["one\ntwo"], "docs": "ftp://x"},
        }))
        .unwrap();
        assert_eq!(token.name.as_str(), "a\u{fffd}\u{fffd}Bcc: x\u{fffd}");
        assert_eq!(token.labels["team"].as_str(), "x\u{fffd}y");
        assert_eq!(token.locations[0].place.as_str(), "a\u{fffd}b");
        assert!(token.expires_at.is_some() && token.warning_at.is_none());
        assert_eq!((token.manage_url, token.renewal.unwrap().docs), (None, None));
    }

    #[test]
    fn source_that_is_not_complete_and_recent_has_a_problem() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let source = |up, hours: Option<i64>, dropped| Source {
            source: Line::new("a"),
            up,
            last_attempt: hours.map(|hours| now - TimeDelta::hours(hours)),
            last_success: None,
            interval_seconds: 3_600,
            dropped,
        };
        for (source, problem) in [
            (source(Some(true), Some(3), 0), None),
            (source(Some(true), Some(4), 0), Some("it was not collected in time")),
            (source(Some(false), Some(0), 0), Some("its last collection was incomplete")),
            (source(None, None, 0), Some("it was not collected since the exporter started")),
            (
                source(Some(true), Some(0), 7),
                Some("it has more tokens than its token_limit, and the rest is not monitored"),
            ),
        ] {
            assert_eq!(source.problem(now), problem, "{source:?}");
        }
    }
}
