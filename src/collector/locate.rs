//! Says whose the credentials are that a collection found: each source identifies those that look like its own.
//!
//! The values exist only here and in the outcome of the collection, which loses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::SourceJob;
use crate::core::failure::Failure;
use crate::core::location_report::{CredentialCounts, FoundCredential, FoundToken, LocatedToken, LocationReport};
use crate::core::outcome::Outcome;
use crate::core::secret::Secret;
use crate::core::value_pattern::ValuePatterns;
use crate::providers::{Candidate, KnownToken, Source};

/// The sources that can say which of their tokens a credential is.
#[derive(Clone, Default)]
pub struct Identifiers(Vec<(String, Arc<dyn Source>)>);

impl Identifiers {
    pub fn of<'j>(jobs: impl IntoIterator<Item = &'j SourceJob>) -> Self {
        let jobs = jobs.into_iter().filter(|job| job.source.pattern().is_some());
        Self(jobs.map(|job| (job.name.clone(), Arc::clone(&job.source))).collect())
    }

    pub(super) fn patterns(&self) -> ValuePatterns {
        ValuePatterns(self.0.iter().filter_map(|(_, source)| source.pattern().cloned()).collect())
    }

    /// Replaces what a collection of this source found by the tokens that it is.
    pub(super) async fn locate(&self, name: &str, outcome: &mut Outcome, now: DateTime<Utc>, deadline: Instant) {
        let found = std::mem::take(&mut outcome.found);
        let mut report = LocationReport {
            newest: found.newest,
            cut: found.cut,
            hidden: found.hidden,
            is_complete: outcome.is_complete(),
            ..LocationReport::default()
        };
        let mut values: BTreeMap<Value, Vec<FoundCredential>> = BTreeMap::new();
        for mut credential in found.credentials {
            match std::mem::replace(&mut credential.token, FoundToken::Id(Box::default())) {
                FoundToken::Id(id) => {
                    let token = KnownToken { id: Some(id), is_id_inside: false };
                    report.located.push(located(name, &token, credential, now));
                }
                FoundToken::Value(secret) => values.entry(Value(secret)).or_default().push(credential),
            }
        }
        for (source, identifier) in &self.0 {
            let (identified, counts, failure) = ask(identifier, &values, now, deadline).await;
            for (token, places) in identified {
                report.located.extend(places.iter().map(|place| located(source, &token, place.clone(), now)));
            }
            report.counts.insert(source.as_str().into(), counts);
            outcome.failures.extend(failure.map(|failure| {
                let what = format!("credentials of {source} not identified: {}", failure.what);
                Failure { what, ..failure }
            }));
        }
        outcome.locations = Some(report);
    }
}

/// A credential as the key of a map, so that one that is found in several places is identified once.
struct Value(Secret);

impl Value {
    fn text(&self) -> &str {
        self.0.expose()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text().cmp(other.text())
    }
}

type Asked<'v> = (Vec<(KnownToken, &'v [FoundCredential])>, CredentialCounts, Option<Failure>);

/// Has a source identify the credentials that look like its own.
async fn ask<'v>(
    identifier: &Arc<dyn Source>,
    values: &'v BTreeMap<Value, Vec<FoundCredential>>,
    now: DateTime<Utc>,
    deadline: Instant,
) -> Asked<'v> {
    let pattern = identifier.pattern();
    let matches = |value: &Value| pattern.is_some_and(|pattern| pattern.is_match(value.text()));
    let places: Vec<_> = values.iter().filter(|(value, _)| matches(value)).collect();
    let candidate = |(number, (value, places)): (usize, &(&Value, &Vec<FoundCredential>))| Candidate {
        number,
        value: value.0.clone(),
        group: places.first().map(|place| place.group.clone()).unwrap_or_default(),
    };
    let candidates = places.iter().enumerate().map(candidate).collect();
    let identified = identifier.identify(candidates, now, deadline).await;
    let tokens = identified.tokens.into_iter();
    let tokens = tokens.filter_map(|(number, token)| Some((token, places.get(number)?.1.as_slice()))).collect();
    (tokens, identified.counts, identified.failure)
}

fn located(source: &str, token: &KnownToken, found: FoundCredential, now: DateTime<Utc>) -> LocatedToken {
    LocatedToken {
        source: source.into(),
        id: token.id.clone(),
        location: found.location,
        own_id: found.own_id,
        found_at: now,
        is_id_inside: token.is_id_inside,
    }
}
