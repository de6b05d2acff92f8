//! The demo's configuration file.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::organisation::{ORGANISATION, OWN_KEY, ROTATE_AFTER, SANDBOX, SESSION};
use super::people::{TEAMS, Team, email, login};
use super::scenario::DemoScenario;

const TEMPLATE: &str = include_str!("config.yaml");

const MANUAL_KIND: &str = "bitbucket-access-token";

/// The tokens of the source `by-hand`: id, kind, days until expiry, scenario.
pub(super) const MANUAL_TOKENS: &[(&str, &str, i64, DemoScenario)] = &[
    ("timetable-site", MANUAL_KIND, 200, DemoScenario::Healthy),
    ("booking-mirror", MANUAL_KIND, 21, DemoScenario::Warning),
    ("fleet-firmware", MANUAL_KIND, 4, DemoScenario::Critical),
    ("port-authority", MANUAL_KIND, 0, DemoScenario::Never),
];

/// The configuration for providers at these URLs and credentials in this directory.
pub(super) fn text(atlassian: &str, vault: &str, dir: &Path, interval: Duration, now: DateTime<Utc>) -> String {
    TEMPLATE
        .replace("@ATLASSIAN@", atlassian)
        .replace("@VAULT@", vault)
        .replace("@DIR@", &dir.display().to_string())
        .replace("@INTERVAL@", &format!("{}s", interval.as_secs().max(1)))
        .replace("@ORGANISATION@", ORGANISATION)
        .replace("@SANDBOX@", SANDBOX)
        .replace("@OWN_KEY@", OWN_KEY)
        .replace("@SESSION@", SESSION)
        .replace("@ROTATE_AFTER@", &format!("{}d", ROTATE_AFTER.num_days()))
        .replace("@MANUAL_TOKENS@", &manual_tokens(now))
        .replace("@OWNERS@", &owners())
        .replace("@TEAMS@", &teams())
}

fn manual_tokens(now: DateTime<Utc>) -> String {
    let entry = |&(id, kind, days_left, scenario): &(&str, &str, i64, DemoScenario)| {
        let expires = (now + TimeDelta::days(days_left)).date_naive();
        let created = expires - TimeDelta::days(365);
        let expires = if scenario == DemoScenario::Never { "never".to_owned() } else { expires.to_string() };
        format!(
            "      - id: {id}
        name: access token of meridian/{id}
        kind: {kind}
        owner: {{name: Ulla Berg, email: ulla.berg@example.com}}
        created: {created}
        expires: {expires}
        manage_url: https://bitbucket.org/meridian/{id}/admin/access-tokens
"
        )
    };
    MANUAL_TOKENS.iter().map(entry).collect()
}

/// The team that the directory of owners lacks: the demo shows tokens without an address too.
const UNLISTED_TEAM: &str = "support";

/// The people, with the user names by which Vault knows them.
fn owners() -> String {
    let listed = TEAMS.iter().filter(|team| team.name != UNLISTED_TEAM);
    let people = listed.flat_map(|team| team.people.iter().map(move |person| (*person, team.name)));
    let entry = |(person, team): (&str, &str)| {
        let (email, login) = (email(person), login(person));
        format!("  - {{name: {person}, email: {email}, team: {team}, also: 'vault:{login}'}}\n")
    };
    people.map(entry).collect()
}

/// One rule per team: the prefix of a token's name sets the label `team`.
fn teams() -> String {
    let rule = |team: &Team| {
        let (name, systems) = (team.name, team.systems.join("|"));
        format!("  - match: {{name: '^(token-)?({systems})-'}}\n    labels: {{team: {name}}}\n")
    };
    TEAMS.iter().map(rule).collect()
}
