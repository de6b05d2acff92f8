//! The demo's configuration: a real one, for the real exporter.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::atlassian::{ORGANISATION, OWN_KEY, SANDBOX};
use super::organisation::{ROTATE_AFTER, SESSION};
use super::people::TEAMS;
use super::scenario::DemoScenario;

/// The configuration as people would write it, with `@NAMES@` in the place of what differs at each start.
const TEMPLATE: &str = include_str!("config.yaml");

/// The kind of the tokens that are written down by hand.
const KIND: &str = "bitbucket-access-token";

/// The tokens that are written down by hand: what they are called, how many days are left of their year, and the story.
pub(super) const BY_HAND: &[(&str, &str, i64, DemoScenario)] = &[
    ("timetable-site", KIND, 200, DemoScenario::Healthy),
    ("booking-mirror", KIND, 21, DemoScenario::Warning),
    ("fleet-firmware", KIND, 4, DemoScenario::Critical),
    ("port-authority", KIND, 0, DemoScenario::Never),
];

/// What differs at each start.
pub(super) struct Places<'a> {
    /// Where the Atlassian-shaped API is.
    pub(super) atlassian: String,
    /// Where the Vault-shaped API is.
    pub(super) vault: String,
    /// Where the credentials are.
    pub(super) folder: &'a Path,
}

/// The whole configuration.
pub(super) fn text(places: &Places<'_>, interval: Duration, now: DateTime<Utc>) -> String {
    TEMPLATE
        .replace("@ATLASSIAN@", &places.atlassian)
        .replace("@VAULT@", &places.vault)
        .replace("@FOLDER@", &places.folder.display().to_string())
        .replace("@INTERVAL@", &format!("{}s", interval.as_secs().max(1)))
        .replace("@ORGANISATION@", ORGANISATION)
        .replace("@SANDBOX@", SANDBOX)
        .replace("@OWN_KEY@", OWN_KEY)
        .replace("@SESSION@", SESSION)
        .replace("@ROTATE_AFTER@", &format!("{ROTATE_AFTER}d"))
        .replace("@BY_HAND@", &by_hand(now))
        .replace("@TEAMS@", &teams())
}

fn by_hand(now: DateTime<Utc>) -> String {
    let entry = |(id, kind, left, story): &(&str, &str, i64, DemoScenario)| {
        let end = now + TimeDelta::days(*left);
        let (created, end) = ((end - TimeDelta::days(365)).date_naive(), end.date_naive());
        let expires = if *story == DemoScenario::Never { "never".to_owned() } else { end.to_string() };
        let entry = [
            format!("  - id: {id}"),
            format!("    name: access token of meridian/{id}"),
            format!("    kind: {kind}"),
            "    owner: {name: Ulla Berg, email: ulla.berg@example.com}".to_owned(),
            format!("    created: {created}"),
            format!("    expires: {expires}"),
            format!("    manage_url: https://bitbucket.org/meridian/{id}/admin/access-tokens"),
        ];
        entry.map(|line| format!("    {line}\n")).concat()
    };
    BY_HAND.iter().map(entry).collect()
}

fn teams() -> String {
    let rule = |team: &crate::demo::people::Team| {
        let systems = team.systems.join("|");
        format!("  - match: {{name: '^(token-)?({systems})-'}}\n    labels: {{team: {}}}\n", team.name)
    };
    TEAMS.iter().map(rule).collect()
}
