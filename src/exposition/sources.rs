//! The families of sources.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Labels;
use super::counts::TokenCounts;
use super::families::{Family, source};
use super::text::{Sample, Value, Writer};
use crate::core::inventory::Source;
use crate::core::token::Expiry;

/// A source, its status, and how many tokens it has.
pub(super) struct SourceStatus<'a> {
    pub(super) name: &'a str,
    pub(super) source: &'a Source,
    pub(super) counts: Arc<TokenCounts>,
}

/// Sources by name, in order.
type Sources<'a> = [SourceStatus<'a>];

fn sample<'w>(to: &'w mut Writer, family: &'static Family, status: &SourceStatus<'_>) -> Sample<'w> {
    to.sample(family).values([status.name, &status.source.policy.provider])
}

/// Writes a family without further labels, for each source that has a value.
fn write<V: Into<Value>>(
    to: &mut Writer,
    family: &'static Family,
    sources: &Sources<'_>,
    value: impl Fn(&Source) -> Option<V>,
) {
    for status in sources {
        if let Some(value) = value(status.source) {
            sample(to, family, status).value(value);
        }
    }
}

pub(super) fn write_gauges(to: &mut Writer, sources: &Sources<'_>, labels: Labels, now: DateTime<Utc>) {
    write(to, &source::UP, sources, |source| source.up.map(u64::from));
    let listings =
        || sources.iter().flat_map(|status| status.source.listings.iter().map(move |listing| (status, listing)));
    for (status, (listing, health)) in listings() {
        sample(to, &source::SCOPES, status).values([&**listing]).value(health.scopes);
    }
    for (status, (listing, health)) in listings() {
        for (reason, count) in &health.gaps {
            sample(to, &source::GAPS, status).values([listing, reason.label()]).value(*count);
        }
    }
    for SourceStatus { name, source, counts } in sources {
        counts.write_tokens(to, name, source);
    }
    for SourceStatus { name, source, counts } in sources {
        counts.write_due_tokens(to, name, source);
    }
    write(to, &source::INTERVAL, sources, |source| Some(source.policy.interval));
    write(to, &source::LAST_SUCCESS, sources, |source| source.last_success);
    write(to, &source::LAST_ATTEMPT, sources, |source| source.last_attempt);
    write(to, &source::LAST_DURATION, sources, |source| source.last_duration);
    write(to, &source::RATE_LIMIT, sources, |source| source.rate_limit?.limit);
    write(to, &source::RATE_LIMIT_REMAINING, sources, |source| Some(source.rate_limit?.remaining));
    write(to, &source::CREDENTIAL_EXPIRY, sources, |source| source.credential_expiry?.timestamp());
    for status in sources {
        if let Some(at) = status.source.credential_expiry.and_then(Expiry::timestamp)
            && let Some(band) = status.source.credential_band(now)
        {
            sample(to, &source::CREDENTIAL_DUE, status).values([band.label()]).value(at);
        }
    }
    write(to, &source::DROPPED_TOKENS, sources, |source| Some(source.dropped));
    write(to, &source::FILTERED_TOKENS, sources, |source| Some(source.filtered));
    for status in sources {
        for (adjustment, count) in &status.source.adjustments {
            let count = if labels.applies(*adjustment) { *count } else { 0 };
            sample(to, &source::ADJUSTMENTS, status).values([adjustment.label()]).value(count);
        }
    }
}

pub(super) fn write_failures(to: &mut Writer, sources: &Sources<'_>) {
    for status in sources {
        for (reason, count) in &status.source.failures {
            sample(to, &source::FAILURES, status).values([reason.label()]).value(*count);
        }
    }
}

pub(super) fn write_requests(to: &mut Writer, sources: &Sources<'_>) {
    for status in sources {
        for (response, count) in &status.source.requests {
            let code = if *response == 0 { "none".to_owned() } else { response.to_string() };
            sample(to, &source::REQUESTS, status).values([&*code]).value(*count);
        }
    }
}
