//! Collects one listing: its requirement, the fan-out, the scopes, and the gaps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::task::yield_now;

use super::build_request::build_request;
use super::circuit_breaker::{CircuitBreaker, is_provider_wide};
use super::context::{CollectContext, SAMPLE_ELEMENTS, StepResult};
use super::next_page::page_key;
use super::own_credential::is_own_credential;
use super::pages::{Page, YIELD_EVERY};
use super::scope_cache::{CachedScope, ScopeCache};
use super::token;
use super::token::ParsedToken;
use crate::core::failure::{Failure, Reason};
use crate::core::intake::Tokens;
use crate::core::outcome::{Gap, ListingResult, MalformedRow, Path, RowCounts, ScopeResult};
use crate::core::token::Token;
use crate::providers::language::expression::{Expression, Val};
use crate::providers::language::provider::{Listing, Request, Step};
use crate::providers::language::template_vars::FanOutVar;
use crate::providers::language::value;

/// A listing that runs, and its cache.
pub(super) struct ActiveListing<'e> {
    pub(super) listing: &'e Listing,
    pub(super) cache: &'e ScopeCache,
}

/// One combination of fan-out elements.
#[derive(Clone)]
struct FanOutPath<'p> {
    path: Path,
    elements: Vec<FanOutVar<'p>>,
}

impl<'p> FanOutPath<'p> {
    fn child(&self, path: &Path, name: &'p str, value: Val) -> Self {
        let mut elements = self.elements.clone();
        elements.push(FanOutVar { name, value });
        Self { path: path.clone(), elements }
    }
}

/// Collects a listing. What fails is a gap.
pub(super) async fn collect(context: &CollectContext<'_>, active: &ActiveListing<'_>) -> ListingResult {
    let mut listed = ListingResult { rows: Some(RowCounts::default()), ..ListingResult::new(&active.listing.name) };
    if let Err(gap) = check_requirement(context, active.listing).await {
        listed.gaps.push(gap);
        return listed;
    }
    context.tables.load_all(&context.session, &active.listing.maps).await;
    let mut paths = vec![FanOutPath { path: Path::root(), elements: Vec::new() }];
    for step in &active.listing.for_each {
        paths = match step {
            Step::Values { list, name } => fan_out_values(context, list, name, paths, &mut listed),
            Step::Request { request, name } => {
                fan_out_request(context, active.listing, request, name, paths, &mut listed).await
            }
        };
        if context.is_sample && paths.len() > SAMPLE_ELEMENTS {
            paths.truncate(SAMPLE_ELEMENTS);
            listed.rows.get_or_insert_default().is_sample = true;
        }
    }
    collect_scopes(context, active, paths, &mut listed).await;
    active.cache.retain(&listed);
    listed
}

/// Checks `require`: whether the credential sees all of a listing that omits what it does not see.
///
/// # Errors
/// A gap for the whole listing.
async fn check_requirement(context: &CollectContext<'_>, listing: &Listing) -> Result<(), Gap> {
    let Some(require) = &listing.require else { return Ok(()) };
    let failure = match context.first_page(&require.request, &[]).await {
        Ok(Some(page)) if require.that.truth(&page.variables, page.body.clone()) => return Ok(()),
        Ok(_) => Failure::new(Reason::Forbidden, "the credential can see only part of this listing"),
        Err(failure) => failure,
    };
    Err(context.gap(listing, &require.request, Path::root(), "all".to_owned(), failure))
}

/// A step over a list in the definition or the settings.
fn fan_out_values<'p>(
    context: &CollectContext<'_>,
    list: &Expression,
    name: &'p str,
    paths: Vec<FanOutPath<'p>>,
    listed: &mut ListingResult,
) -> Vec<FanOutPath<'p>> {
    let mut children = Vec::new();
    for path in paths {
        let Ok(Some(Val::Arr(values))) = list.first(&context.variables(&path.elements), Val::Null) else {
            let last = path.elements.last();
            let scope = last.map_or("all".to_owned(), |last| all_under(&path_segment(&last.value)));
            let failure = Failure::new(Reason::Internal, format!("{} must yield a list", list.path()));
            listed.gaps.push(Gap::new(path.path, scope, failure));
            continue;
        };
        let child = |value: &Val| path.child(&path.path.join(&path_segment(value)), name, value.clone());
        children.extend(values.iter().map(child));
    }
    children
}

/// A step over the rows of a request.
async fn fan_out_request<'p>(
    context: &CollectContext<'_>,
    listing: &Listing,
    request: &Request,
    name: &'p str,
    paths: Vec<FanOutPath<'p>>,
    listed: &mut ListingResult,
) -> Vec<FanOutPath<'p>> {
    let run = |parent: FanOutPath<'p>| async move {
        let label = context.label(request, &parent.elements);
        let path = parent.path.join(&label);
        match request_step(context, request, &parent.elements).await {
            Ok(result) => Ok((parent, path, result)),
            Err(failure) => Err(context.gap(listing, request, path, all_under(&label), failure)),
        }
    };
    let (results, gaps) = run_limited(context, paths, "more steps and all scopes under them", run).await;
    listed.gaps.extend(gaps);
    let mut children = Vec::new();
    for (parent, path, result) in results {
        children.extend(result.elements.iter().map(|element| parent.child(&path, name, element.clone())));
        if !result.malformed.is_empty() {
            let malformed = result.malformed.clone();
            listed.scopes.push(ScopeResult { path, tokens: Tokens::default(), malformed, is_step: true });
        }
    }
    children
}

/// The elements of a step, requested once in a collection even if several listings begin with it.
async fn request_step(
    context: &CollectContext<'_>,
    request: &Request,
    elements: &[FanOutVar<'_>],
) -> Result<Arc<StepResult>, Failure> {
    let key = request_key(context, request, elements)?;
    let request = async {
        let mut result = StepResult::default();
        let mut pages = context.pages(request, elements)?;
        while let Some(page) = pages.next().await? {
            result.elements.extend(page.items.into_iter().map(|(_, element)| element));
            result.malformed.extend(page.malformed);
        }
        Ok(result)
    };
    context.steps.get_or_request(key, request).await
}

/// Two steps with the same key have the same result: it holds what is sent, the expressions on the response, and their
/// variables.
fn request_key(context: &CollectContext<'_>, request: &Request, elements: &[FanOutVar<'_>]) -> Result<String, Failure> {
    let built = build_request(request, &context.session.account.provider.headers, &context.vars(elements))?;
    let mut key = format!("{} {}", built.method, page_key(&built, None));
    for (name, value) in &built.headers {
        key.extend(["\n", name, ": ", value]);
    }
    for expression in &request.expressions {
        key.extend(["\n", expression.code()]);
    }
    for element in elements {
        key.extend(["\n", element.name, "=", &element.value.to_string()]);
    }
    Ok(key)
}

/// The listing's last request, for every combination of elements: its rows are tokens.
async fn collect_scopes<'p>(
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
        let CachedScope { tokens, malformed, rows, .. } = collected;
        scopes.push((ScopeResult { path: target.path, tokens, malformed, is_step: false }, label, rows));
    }
    // A malformed row among others is a problem of that row. If all are malformed, the provider's response has changed.
    let has_tokens = scopes.iter().any(|(scope, ..)| !scope.tokens.is_empty());
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
        context.side_results.lock().own_expiries.extend(&scope.own_expiries);
        return Ok(CollectedScope { scope, is_live: false });
    }
    let (mut scope, mut is_live) = (CachedScope::default(), false);
    let mut pages = context.pages(&active.listing.request, elements)?;
    loop {
        match pages.next().await {
            Ok(Some(page)) => {
                is_live = true;
                map_page(context, active, page, &mut scope).await?;
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

/// Maps a page's rows to tokens.
///
/// # Errors
/// Reason `credential`, if the definition would publish the credential.
async fn map_page(
    context: &CollectContext<'_>,
    active: &ActiveListing<'_>,
    page: Page,
    scope: &mut CachedScope,
) -> Result<(), Failure> {
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
    for (number, (position, row)) in page.items.into_iter().enumerate() {
        match token::parse(active.listing, &variables, &row, position, now, rows) {
            Ok(ParsedToken { token, unread_fields }) => {
                check_shown(context, &token, position)?;
                let own = is_own_credential(context, active.listing, &variables, &row).then_some(token.expires);
                let mut results = context.side_results.lock();
                results.unread_fields += unread_fields;
                results.own_expiries.extend(own);
                scope.own_expiries.extend(own);
                drop(results);
                context.intake.add(token, &mut scope.tokens);
            }
            Err(malformed) => scope.malformed.push(malformed),
        }
        if number % YIELD_EVERY == YIELD_EVERY - 1 {
            yield_now().await;
        }
    }
    drop(permit);
    Ok(())
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

/// Runs a request for each item, some at a time, and returns results and gaps in the order of the items.
///
/// The items that are skipped, past the deadline or behind an open circuit breaker, are one gap: `{number} {skipped}`.
async fn run_limited<A, T, F>(
    context: &CollectContext<'_>,
    items: Vec<A>,
    skipped: &str,
    run: impl Fn(A) -> F,
) -> (Vec<T>, Vec<Gap>)
where
    F: Future<Output = Result<T, Gap>>,
{
    let breaker = CircuitBreaker::default();
    let running = items.into_iter().map(|item| {
        let (run, breaker) = (&run, &breaker);
        async move {
            let session = &context.session;
            if breaker.tripped().is_some() || session.refused().is_some() || session.is_past_deadline() {
                return None;
            }
            let result = run(item).await;
            let failure = result.as_ref().err().map(|gap| &gap.failure);
            breaker.record(failure.filter(|failure| is_provider_wide(failure.reason)));
            let is_late =
                failure.is_some_and(|failure| failure.reason == Reason::Timeout) && context.session.is_past_deadline();
            (!is_late).then_some(result)
        }
    });
    let (mut results, mut gaps, mut skipped_items) = (Vec::new(), Vec::new(), 0_u64);
    let mut running = std::pin::pin!(stream::iter(running).buffered(context.concurrency));
    while let Some(result) = running.next().await {
        match result {
            Some(Ok(result)) => results.push(result),
            Some(Err(gap)) => gaps.push(gap),
            None => skipped_items += 1,
        }
        if (results.len() + gaps.len()).is_multiple_of(YIELD_EVERY) {
            yield_now().await;
        }
    }
    if skipped_items > 0 {
        let late = || Failure::new(Reason::Timeout, "not collected before the source's timeout");
        let failure = breaker.tripped().or_else(|| context.session.refused()).unwrap_or_else(late);
        gaps.push(Gap::new(Path::root(), format!("{skipped_items} {skipped}"), failure));
    }
    (results, gaps)
}

/// The label of a gap at a step.
fn all_under(label: &str) -> String {
    format!("all scopes under {label}")
}

/// A list element as part of a [`Path`].
fn path_segment(element: &Val) -> String {
    value::scalar(element).unwrap_or_else(|| element.to_string())
}
