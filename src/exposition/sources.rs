//! The families of sources.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Exposure;
use super::counts::TokenCounts;
use super::families::{Family, source};
use super::selection::Selection;
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

/// Writes a family without further labels, if it is exposed, for each source that has a value.
fn write<V: Into<Value>>(
    to: &mut Writer,
    (sources, selection): (&Sources<'_>, &Selection),
    family: &'static Family,
    value: impl Fn(&Source) -> Option<V>,
) {
    if !selection.exposes(family) {
        return;
    }
    for status in sources {
        if let Some(value) = value(status.source) {
            sample(to, family, status).value(value);
        }
    }
}

pub(super) fn write_gauges(to: &mut Writer, sources: &Sources<'_>, exposure: &Exposure, now: DateTime<Utc>) {
    let all = (sources, &*exposure.selection);
    write(to, all, &source::UP, |source| source.up.map(u64::from));
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
    for SourceStatus { name, source, counts } in sources {
        counts.write_findings(to, name, source);
    }
    write(to, all, &source::INTERVAL, |source| Some(source.policy.interval));
    write(to, all, &source::LAST_SUCCESS, |source| source.last_success);
    write(to, all, &source::LAST_ATTEMPT, |source| source.last_attempt);
    write(to, all, &source::LAST_DURATION, |source| source.last_duration);
    write(to, all, &source::RATE_LIMIT, |source| source.rate_limit?.limit);
    write(to, all, &source::RATE_LIMIT_REMAINING, |source| Some(source.rate_limit?.remaining));
    write(to, all, &source::CREDENTIAL_EXPIRY, |source| source.credential_expiry?.timestamp());
    for status in sources {
        if let Some(at) = status.source.credential_expiry.and_then(Expiry::timestamp)
            && let Some(band) = status.source.credential_band(now)
        {
            sample(to, &source::CREDENTIAL_DUE, status).values([band.label()]).value(at);
        }
    }
    write(to, all, &source::DROPPED_TOKENS, |source| Some(source.dropped));
    write(to, all, &source::FILTERED_TOKENS, |source| Some(source.filtered));
    for status in sources {
        for (adjustment, count) in &status.source.adjustments {
            let count = if exposure.labels.applies(*adjustment) { *count } else { 0 };
            sample(to, &source::ADJUSTMENTS, status).values([adjustment.label()]).value(count);
        }
    }
    if exposure.selection.exposes(&source::FOUND_CREDENTIALS) {
        for status in sources {
            for (result, count) in &status.source.found_credentials {
                sample(to, &source::FOUND_CREDENTIALS, status).values([result.label()]).value(*count);
            }
        }
    }
}

/// Writes a family of all sources.
pub(super) type Write = fn(&mut Writer, &Sources<'_>);

/// The families whose header differs between the formats, if they are exposed.
pub(super) fn counters(selection: &Selection) -> impl Iterator<Item = (&'static Family, Write)> {
    let all: [(&Family, Write); 2] = [(&source::FAILURES, write_failures), (&source::REQUESTS, write_requests)];
    all.into_iter().filter(|(family, _)| selection.exposes(family))
}

fn write_failures(to: &mut Writer, sources: &Sources<'_>) {
    for status in sources {
        for (reason, count) in &status.source.failures {
            sample(to, &source::FAILURES, status).values([reason.label()]).value(*count);
        }
    }
}

fn write_requests(to: &mut Writer, sources: &Sources<'_>) {
    for status in sources {
        for (response, count) in &status.source.requests {
            let code = if *response == 0 { "none".to_owned() } else { response.to_string() };
            sample(to, &source::REQUESTS, status).values([&*code]).value(*count);
        }
    }
}
