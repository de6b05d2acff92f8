//! An inventory with every state, band, kind of expiry, finding and adjustment, failed scopes, and hostile names.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;
use token_expiry_exporter::core::failure::{Failure, Reason};
use token_expiry_exporter::core::inventory::{Inventory, Policy};
use token_expiry_exporter::core::lead::Lead;
use token_expiry_exporter::core::location::{Location, LocationKind};
use token_expiry_exporter::core::location_report::{LocatedToken, LocationReport};
use token_expiry_exporter::core::outcome::{
    CredentialExpiry, Gap, ListingResult, MalformedRow, Outcome, Path, RateLimit, ScopeResult,
};
use token_expiry_exporter::core::renewal::{Renewal, Renewals};
use token_expiry_exporter::core::rules::{Match, Rule};
use token_expiry_exporter::core::token::{Expiry, LastUse, Owner, Token};

/// The time of all tests.
pub fn now() -> DateTime<Utc> {
    at("2026-03-01T08:00:00Z")
}

pub fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("a valid time").to_utc()
}

pub fn policy(provider: &str, listings: &[&str]) -> Policy {
    Policy {
        provider: provider.to_owned(),
        listings: listings.iter().map(|listing| (*listing).to_owned()).collect(),
        interval: TimeDelta::minutes(15),
        lead: Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) },
        min_lifetime: TimeDelta::days(1),
        expired_retention: TimeDelta::days(7),
        token_limit: 1_000,
        never_expires: true,
        max_lifetime: Some(TimeDelta::days(366)),
        unused_after: Some(TimeDelta::days(90)),
        rotate_after: None,
        without_replacement: Vec::new(),
        owner_logins: Vec::new(),
        renewals: std::sync::Arc::default(),
        finds_locations: false,
        finds_credentials: false,
        identifies: false,
    }
}

pub fn token(id: &str, name: &str, expires: Expiry) -> Token {
    Token {
        id: id.into(),
        name: name.into(),
        kind: "access-token".into(),
        owner: Some(
            Owner {
                id: Some("12".into()),
                name: Some("Jane Doe".into()),
                email: Some("jane@example.com".into()),
                inactive: false,
            }
            .into(),
        ),
        created_at: None,
        expires,
        last_used: LastUse::NotReported,
        scopes: vec!["api".to_owned()].into(),
        disabled: false,
        lifetime: None,
        renews_before: None,
        manage_url: Some(format!("https://gitlab.example.com/tokens/{id}?tab=a&b=\"c\"").into()),
        renew: None,
        labels: Arc::default(),
        approximate: false,
    }
}

/// An expiry in `days` days.
pub fn expires_in(days: i64) -> Expiry {
    Expiry::At(now() + TimeDelta::days(days))
}

/// The result of a listing with one scope.
pub fn listing(name: &str, tokens: Vec<Token>) -> ListingResult {
    let scope = ScopeResult {
        path: Path::root().join("all"),
        tokens: tokens.into_iter().collect(),
        malformed: Vec::new(),
        is_step: false,
    };
    ListingResult { scopes: vec![scope], ..ListingResult::new(name) }
}

pub fn no_rules() -> Arc<[Rule]> {
    Arc::new([])
}

pub fn inventory() -> Inventory {
    sample(Some(locations()))
}

/// The sample before any source looked for locations.
pub fn inventory_without_locations() -> Inventory {
    sample(None)
}

fn sample(locations: Option<LocationReport>) -> Inventory {
    let mut inventory = Inventory::default();
    let (sources, rules) = configuration();
    inventory.set_policy(sources, rules);
    let started = now() - TimeDelta::milliseconds(61_250);
    let finished = now() - TimeDelta::seconds(60);
    inventory.record("gitlab", gitlab(), started, finished);
    inventory.record("vault", vault(), started, finished);
    let many = (1..=5).map(|day| token(&format!("m{day}"), "", expires_in(100 + day))).collect();
    inventory.record(
        "small",
        Outcome { listings: vec![listing("manual", many)], locations, ..Outcome::default() },
        started,
        finished,
    );
    inventory
}

/// A token in a Secret and a file, one from an address, and one that no listing lists.
fn locations() -> LocationReport {
    let located = |id: &str, kind, place: &str, last_seen| LocatedToken {
        source: "gitlab".into(),
        id: Some(id.into()),
        location: Location::new(kind, place, last_seen).expect("a place"),
        own_id: None,
        found_at: now(),
        is_id_inside: false,
    };
    let located = vec![
        located("p03", LocationKind::Secret, "prod/ci/renovate", None),
        located("p03", LocationKind::File, "/etc/app/\"x\".env", None),
        located("p03", LocationKind::Address, "203.0.113.7", Some(at("2026-02-28T10:00:00Z"))),
        located("p99", LocationKind::Secret, "prod/ci/unknown", None),
    ];
    LocationReport { located, is_complete: true, ..LocationReport::default() }
}

/// Its sources and rules.
pub fn configuration() -> (BTreeMap<String, Policy>, Arc<[Rule]>) {
    let sources = BTreeMap::from([
        (
            "gitlab".to_owned(),
            Policy { identifies: true, renewals: renewals(), ..policy("gitlab", &["group", "personal"]) },
        ),
        ("vault".to_owned(), policy("vault", &["token"])),
        (
            "small".to_owned(),
            Policy { token_limit: 2, finds_locations: true, finds_credentials: true, ..policy("manual", &["manual"]) },
        ),
        ("new \"one\"".to_owned(), policy("cloudflare", &["token"])),
    ]);
    (sources, rules())
}

fn renewals() -> Arc<Renewals> {
    let docs = Some("https://docs.example.com/tokens".to_owned());
    let renewal = Renewal::new("the owner", Some("\"Settings\" > Access tokens"), None, docs);
    Arc::new([("access-token".to_owned(), renewal)].into_iter().collect())
}

fn rules() -> Arc<[Rule]> {
    let matching =
        |pattern: &str| Match { name: Some(Regex::new(pattern).expect("a valid pattern")), ..Match::default() };
    Arc::new([
        Rule {
            matches: Match { source: vec!["gitlab".to_owned()], ..Match::default() },
            labels: BTreeMap::from([("team".to_owned(), "platform".to_owned())]),
            ..Rule::default()
        },
        Rule { matches: matching("^rotated"), rotate_after: Some(TimeDelta::days(180)), ..Rule::default() },
        Rule { matches: matching("^session"), drop: true, ..Rule::default() },
    ])
}

fn gitlab() -> Outcome {
    let owned_by = |name: &str, email: &str| {
        Some(Owner { name: Some(name.into()), email: Some(email.into()), ..Owner::default() }.into())
    };
    let personal = vec![
        token("p01", "future", expires_in(200)),
        token("p02", "warned", expires_in(20)),
        Token { created_at: Some(at("2025-09-01T00:00:00.25Z")), ..token("p03", "critical", expires_in(3)) },
        token("p04", "expired", expires_in(-2)),
        Token { disabled: true, ..token("p05", "disabled", expires_in(5)) },
        token("p06", "replaced", expires_in(4)),
        token("p07", "replaced", expires_in(300)),
        token("p08", "eternal", Expiry::Never),
        token("p09", "unreadable", Expiry::Unknown),
        Token { created_at: Some(at("2025-09-05T00:00:00Z")), ..token("p10", "rotated", Expiry::Never) },
        Token {
            created_at: Some(at("2024-01-01T00:00:00Z")),
            last_used: LastUse::At(at("2024-06-01T12:30:00Z")),
            ..token("p11", "long and unused", expires_in(700))
        },
        Token { owner: None, last_used: LastUse::Never, ..token("p12", "nobody's", expires_in(100)) },
        token("p13", "distant", Expiry::At(at("2026-01-01T00:00:00Z") + TimeDelta::days(3_700_000))),
        token("p13", "its double", Expiry::Never),
    ];
    let hostile = vec![
        Token {
            owner: owned_by("<b>O'Neil</b> & \\ \"co\"", "a@example.com, b@example.com"),
            manage_url: Some("javascript:alert(1)".into()),
            labels: BTreeMap::from([
                ("region".to_owned(), "eu\\west \"1\"".to_owned()),
                ("empty".to_owned(), String::new()),
                ("band".to_owned(), "not ours".to_owned()),
            ])
            .into(),
            ..token("g\\1\"", "<script>alert('x')</script>\nline, two; \u{7}grün 🔑", expires_in(6))
        },
        Token {
            owner: owned_by("", "ops@example.com"),
            manage_url: None,
            ..token("g2", &"x".repeat(5_000), expires_in(25))
        },
        token("g3", "session of somebody", expires_in(1)),
    ];
    Outcome {
        listings: vec![listing("group", hostile), listing("personal", personal)],
        credential_expiry: CredentialExpiry::Reported(Expiry::At(at("2026-03-05T00:00:00Z"))),
        requests: BTreeMap::from([(200, 17), (429, 1), (0, 2)]),
        rate_limit: Some(RateLimit { limit: Some(2_000), remaining: 1_984 }),
        ..Outcome::default()
    }
}

fn vault() -> Outcome {
    let gap = |scope: &str, reason, required_permission: Option<&str>| Gap {
        path: Path::root().join(scope),
        scope: format!("/v1/{scope}"),
        failure: Failure::new(reason, format!("GET https://vault.example.com/v1/{scope}: no response")),
        required_permission: required_permission.map(str::to_owned),
    };
    let mut tokens = listing("token", vec![token("v1", "root", expires_in(40))]);
    tokens.scopes[0].malformed.push(MalformedRow { position: 2, id: None, field: "id" });
    tokens.gaps = vec![
        gap("auth/a", Reason::Forbidden, Some("auth/a [list]")),
        gap("auth/b", Reason::Forbidden, None),
        gap("auth/c", Reason::Timeout, None),
    ];
    Outcome {
        listings: vec![tokens],
        requests: BTreeMap::from([(200, 2), (403, 2)]),
        rate_limit: Some(RateLimit { limit: None, remaining: 0 }),
        ..Outcome::default()
    }
}
