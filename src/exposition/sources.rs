//! The families of sources.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::families::{Family, source};
use super::text::{Sample, Writer};
use crate::core::failure::Reason;
use crate::core::inventory::{Adjustment, Source, TokenView};
use crate::core::lead::{Band, Lead};
use crate::core::token::{Expiry, State};

/// Sources by name, in order.
type Sources<'a> = [(&'a str, &'a Source)];

/// Begins a sample of a source.
fn sample<'w>(to: &'w mut Writer, family: &Family, name: &str, source: &Source) -> Sample<'w> {
    to.sample(family.name).label("source", name).label("provider", &source.policy.provider)
}

/// Writes the gauges of the sources.
pub(super) fn write_gauges(to: &mut Writer, sources: &Sources<'_>, tokens: &[TokenView<'_>], now: DateTime<Utc>) {
    write_up(to, sources);
    write_listings(to, sources);
    write_tokens(to, sources, tokens);
    write_times(to, sources);
    write_rate_limit(to, sources);
    write_credential(to, sources, now);
    write_left_out(to, sources);
}

fn write_up(to: &mut Writer, sources: &Sources<'_>) {
    to.family(&source::UP);
    for (name, known) in sources {
        if let Some(up) = known.up {
            sample(to, &source::UP, name, known).count(u64::from(up));
        }
    }
}

fn write_listings(to: &mut Writer, sources: &Sources<'_>) {
    to.family(&source::SCOPES);
    for (name, known) in sources {
        for (listing, health) in &known.listings {
            sample(to, &source::SCOPES, name, known).label("listing", listing).count(health.scopes);
        }
    }
    to.family(&source::GAPS);
    for (name, known) in sources {
        for (listing, health) in &known.listings {
            for reason in Reason::ALL {
                sample(to, &source::GAPS, name, known)
                    .label("listing", listing)
                    .label("reason", reason.label())
                    .count(health.gaps.get(&reason).copied().unwrap_or_default());
            }
        }
    }
}

fn write_tokens(to: &mut Writer, sources: &Sources<'_>, tokens: &[TokenView<'_>]) {
    let mut counts: BTreeMap<(&str, &str, State, &str), u64> = BTreeMap::new();
    let mut due: BTreeMap<(&str, Band), u64> = BTreeMap::new();
    for view in tokens {
        *counts.entry((view.source, view.listing, view.state, view.expires.label())).or_default() += 1;
        if let Some(band) = view.band {
            *due.entry((view.source, band)).or_default() += 1;
        }
    }
    to.family(&source::TOKENS);
    for (name, known) in sources {
        for listing in known.listings.keys() {
            for state in State::ALL {
                for expiry in Expiry::LABELS {
                    let always = state == State::Active && expiry == "at";
                    let count = counts.get(&(*name, listing.as_str(), state, expiry)).copied();
                    if let Some(count) = count.or(always.then_some(0)) {
                        sample(to, &source::TOKENS, name, known)
                            .label("listing", listing)
                            .label("state", state.label())
                            .label("expiry", expiry)
                            .count(count);
                    }
                }
            }
        }
    }
    to.family(&source::DUE_TOKENS);
    for (name, known) in sources {
        for band in Band::ALL {
            let count = due.get(&(*name, band)).copied().unwrap_or_default();
            sample(to, &source::DUE_TOKENS, name, known).label("band", band.label()).count(count);
        }
    }
}

fn write_times(to: &mut Writer, sources: &Sources<'_>) {
    to.family(&source::INTERVAL);
    for (name, known) in sources {
        sample(to, &source::INTERVAL, name, known).duration(known.policy.interval);
    }
    to.family(&source::LAST_SUCCESS);
    for (name, known) in sources {
        if let Some(at) = known.last_success {
            sample(to, &source::LAST_SUCCESS, name, known).instant(at);
        }
    }
    to.family(&source::LAST_ATTEMPT);
    for (name, known) in sources {
        if let Some(at) = known.last_attempt {
            sample(to, &source::LAST_ATTEMPT, name, known).instant(at);
        }
    }
    to.family(&source::LAST_DURATION);
    for (name, known) in sources {
        if let Some(took) = known.last_duration {
            sample(to, &source::LAST_DURATION, name, known).duration(took);
        }
    }
}

fn write_rate_limit(to: &mut Writer, sources: &Sources<'_>) {
    to.family(&source::RATE_LIMIT);
    for (name, known) in sources {
        if let Some(limit) = known.rate_limit.and_then(|told| told.limit) {
            sample(to, &source::RATE_LIMIT, name, known).count(limit);
        }
    }
    to.family(&source::RATE_LIMIT_REMAINING);
    for (name, known) in sources {
        if let Some(told) = known.rate_limit {
            sample(to, &source::RATE_LIMIT_REMAINING, name, known).count(told.remaining);
        }
    }
}

fn write_credential(to: &mut Writer, sources: &Sources<'_>, now: DateTime<Utc>) {
    to.family(&source::CREDENTIAL_EXPIRY);
    for (name, known) in sources {
        if let Some(at) = known.credential_expiry.and_then(Expiry::timestamp) {
            sample(to, &source::CREDENTIAL_EXPIRY, name, known).instant(at);
        }
    }
    to.family(&source::CREDENTIAL_DUE);
    for (name, known) in sources {
        if let Some(at) = known.credential_expiry.and_then(Expiry::timestamp)
            && let Some(band) = credential_band(at, known.policy.lead, now)
        {
            sample(to, &source::CREDENTIAL_DUE, name, known).label("band", band.label()).instant(at);
        }
    }
}

fn write_left_out(to: &mut Writer, sources: &Sources<'_>) {
    to.family(&source::DROPPED_TOKENS);
    for (name, known) in sources {
        sample(to, &source::DROPPED_TOKENS, name, known).count(known.dropped);
    }
    to.family(&source::FILTERED_TOKENS);
    for (name, known) in sources {
        sample(to, &source::FILTERED_TOKENS, name, known).count(known.filtered);
    }
    to.family(&source::ADJUSTMENTS);
    for (name, known) in sources {
        for adjustment in Adjustment::ALL {
            sample(to, &source::ADJUSTMENTS, name, known)
                .label("adjustment", adjustment.label())
                .count(known.adjustments.get(&adjustment).copied().unwrap_or_default());
        }
    }
}

/// Writes the counters of the sources.
pub(super) fn write_counters(to: &mut Writer, sources: &Sources<'_>) {
    to.family(&source::FAILURES);
    for (name, known) in sources {
        for reason in Reason::ALL {
            sample(to, &source::FAILURES, name, known)
                .label("reason", reason.label())
                .count(known.failures.get(&reason).copied().unwrap_or_default());
        }
    }
    to.family(&source::REQUESTS);
    for (name, known) in sources {
        for (status, count) in &known.requests {
            let code = if *status == 0 { "none".to_owned() } else { status.to_string() };
            sample(to, &source::REQUESTS, name, known).label("code", &code).count(*count);
        }
    }
}

/// The band of the exporter's own credential: the lead of its source, uncapped, since its lifetime is not known.
pub(crate) fn credential_band(ends: DateTime<Utc>, lead: Lead, now: DateTime<Utc>) -> Option<Band> {
    let left = ends - now;
    if left <= chrono::TimeDelta::zero() {
        Some(Band::Expired)
    } else if left <= lead.critical {
        Some(Band::Critical)
    } else if left <= lead.warning {
        Some(Band::Warning)
    } else {
        None
    }
}

/// The next instant at which the band of a source's own credential changes.
pub(super) fn next_credential_change(known: &Source, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let ends = known.credential_expiry.and_then(Expiry::timestamp)?;
    [known.policy.lead.warning, known.policy.lead.critical, chrono::TimeDelta::zero()]
        .into_iter()
        .filter_map(|lead| ends.checked_sub_signed(lead))
        .filter(|change| *change > now)
        .min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::unwrap_used)]

    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_credential_is_in_one_band_at_a_time() {
        let lead = Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) };
        let now = DateTime::from_timestamp(1_760_000_000, 0).expect("an instant");
        let cases = [
            (TimeDelta::days(30) + TimeDelta::seconds(1), None),
            (TimeDelta::days(30), Some(Band::Warning)),
            (TimeDelta::days(7) + TimeDelta::seconds(1), Some(Band::Warning)),
            (TimeDelta::days(7), Some(Band::Critical)),
            (TimeDelta::seconds(1), Some(Band::Critical)),
            (TimeDelta::zero(), Some(Band::Expired)),
            (TimeDelta::days(-400), Some(Band::Expired)),
        ];
        for (left, band) in cases {
            assert_eq!(credential_band(now + left, lead, now), band, "{left}");
        }
    }
}
