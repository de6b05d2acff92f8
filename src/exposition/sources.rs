//! The families of sources.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Labels;
use super::families::{Family, source};
use super::text::{Sample, Value, Writer};
use crate::core::inventory::{Source, TokenView};
use crate::core::lead::Band;
use crate::core::token::{Expiry, State};

/// Sources by name, in order.
type Sources<'a> = [(&'a str, &'a Source)];

fn sample<'w>(to: &'w mut Writer, family: &'static Family, (name, source): (&str, &Source)) -> Sample<'w> {
    to.sample(family).values([name, &source.policy.provider])
}

/// Writes a family without further labels, for each source that has a value.
fn write<V: Into<Value>>(
    to: &mut Writer,
    family: &'static Family,
    sources: &Sources<'_>,
    value: impl Fn(&Source) -> Option<V>,
) {
    for source in sources {
        if let Some(value) = value(source.1) {
            sample(to, family, *source).value(value);
        }
    }
}

pub(super) fn write_gauges(
    to: &mut Writer,
    sources: &Sources<'_>,
    tokens: &[TokenView<'_>],
    labels: Labels,
    now: DateTime<Utc>,
) {
    write(to, &source::UP, sources, |source| source.up.map(u64::from));
    let listings = || sources.iter().flat_map(|source| source.1.listings.iter().map(|listing| (*source, listing)));
    for (source, (listing, health)) in listings() {
        sample(to, &source::SCOPES, source).values([&**listing]).value(health.scopes);
    }
    for (source, (listing, health)) in listings() {
        for (reason, count) in &health.gaps {
            sample(to, &source::GAPS, source).values([listing, reason.label()]).value(*count);
        }
    }
    write_token_counts(to, sources, tokens);
    write(to, &source::INTERVAL, sources, |source| Some(source.policy.interval));
    write(to, &source::LAST_SUCCESS, sources, |source| source.last_success);
    write(to, &source::LAST_ATTEMPT, sources, |source| source.last_attempt);
    write(to, &source::LAST_DURATION, sources, |source| source.last_duration);
    write(to, &source::RATE_LIMIT, sources, |source| source.rate_limit?.limit);
    write(to, &source::RATE_LIMIT_REMAINING, sources, |source| Some(source.rate_limit?.remaining));
    write(to, &source::CREDENTIAL_EXPIRY, sources, |source| source.credential_expiry?.timestamp());
    for source in sources {
        if let Some(at) = source.1.credential_expiry.and_then(Expiry::timestamp)
            && let Some(band) = source.1.credential_band(now)
        {
            sample(to, &source::CREDENTIAL_DUE, *source).values([band.label()]).value(at);
        }
    }
    write(to, &source::DROPPED_TOKENS, sources, |source| Some(source.dropped));
    write(to, &source::FILTERED_TOKENS, sources, |source| Some(source.filtered));
    for source in sources {
        for (adjustment, count) in &source.1.adjustments {
            let count = if labels.applies(*adjustment) { *count } else { 0 };
            sample(to, &source::ADJUSTMENTS, *source).values([adjustment.label()]).value(count);
        }
    }
}

fn write_token_counts(to: &mut Writer, sources: &Sources<'_>, tokens: &[TokenView<'_>]) {
    let (mut counts, mut due) = (BTreeMap::new(), BTreeMap::new());
    for (name, source) in sources {
        let provider = source.policy.provider.as_str();
        for listing in source.listings.keys() {
            counts.insert((*name, provider, listing.as_str(), State::Active, "at"), 0);
        }
        due.extend(Band::ALL.map(|band| ((*name, provider, band), 0)));
    }
    for view in tokens {
        let key = (view.source, view.provider, view.listing, view.state, view.expires.label());
        *counts.entry(key).or_default() += 1;
        if let Some(band) = view.band {
            *due.entry((view.source, view.provider, band)).or_default() += 1;
        }
    }
    for ((source, provider, listing, state, expiry), count) in counts {
        to.sample(&source::TOKENS).values([source, provider, listing, state.label(), expiry]).value(count);
    }
    for ((source, provider, band), count) in due {
        to.sample(&source::DUE_TOKENS).values([source, provider, band.label()]).value(count);
    }
}

pub(super) fn write_counters(to: &mut Writer, sources: &Sources<'_>) {
    for source in sources {
        for (reason, count) in &source.1.failures {
            sample(to, &source::FAILURES, *source).values([reason.label()]).value(*count);
        }
    }
    for source in sources {
        for (status, count) in &source.1.requests {
            let code = if *status == 0 { "none".to_owned() } else { status.to_string() };
            sample(to, &source::REQUESTS, *source).values([&*code]).value(*count);
        }
    }
}
