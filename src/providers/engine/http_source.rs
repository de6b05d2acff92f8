//! A source that runs a definition: the provider, the account, and what is kept between collections.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::aws_credentials::AwsChain;
use super::collect_listing::collect;
use super::context::{CollectContext, KnownSteps, StepCache};
use super::fan_out::ActiveListing;
use super::hint::{HintCache, HintMap, Hints};
use super::identify::Identifier;
use super::lookup::{LookupCache, LookupTables};
use super::own_credential;
use super::page_limit::PageLimit;
use super::refusal::{RefusedSecret, SharedPasswords};
use super::same_token;
use super::scope_cache::ScopeCache;
use super::session::{Account, Session, unusable_method};
use crate::core::clock::Clock;
use crate::core::extra_headers::ExtraHeaders;
use crate::core::failure::{Failure, Reason};
use crate::core::intake::Intake;
use crate::core::outcome::{CredentialExpiry, Outcome};
use crate::core::refusal::Refusal;
use crate::core::secret::SharedCredentials;
use crate::core::value_pattern::ValuePattern;
use crate::http::client::{Client, Options};
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Listing, LocationOf, OwnCredential, Provider, RowMap};
use crate::providers::language::settings::ResolvedSettings;
use crate::providers::language::value;
use crate::providers::{Candidate, Identified, Source};

struct HttpSource {
    account: Account,
    /// The names of the listings that run.
    names: Vec<String>,
    /// Their indices in the definition, and their caches.
    listings: Vec<(usize, ScopeCache)>,
    /// Whether the expiry of the exporter's own credential is collected.
    collects_own: bool,
    concurrency: usize,
    lookups: LookupCache,
    steps: KnownSteps,
    /// Which locations its listings find.
    finds: Finds,
    identifier: Option<Identifier>,
    hints: HintCache,
}

/// What the listings of locations look for.
#[derive(Clone, Copy, Default)]
struct Finds {
    locations: bool,
    credentials: bool,
}

impl Finds {
    fn of(listings: &[(usize, &Listing)]) -> Self {
        let maps = listings.iter().filter_map(|(_, listing)| match &listing.rows {
            RowMap::Location(map) => Some(&map.of),
            RowMap::Token(_) => None,
        });
        maps.fold(Self::default(), |finds, of| Self {
            locations: true,
            credentials: finds.credentials || matches!(of, LocationOf::Values { .. }),
        })
    }
}

/// A source of a provider with these settings.
///
/// # Errors
/// A message, if the certificates or the proxy in `http` are invalid, or credentials cannot be identified with these settings.
pub(crate) fn connect(
    provider: Arc<Provider>,
    resolved: &ResolvedSettings,
    (credentials, headers): (SharedCredentials, ExtraHeaders),
    mut http: Options,
    clock: Clock,
    passwords: Arc<SharedPasswords>,
    pages: Arc<PageLimit>,
) -> Result<Box<dyn Source>, String> {
    http.concurrency = provider.limits.concurrency.unwrap_or(http.concurrency).max(1);
    http.rate = provider.limits.rate.or(http.rate);
    let concurrency = http.concurrency;
    let client = Client::new(http, clock.clone())?;

    let settings = value::from_json(&resolved.settings.clone().into());
    let variables = Variables { settings: settings.clone(), ..Variables::default() };
    let holds = |when: &Option<Expression>| when.as_ref().is_none_or(|when| when.truth(&variables, Val::Null));
    let mut ways = provider.identify.iter().enumerate().filter(|(_, way)| resolved.identify && holds(&way.when));
    let identifier = ways.next().map(|(number, way)| Identifier::new(number, way, &settings)).transpose()?;
    if resolved.identify && identifier.is_none() {
        return Err("`identify`: with these settings the provider does not say which token a credential is; remove it"
            .to_owned());
    }
    let listings = resolved.listings.iter().filter_map(|index| Some((*index, provider.listings.get(*index)?)));
    let listings: Vec<(usize, &Listing)> = listings.filter(|(_, listing)| holds(&listing.when)).collect();
    Ok(Box::new(HttpSource {
        finds: Finds::of(&listings),
        identifier,
        hints: HintCache::default(),
        names: listings.iter().map(|(_, listing)| listing.name.clone()).collect(),
        listings: listings.into_iter().map(|(index, _)| (index, ScopeCache::default())).collect(),
        collects_own: match &provider.own {
            Some(
                OwnCredential::Request { when, .. }
                | OwnCredential::Jwt { when, .. }
                | OwnCredential::Listing { when, .. },
            ) => holds(when),
            None => false,
        },
        concurrency,
        lookups: LookupCache::default(),
        steps: KnownSteps::default(),
        account: Account {
            scheme: resolved.scheme,
            settings,
            client,
            clock,
            credentials,
            headers,
            headers_to: resolved.headers_to.clone(),
            login: tokio::sync::Mutex::default(),
            aws: AwsChain::default(),
            refused: RefusedSecret::default(),
            passwords,
            pages,
            provider,
        },
    }))
}

impl Source for HttpSource {
    fn listings(&self) -> &[String] {
        &self.names
    }

    fn warning(&self) -> Option<String> {
        let Account { provider, scheme, .. } = &self.account;
        unusable_method(provider.schemes.get(*scheme)?)
    }

    fn without_replacement(&self) -> Vec<String> {
        let listings = self.active().filter(|active| !active.listing.replaces);
        listings.map(|active| active.listing.name.clone()).collect()
    }

    fn owner_logins(&self) -> Vec<String> {
        let listings = self.active().filter(|active| active.listing.owner_is_login);
        listings.map(|active| active.listing.name.clone()).collect()
    }

    fn unknowable(&self) -> Vec<String> {
        let listings = self.active().filter(|active| active.listing.is_unknowable);
        listings.map(|active| active.listing.name.clone()).collect()
    }

    fn finds_locations(&self) -> bool {
        self.finds.locations
    }

    fn finds_credentials(&self) -> bool {
        self.finds.credentials
    }

    fn pattern(&self) -> Option<&ValuePattern> {
        self.identifier.as_ref().map(|identifier| &identifier.pattern)
    }

    fn identify<'c>(
        &'c self,
        candidates: Vec<Candidate>,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> BoxFuture<'c, Identified> {
        async move {
            let Some(identifier) = self.identifier.as_ref().filter(|_| !candidates.is_empty()) else {
                return Identified::default();
            };
            let Some(map) = identifier.hints(&self.account) else {
                return identifier.identify(&self.account, candidates, now, deadline).await;
            };
            match self.known_hints(map, now, deadline).await {
                Ok(hints) => hints.identify(candidates),
                Err(failure) => Identified::skipped(candidates.len() as u64, failure),
            }
        }
        .boxed()
    }

    fn collect<'c>(&'c self, now: DateTime<Utc>, deadline: Instant, intake: &'c Intake) -> BoxFuture<'c, Outcome> {
        self.run(now, deadline, intake, false).boxed()
    }

    fn restore_refusal(&self, refusal: Refusal) {
        self.account.refused.restore(refusal);
    }

    fn sample<'c>(&'c self, now: DateTime<Utc>, deadline: Instant, intake: &'c Intake) -> BoxFuture<'c, Outcome> {
        self.run(now, deadline, intake, true).boxed()
    }
}

impl HttpSource {
    fn active(&self) -> impl Iterator<Item = ActiveListing<'_>> {
        self.listings.iter().filter_map(|(index, cache)| {
            Some(ActiveListing { listing: self.account.provider.listings.get(*index)?, cache })
        })
    }

    async fn run(&self, now: DateTime<Utc>, deadline: Instant, intake: &Intake, is_sample: bool) -> Outcome {
        let mut outcome = match self.context(now, deadline, intake, is_sample).await {
            Ok(context) => self.collect_all(context).await,
            Err(failure) => Outcome::failed(&self.names, &failure),
        };
        let usage = self.account.client.take_usage();
        outcome.requests = usage.requests;
        outcome.rate_limit = usage.rate_limit;
        outcome.refusal = self.account.refused.current();
        outcome
    }

    async fn context<'c>(
        &'c self,
        now: DateTime<Utc>,
        deadline: Instant,
        intake: &'c Intake,
        is_sample: bool,
    ) -> Result<CollectContext<'c>, Failure> {
        let provider = &self.account.provider;
        Ok(CollectContext {
            hints: self.identifier.as_ref().and_then(|identifier| identifier.hints(&self.account)),
            session: Session::open(&self.account, now, deadline).await?,
            tables: LookupTables::new(&provider.maps, &self.lookups, now, self.concurrency),
            own: provider.own.as_ref().filter(|_| self.collects_own),
            concurrency: self.concurrency,
            intake,
            now,
            started: Instant::now(),
            steps: StepCache::default(),
            known_steps: &self.steps,
            side_results: Mutex::default(),
            is_sample,
        })
    }

    /// The hints of the last complete collection. Another replica may have made it, or none yet: then the listing is requested.
    ///
    /// # Errors
    /// If the listing is incomplete: the missing rows may have the same hints.
    async fn known_hints(
        &self,
        map: HintMap<'_>,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<Arc<Hints>, Failure> {
        if let Some(hints) = self.hints.get(now) {
            return Ok(hints);
        }
        let intake = Intake::default();
        let context = self.context(now, deadline, &intake, false).await?;
        let listings = &self.account.provider.listings;
        let found = listings.iter().find(|listing| listing.name == map.listing);
        let listing = found.ok_or_else(|| Failure::new(Reason::Internal, "the listing with the hints is missing"))?;
        let cache = ScopeCache::default();
        let mut listed = collect(&context, &ActiveListing { listing, cache: &cache }).await;
        match listed.gaps.pop() {
            Some(gap) => Err(gap.failure),
            None => Ok(self.hints.set(context.side_results.into_inner().hints, now)),
        }
    }

    /// Collects all listings concurrently: a slow or denied one delays no other.
    async fn collect_all(&self, context: CollectContext<'_>) -> Outcome {
        let active: Vec<ActiveListing<'_>> = self.active().collect();
        let collecting = join_all(active.iter().map(|active| collect(&context, active)));
        let (mut listings, own) = tokio::join!(collecting, own_credential::request_expiry(&context));
        let (mut failures, unread_rows) = context.tables.finish();
        let results = context.side_results.into_inner();
        same_token::remove(&mut listings, &results.same, context.intake);
        let own = own.unwrap_or_else(|failure| {
            let what = format!("expiry of the exporter's credential: {}", failure.what);
            failures.push(Failure { what, ..failure });
            CredentialExpiry::NotReported
        });
        let credential_expiry = match own {
            CredentialExpiry::NotReported => own_credential::soonest(&results.own_expiries),
            reported => reported,
        };
        let certificate = self.account.client.certificate_validity();
        let credential_expiry = own_credential::with_certificate(credential_expiry, certificate);
        let is_complete = |map: &HintMap<'_>| {
            let mut listings = listings.iter().filter(|listed| listed.name == map.listing);
            listings.any(|listed| listed.gaps.is_empty())
        };
        if !context.is_sample && context.hints.as_ref().is_some_and(is_complete) {
            self.hints.set(results.hints, context.now);
        }
        let unread_fields = results.unread_fields + unread_rows;
        let found = results.found;
        Outcome { listings, credential_expiry, failures, unread_fields, found, ..Outcome::default() }
    }
}
