//! A source: a compiled provider at work for one configured account.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::auth::{Auth, Session};
use super::collect_listing::{ActiveListing, walk};
use super::context::{CollectContext, SideResults, StepCache};
use super::lookup::{LookupCache, LookupTables};
use super::own_credential;
use super::probe::probe;
use super::scope_cache::ScopeCache;
use crate::core::clock::Clock;
use crate::core::failure::{Failure, Reason};
use crate::core::outcome;
use crate::core::outcome::{Gap, Outcome, Path};
use crate::http::client::{Client, Options};
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::expression_index;
use crate::providers::language::provider::{AuthScheme, OwnCredential, Provider};
use crate::providers::language::value;
use crate::providers::{Probe, Source, SourceSpec};
use crate::schema::diagnostic::{Diagnostic, Diagnostics};

/// A provider at work for one source.
struct Engine {
    provider: Arc<Provider>,
    scheme: usize,
    settings: Val,
    /// The names of the listings that run.
    names: Vec<String>,
    /// What each of them is and keeps.
    running: Vec<Kept>,
    /// Whether the own credential's end is looked for.
    looks_for_own: bool,
    client: Client,
    clock: Clock,
    concurrency: usize,
    auth: Auth,
    memory: LookupCache,
}

/// A listing that runs, by its number in the definition, and what it keeps between collections.
struct Kept {
    listing: usize,
    maps: Vec<usize>,
    answers: ScopeCache,
}

/// Makes a source of a provider and what the configuration says of it.
///
/// # Errors
/// Every mistake that the configuration makes about this provider, or certificates or a proxy that cannot be used.
pub fn connect(
    provider: Arc<Provider>,
    wanted: SourceSpec,
    mut http: Options,
    clock: Clock,
) -> Result<Box<dyn Source>, Diagnostics> {
    let settled = provider.resolve(&wanted)?;
    http.concurrency = provider.limits.concurrency.unwrap_or(http.concurrency).max(1);
    http.rate = provider.limits.rate.or(http.rate);
    let concurrency = http.concurrency;
    let client = Client::new(http, clock.clone())
        .map_err(|sentence| wanted.text.error(wanted.at, format!("source {}: {sentence}", wanted.name)))?;

    let settings = value::object_of(&settled.settings);
    let holds = |when: Option<&Expression>| {
        let variables = Variables { settings: settings.clone(), ..Variables::default() };
        when.is_none_or(|when| when.truth(&variables, Val::Null))
    };
    let running: Vec<Kept> = settled
        .listings
        .iter()
        .filter_map(|number| Some((*number, provider.listings.get(*number)?)))
        .filter(|(_, listing)| holds(listing.when.as_ref()))
        .map(|(number, listing)| Kept {
            listing: number,
            maps: expression_index::maps_read(listing, &provider.maps),
            answers: ScopeCache::default(),
        })
        .collect();
    let names = running.iter().filter_map(|kept| Some(provider.listings.get(kept.listing)?.name.clone())).collect();
    let looks_for_own = match &provider.own {
        Some(OwnCredential::Request { when, .. } | OwnCredential::Listing { when, .. }) => holds(when.as_ref()),
        None => false,
    };
    if provider.schemes.get(settled.scheme).is_none() {
        return Err(Diagnostic::in_file(&provider.name, "the definition has no way to authenticate").into());
    }
    Ok(Box::new(Engine {
        scheme: settled.scheme,
        settings,
        names,
        running,
        looks_for_own,
        client,
        clock,
        concurrency,
        auth: Auth::new(wanted.credentials),
        memory: LookupCache::new(),
        provider,
    }))
}

impl Source for Engine {
    fn listings(&self) -> &[String] {
        &self.names
    }

    fn without_replacement(&self) -> Vec<String> {
        let running = self.running.iter().filter_map(|kept| self.provider.listings.get(kept.listing));
        running.filter(|listing| !listing.replaces).map(|listing| listing.name.clone()).collect()
    }

    fn collect(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Outcome> {
        async move {
            let mut outcome = match self.round(now, deadline).await {
                Ok(round) => self.collected(round).await,
                Err(failure) => Outcome::failed(&self.names, &failure),
            };
            let usage = self.client.take_usage();
            outcome.requests = usage.requests;
            outcome.rate_limit = usage.rate_limit;
            outcome
        }
        .boxed()
    }

    fn probe(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Vec<Probe>> {
        async move {
            match self.round(now, deadline).await {
                Ok(round) => {
                    let mut probes = Vec::new();
                    for running in self.running() {
                        let result = probe(&round, &running).await;
                        probes.push(Probe { listing: running.listing.name.clone(), result });
                    }
                    probes
                }
                Err(failure) => self.names.iter().map(|name| all_failed(name, &failure)).collect(),
            }
        }
        .boxed()
    }
}

/// A probe of a listing that could not even be asked for.
fn all_failed(listing: &str, failure: &Failure) -> Probe {
    let gap = Gap { path: Path::root(), scope: "all".into(), failure: failure.clone(), required_permission: None };
    Probe { listing: listing.to_owned(), result: Err(gap) }
}

impl Engine {
    fn running(&self) -> impl Iterator<Item = ActiveListing<'_>> {
        self.running.iter().filter_map(|kept| {
            let listing = self.provider.listings.get(kept.listing)?;
            Some(ActiveListing { listing, maps: &kept.maps, answers: &kept.answers })
        })
    }

    /// Reads the certificates and the credential, and logs in with it where that must be.
    async fn round(&self, now: DateTime<Utc>, deadline: Instant) -> Result<CollectContext<'_>, Failure> {
        let scheme: &AuthScheme = self
            .provider
            .schemes
            .get(self.scheme)
            .ok_or_else(|| Failure::new(Reason::Internal, "the definition has no such scheme"))?;
        self.client.renew_certificates()?;
        let session =
            Session::open(&self.auth, &self.provider, scheme, &self.settings, &self.client, &self.clock, deadline)?;
        session.log_in().await?;
        Ok(CollectContext {
            provider: &self.provider,
            settings: &self.settings,
            session,
            tables: LookupTables::new(&self.provider.maps, &self.memory),
            own: self.provider.own.as_ref().filter(|_| self.looks_for_own),
            concurrency: self.concurrency,
            now,
            started: Instant::now(),
            deadline,
            shared: StepCache::default(),
            noted: Mutex::default(),
        })
    }

    /// Walks every listing, all at once: one that is slow or refused holds no other up.
    async fn collected(&self, round: CollectContext<'_>) -> Outcome {
        let running: Vec<ActiveListing<'_>> = self.running().collect();
        let walks = join_all(running.iter().map(|running| walk(&round, running)));
        let (listings, asked) = tokio::join!(walks, round.ask_own());
        round.tables.forget(round.now);

        let SideResults { mut failures, unread_fields, own } = round.noted.into_inner();
        failures.extend(round.tables.failures());
        let own = match asked {
            Ok(outcome::CredentialExpiry::NotReported) => own_credential::soonest(&own),
            Ok(told) => told,
            Err(failure) => {
                let what = format!("when the own credential ends: {}", failure.what);
                failures.push(Failure { what, ..failure });
                outcome::CredentialExpiry::NotReported
            }
        };
        Outcome { listings, credential_expiry: own, failures, unread_fields, ..Outcome::default() }
    }
}
