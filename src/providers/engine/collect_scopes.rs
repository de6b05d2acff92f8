//! The last request of a listing, for each scope: its rows are tokens or locations.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::yield_now;

use super::context::CollectContext;
use super::fan_out::{ActiveListing, FanOutPath, run_limited};
use super::location::{LocationRows, map_locations};
use super::own_credential::is_own_credential;
use super::pages::{Page, YIELD_EVERY};
use super::same_token::SameToken;
use super::scope_cache::CachedScope;
use super::token;
use super::token::ParsedToken;
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{ListingResult, MalformedRow, Path, RowCounts, ScopeResult};
use crate::core::token::Token;
use crate::providers::language::provider::RowMap;

/// The listing's last request, for every combination of elements: its rows are tokens or locations.
pub(super) async fn collect_scopes<'p>(
    context: &CollectContext<'_>,
    active: &ActiveListing<'_>,
    paths: Vec<FanOutPath<'p>>,
    listed: &mut ListingResult,
) {
    let request = &active.listing.request;
    let labelled = paths.into_iter().map(|parent| {
        let label = context.label(request, &parent.elements);
        let target = FanOutPath { path: parent.path.join(&label), elements: parent.elements };
        LabelledScope { target, step: parent.path, label }
    });
    // A page-numbered step may list an element twice.
    let mut seen = HashSet::new();
    let labelled = labelled.filter(|scope| seen.insert(scope.target.path.clone())).collect();
    let others = Others::default();
    let (run_context, known) = (context, &others);
    let run = |scope: LabelledScope<'p>| async move {
        match collect_scope(run_context, active, &scope.target).await {
            Ok(collected) => {
                known.add(&scope, &collected);
                Ok((scope, Ok(collected.scope)))
            }
            Err(refused) if refused.may_be_gone => Ok((scope, Err(refused.failure))),
            Err(ScopeFailure { failure, .. }) => {
                Err(context.gap(active.listing, request, scope.target.path, scope.label, failure))
            }
        }
    };
    let (results, gaps) = run_limited(context, labelled, "more scopes", run).await;
    listed.gaps.extend(gaps);
    let mut scopes = Vec::with_capacity(results.len());
    for (LabelledScope { target, step, label }, result) in results {
        let collected = match result {
            Ok(collected) => collected,
            Err(_) if others.succeed(context, active, &step).await => {
                let empty = CachedScope::default();
                if let Some(recheck) = active.listing.recheck {
                    active.cache.insert(&target.path, &empty, context.now, recheck);
                }
                empty
            }
            Err(failure) => {
                listed.gaps.push(context.gap(active.listing, request, target.path, label, failure));
                continue;
            }
        };
        let CachedScope { tokens, malformed, rows, found, .. } = collected;
        context.side_results.lock().found.add(found);
        scopes.push((ScopeResult { path: target.path, tokens, malformed, is_step: false }, label, rows));
    }
    // A malformed row among others is a problem of that row. If all are malformed, the provider's response has changed.
    let is_location = matches!(active.listing.rows, RowMap::Location(_));
    let has_good_rows = |(scope, _, rows): &(ScopeResult, String, Arc<RowCounts>)| {
        !scope.tokens.is_empty() || is_location && rows.taken > scope.malformed.len() as u64
    };
    let has_tokens = scopes.iter().any(has_good_rows);
    for (scope, label, rows) in scopes {
        listed.rows.get_or_insert_default().add(&rows);
        match all_malformed(&scope.malformed).filter(|_| !has_tokens) {
            Some(failure) => listed.gaps.push(context.gap(active.listing, request, scope.path, label, failure)),
            None => listed.scopes.push(scope),
        }
    }
}

fn all_malformed(malformed: &[MalformedRow]) -> Option<Failure> {
    let (count, field) = (malformed.len(), malformed.first()?.field);
    let what =
        format!("all {count} rows are malformed, the first at `{field}`: the response does not match the definition");
    Some(Failure::new(Reason::Mapping, what))
}

/// A scope, and the fan-out step that it belongs to.
struct LabelledScope<'p> {
    target: FanOutPath<'p>,
    step: Path,
    label: String,
}

struct CollectedScope {
    scope: CachedScope,
    /// Whether the provider returned it just now, with a row or an empty list.
    is_live: bool,
}

struct ScopeFailure {
    failure: Failure,
    /// Whether it means that there is nothing, if the same request succeeds for others.
    may_be_gone: bool,
}

impl From<Failure> for ScopeFailure {
    fn from(failure: Failure) -> Self {
        Self { failure, may_be_gone: false }
    }
}

/// The steps for which a request has succeeded in this collection: the credential may send it, so that a refusal of a single
/// element is about that element.
#[derive(Default)]
struct Others<'p> {
    succeeded: Mutex<HashSet<Path>>,
    /// A cached scope of each step. It proves nothing: the permission may be lost since.
    cached: Mutex<HashMap<Path, FanOutPath<'p>>>,
}

impl<'p> Others<'p> {
    fn add(&self, scope: &LabelledScope<'p>, collected: &CollectedScope) {
        if collected.is_live {
            self.succeeded.lock().insert(scope.step.clone());
        } else if !collected.scope.tokens.is_empty() {
            self.cached.lock().entry(scope.step.clone()).or_insert_with(|| scope.target.clone());
        }
    }

    /// Whether a request of this step succeeds. If all were taken from the cache, one of them is sent again.
    async fn succeed(&self, context: &CollectContext<'_>, active: &ActiveListing<'_>, step: &Path) -> bool {
        if self.succeeded.lock().contains(step) {
            return true;
        }
        let cached = self.cached.lock().remove(step);
        let Some(cached) = cached else { return false };
        let succeeds = matches!(context.first_page(&active.listing.request, &cached.elements).await, Ok(Some(_)));
        if succeeds {
            self.succeeded.lock().insert(step.clone());
        }
        succeeds
    }
}

/// One scope, to its last page or from the cache.
async fn collect_scope(
    context: &CollectContext<'_>,
    active: &ActiveListing<'_>,
    FanOutPath { path, elements }: &FanOutPath<'_>,
) -> Result<CollectedScope, ScopeFailure> {
    if let Some(scope) = active.cache.get(path, context.now) {
        let mut results = context.side_results.lock();
        results.own_expiries.extend(&scope.own_expiries);
        results.hints.extend_from_slice(&scope.hints);
        results.same.extend_from_slice(&scope.same);
        drop(results);
        return Ok(CollectedScope { scope, is_live: false });
    }
    let (mut scope, mut is_live, mut read) = (CachedScope::default(), false, 0);
    let is_log = matches!(&active.listing.rows, RowMap::Location(map) if map.log.is_some());
    let mut pages = context.pages(&active.listing.request, elements)?;
    loop {
        match pages.next().await {
            Ok(Some(page)) => {
                is_live = true;
                read += 1;
                let is_known = map_page(context, active, page, &mut scope).await?;
                if is_known {
                    break;
                }
                if is_log && read == MAX_LOG_PAGES {
                    scope.found.cut += 1;
                    break;
                }
            }
            Ok(None) => break,
            Err(failure) => return Err(ScopeFailure { failure, may_be_gone: pages.may_be_gone }),
        }
    }
    if let Some(unused) = pages.unused_list() {
        let rows = Arc::make_mut(&mut scope.rows);
        rows.unused_list = rows.unused_list.max(Some(unused));
    }
    if let Some(recheck) = active.listing.recheck {
        active.cache.insert(path, &scope, context.now, recheck);
    }
    Ok(CollectedScope { scope, is_live })
}

/// The most pages of a log that a collection reads. Older entries are counted as cut.
const MAX_LOG_PAGES: u64 = 30;

/// Maps a page's rows to tokens or locations. Whether they are entries of a log that were read before.
///
/// # Errors
/// Reason `credential`, if the definition would publish the credential.
async fn map_page(
    context: &CollectContext<'_>,
    active: &ActiveListing<'_>,
    page: Page,
    scope: &mut CachedScope,
) -> Result<bool, Failure> {
    let now = context.response_time();
    let (mut variables, mut permit) = (page.variables, page.permit);
    if context.tables.are_looked_up(&active.listing.maps) {
        // A look-up reads pages too: one that waited for the permit of this page would wait for ever.
        drop(permit);
        let maps = &active.listing.maps;
        variables = context.tables.with_lookups(&context.session, maps, variables, &page.items).await;
        permit = context.session.account.pages.acquire().await;
    }
    scope.malformed.extend(page.malformed);
    let rows = Arc::make_mut(&mut scope.rows);
    rows.add(&page.rows);
    let map = match &active.listing.rows {
        RowMap::Token(map) => map,
        RowMap::Location(map) => {
            let times = &active.listing.request.times;
            let mapped = LocationRows { map, times, variables: &variables, intake: context.intake, now };
            return map_locations(context, active.listing, &mapped, page.items, scope).await;
        }
    };
    for (number, (position, row)) in page.items.into_iter().enumerate() {
        match token::parse((active.listing, map), &variables, &row, position, now, rows) {
            Ok(ParsedToken { token, unread_fields }) => {
                check_shown(context, &token, position)?;
                let own = is_own_credential(context, active.listing, &variables, &row).then_some(token.expires);
                context.intake.add(token, &mut scope.tokens);
                let id = scope.tokens.last().map(|token| &*token.id).unwrap_or_default();
                let hint = context.hints.and_then(|hints| hints.of_token(active.listing, &variables, &row, id));
                let same = SameToken::of(map, &variables, &row, id);
                let mut results = context.side_results.lock();
                results.unread_fields += unread_fields;
                results.own_expiries.extend(own);
                results.hints.extend(hint.clone());
                results.same.extend(same.clone());
                drop(results);
                scope.own_expiries.extend(own);
                scope.hints.extend(hint);
                scope.same.extend(same);
            }
            Err(malformed) => scope.malformed.push(malformed),
        }
        if number % YIELD_EVERY == YIELD_EVERY - 1 {
            yield_now().await;
        }
    }
    drop(permit);
    Ok(false)
}

/// # Errors
/// If a published field of a token shows the credential.
fn check_shown(context: &CollectContext<'_>, token: &Token, position: u64) -> Result<(), Failure> {
    let fields = [("id", &token.id), ("name", &token.name)];
    match fields.into_iter().find(|(_, text)| context.session.secrets.are_shown_by(text)) {
        None => Ok(()),
        Some((field, _)) => {
            let what = format!(
                "`token.{field}` of row {position} shows the credential; correct the definition, for example with `sha256`"
            );
            Err(Failure::new(Reason::Credential, what))
        }
    }
}
