#![allow(clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};

use super::{Band, Bands, Lead, LeadChange};
use crate::core::token::{Expiry, LastUse, Lifetime, State, Token};

const LEAD: Lead = Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) };
const DAY: TimeDelta = TimeDelta::days(1);
const WEEK: TimeDelta = TimeDelta::days(7);

fn expiry() -> DateTime<Utc> {
    "2027-01-10T08:00:00Z".parse().unwrap()
}

fn token(created_before_expiry: Option<TimeDelta>, lifetime: Option<TimeDelta>) -> Token {
    Token {
        id: "1".into(),
        name: "ci".into(),
        kind: "api-token".into(),
        owner: None,
        created_at: created_before_expiry.map(|life| expiry() - life),
        expires: Expiry::At(expiry()),
        last_used: LastUse::NotReported,
        scopes: std::sync::Arc::default(),
        disabled: false,
        lifetime: lifetime.and_then(Lifetime::new),
        renews_before: None,
        manage_url: None,
        renew: None,
        labels: std::sync::Arc::default(),
        approximate: false,
    }
}

fn bands(token: &Token, state: State, lead: Lead) -> Option<Bands> {
    Bands::for_token(token, token.expires, state, lead, DAY, WEEK)
}

/// How long before expiry `warning` and `critical` start, in hours.
fn leads(token: &Token, lead: Lead) -> Option<(i64, i64)> {
    let bands = bands(token, State::Active, lead)?;
    Some(((expiry() - bands.warning).num_hours(), (expiry() - bands.critical).num_hours()))
}

#[test]
fn lead_is_capped_at_a_share_of_the_lifetime() {
    let days = |days| Some(TimeDelta::days(days));
    let cases = [
        ("a year since creation: the lead as configured", days(365), None, Some((30 * 24, 7 * 24))),
        ("90 days: exactly a third, and a tenth that is longer than 7 days", days(90), None, Some((30 * 24, 7 * 24))),
        ("30 days", days(30), None, Some((10 * 24, 3 * 24))),
        ("a week", days(7), None, Some((56, 16))),
        ("a day: just long enough", days(1), None, Some((8, 2))),
        ("under a day", Some(TimeDelta::seconds(86_399)), None, None),
        ("unknown lifetime: no cap", None, None, Some((30 * 24, 7 * 24))),
        ("created long ago, renewed for 30 days each time", days(2000), days(30), Some((10 * 24, 3 * 24))),
        ("created long ago, renewed for an hour each time", days(2000), Some(TimeDelta::hours(1)), None),
        ("a lifetime of 0 is ignored", days(30), days(0), Some((10 * 24, 3 * 24))),
        ("created after its expiry: ignored", Some(-DAY), None, Some((30 * 24, 7 * 24))),
    ];
    for (case, made, lifetime, expected) in cases {
        assert_eq!(leads(&token(made, lifetime), LEAD), expected, "{case}");
    }
}

#[test]
fn lead_of_a_token_that_is_renewed_by_itself_starts_when_that_is_overdue() {
    let cases = [
        (
            "renewed 30 days before: warning after 10 days, critical as configured",
            90 * 24,
            30 * 24,
            Some((20 * 24, 7 * 24)),
        ),
        ("renewed 15 days before", 90 * 24, 15 * 24, Some((10 * 24, 5 * 24))),
        ("a day, renewed 8 hours before: critical after a tenth of the lifetime", 24, 8, Some((5, 2))),
        ("renewed long before: the lead as configured", 365 * 24, 180 * 24, Some((30 * 24, 7 * 24))),
    ];
    for (case, life, before, expected) in cases {
        let renewed = Token {
            renews_before: Lifetime::new(TimeDelta::hours(before)),
            ..token(Some(TimeDelta::hours(life)), None)
        };
        assert_eq!(leads(&renewed, LEAD), expected, "{case}");
        let policy = Bands::for_token(&renewed, Expiry::Policy(expiry()), State::Active, LEAD, DAY, WEEK).unwrap();
        let unrenewed = leads(&token(Some(TimeDelta::hours(life)), None), LEAD).unwrap();
        assert_eq!(
            (expiry() - policy.warning).num_hours(),
            unrenewed.0,
            "{case}: a rule's expiry is not the provider's"
        );
    }
}

#[test]
fn critical_lead_is_at_most_the_warning_lead() {
    let year = token(Some(TimeDelta::days(365)), None);
    let upside_down = LEAD.changed(LeadChange { warning: Some(TimeDelta::days(2)), critical: None });
    assert_eq!(leads(&year, upside_down), Some((48, 48)));
    let negative = Lead { warning: -DAY, critical: -DAY };
    assert_eq!(leads(&year, negative), Some((0, 0)));
    let endless = Lead { warning: TimeDelta::MAX, critical: TimeDelta::MAX };
    let unknown =
        Bands::for_token(&token(None, None), Expiry::At(expiry()), State::Active, endless, DAY, TimeDelta::MAX)
            .unwrap();
    assert_eq!((unknown.warning, unknown.over), (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC));
}

#[test]
fn only_active_and_expired_tokens_are_due() {
    let year = token(Some(TimeDelta::days(365)), None);
    for state in State::ALL {
        let is_due = bands(&year, state, LEAD).is_some();
        assert_eq!(is_due, matches!(state, State::Active | State::Expired), "{state:?}");
    }
    for expires in [Expiry::Never, Expiry::Unknown] {
        assert_eq!(bands(&Token { expires, ..year.clone() }, State::Active, LEAD), None);
    }
    let policy = Token { expires: Expiry::Policy(expiry()), lifetime: Lifetime::new(TimeDelta::hours(1)), ..year };
    assert_eq!(leads(&policy, LEAD), Some((30 * 24, 7 * 24)), "the granted lifetime does not apply to a rule's expiry");
}

#[test]
fn bands_start_at_the_exact_second() {
    let bands = bands(&token(Some(TimeDelta::days(365)), None), State::Active, LEAD).unwrap();
    let second = TimeDelta::seconds(1);
    let days = TimeDelta::days;
    let cases = [
        (-days(400), None, -days(30)),
        (-days(30) - second, None, -days(30)),
        (-days(30), Some(Band::Warning), -days(7)),
        (-days(7) - second, Some(Band::Warning), -days(7)),
        (-days(7), Some(Band::Critical), days(0)),
        (-second, Some(Band::Critical), days(0)),
        (days(0), Some(Band::Expired), days(7)),
        (days(7) - second, Some(Band::Expired), days(7)),
    ];
    for (from_expiry, band, next) in cases {
        let now = expiry() + from_expiry;
        assert_eq!((bands.at(now), bands.next_change(now)), (band, Some(expiry() + next)), "{from_expiry}");
    }
    let over = expiry() + days(7);
    assert_eq!((bands.at(over), bands.next_change(over)), (None, None));
}

#[test]
fn later_lead_change_wins_per_band() {
    let days = |days| Some(TimeDelta::days(days));
    let first = LeadChange { warning: days(14), critical: days(3) };
    let second = LeadChange { warning: days(60), critical: None };
    assert_eq!(first.then(second), LeadChange { warning: days(60), critical: days(3) });
    assert_eq!(LEAD.changed(LeadChange::default()), LEAD);
}

#[test]
fn token_overdue_for_rotation_stays_due() {
    let token = Token { expires: Expiry::Policy(expiry()), ..token(Some(TimeDelta::days(90)), None) };
    let bands = bands(&token, State::Active, LEAD).unwrap();
    assert_eq!(bands.at(expiry() + TimeDelta::days(400)), Some(Band::Expired));
    assert_eq!(bands.next_change(expiry()), None);
}
