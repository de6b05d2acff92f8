#![allow(clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};

use super::{Band, Bands, Lead, LeadChange};
use crate::core::token::{Expiry, LastUse, State, Token};

const LEAD: Lead = Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) };
const DAY: TimeDelta = TimeDelta::days(1);
const WEEK: TimeDelta = TimeDelta::days(7);

fn end() -> DateTime<Utc> {
    "2027-01-10T08:00:00Z".parse().unwrap()
}

fn token(created_before_end: Option<TimeDelta>, lifetime: Option<TimeDelta>) -> Token {
    Token {
        id: "1".into(),
        name: "ci".into(),
        kind: "api-token".into(),
        owner: None,
        created_at: created_before_end.map(|life| end() - life),
        expires: Expiry::At(end()),
        last_used: LastUse::NotReported,
        scopes: Vec::new(),
        disabled: false,
        lifetime,
        manage_url: None,
        labels: std::collections::BTreeMap::new(),
        approximate: false,
    }
}

/// How long before the end `warning` and `critical` begin, in hours.
fn leads(token: &Token, lead: Lead) -> Option<(i64, i64)> {
    let bands = Bands::of(token, State::Active, lead, DAY, WEEK)?;
    Some(((end() - bands.warning).num_hours(), (end() - bands.critical).num_hours()))
}

#[test]
fn a_lead_is_at_most_a_share_of_the_life() {
    let days = |days| Some(TimeDelta::days(days));
    let cases = [
        ("a year from its making: the lead as configured", days(365), None, Some((30 * 24, 7 * 24))),
        ("90 days: exactly a third, and a tenth that is longer than 7 days", days(90), None, Some((30 * 24, 7 * 24))),
        ("30 days", days(30), None, Some((10 * 24, 3 * 24))),
        ("a week", days(7), None, Some((56, 16))),
        ("a day: just long enough", days(1), None, Some((8, 2))),
        ("under a day", Some(TimeDelta::seconds(86_399)), None, None),
        ("nothing known of its life: no cap", None, None, Some((30 * 24, 7 * 24))),
        ("made long ago, renewed for 30 days each time", days(2000), days(30), Some((10 * 24, 3 * 24))),
        ("made long ago, renewed for an hour each time", days(2000), Some(TimeDelta::hours(1)), None),
        ("a lifetime of 0 tells nothing", days(30), days(0), Some((10 * 24, 3 * 24))),
        ("made after its end: that tells nothing", Some(-DAY), None, Some((30 * 24, 7 * 24))),
    ];
    for (case, made, lifetime, expected) in cases {
        assert_eq!(leads(&token(made, lifetime), LEAD), expected, "{case}");
    }
}

#[test]
fn critical_is_never_longer_than_warning() {
    let year = token(Some(TimeDelta::days(365)), None);
    let upside_down = LEAD.changed(LeadChange { warning: Some(TimeDelta::days(2)), critical: None });
    assert_eq!(leads(&year, upside_down), Some((48, 48)));
    let negative = Lead { warning: -DAY, critical: -DAY };
    assert_eq!(leads(&year, negative), Some((0, 0)));
    let endless = Lead { warning: TimeDelta::MAX, critical: TimeDelta::MAX };
    let unknown = Bands::of(&token(None, None), State::Active, endless, DAY, TimeDelta::MAX).unwrap();
    assert_eq!((unknown.warning, unknown.over), (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC));
}

#[test]
fn people_are_told_of_tokens_that_work_or_have_ended_and_of_no_others() {
    let year = token(Some(TimeDelta::days(365)), None);
    for state in State::ALL {
        let told = Bands::of(&year, state, LEAD, DAY, WEEK).is_some();
        assert_eq!(told, matches!(state, State::Active | State::Expired), "{state:?}");
    }
    for expires in [Expiry::Never, Expiry::Unknown] {
        assert_eq!(Bands::of(&Token { expires, ..year.clone() }, State::Active, LEAD, DAY, WEEK), None);
    }
    let policy = Token { expires: Expiry::Policy(end()), lifetime: Some(TimeDelta::hours(1)), ..year };
    assert_eq!(leads(&policy, LEAD), Some((30 * 24, 7 * 24)), "the vendor's lifetime is not that of a rule's end");
}

#[test]
fn each_band_begins_at_the_very_second() {
    let bands = Bands::of(&token(Some(TimeDelta::days(365)), None), State::Active, LEAD, DAY, WEEK).unwrap();
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
    for (from_end, band, next) in cases {
        let now = end() + from_end;
        assert_eq!((bands.at(now), bands.next_change(now)), (band, Some(end() + next)), "{from_end}");
    }
    let over = end() + days(7);
    assert_eq!((bands.at(over), bands.next_change(over)), (None, None));
}

#[test]
fn a_later_change_of_the_lead_wins_field_by_field() {
    let days = |days| Some(TimeDelta::days(days));
    let first = LeadChange { warning: days(14), critical: days(3) };
    let second = LeadChange { warning: days(60), critical: None };
    assert_eq!(first.then(second), LeadChange { warning: days(60), critical: days(3) });
    assert_eq!(LEAD.changed(LeadChange::default()), LEAD);
}

#[test]
fn a_token_that_is_overdue_for_rotation_is_told_of_until_it_is_rotated() {
    let token = Token { expires: Expiry::Policy(end()), ..token(Some(TimeDelta::days(90)), None) };
    let bands = Bands::of(&token, State::Active, LEAD, DAY, WEEK).unwrap();
    assert_eq!(bands.at(end() + TimeDelta::days(400)), Some(Band::Expired));
    assert_eq!(bands.next_change(end()), None);
}
