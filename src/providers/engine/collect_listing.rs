//! Collects one listing: its requirement, the fan-out, the scopes, and the gaps.

use std::sync::Arc;
use std::time::Duration;

use super::build_request::build_request;
use super::collect_scopes::collect_scopes;
use super::context::{CollectContext, SAMPLE_ELEMENTS, StepResult};
use super::fan_out::{ActiveListing, FanOutPath, run_limited};
use super::next_page::page_key;
use crate::core::failure::{Failure, Reason};
use crate::core::intake::Tokens;
use crate::core::outcome::{Gap, ListingResult, Path, RowCounts, ScopeResult};
use crate::providers::language::expression::{Expression, Val};
use crate::providers::language::provider::{Listing, Request, Require, Step};
use crate::providers::language::template_vars::FanOutVar;
use crate::providers::language::value;

/// Collects a listing. What fails is a gap.
pub(super) async fn collect(context: &CollectContext<'_>, active: &ActiveListing<'_>) -> ListingResult {
    let mut listed = ListingResult { rows: Some(RowCounts::default()), ..ListingResult::new(&active.listing.name) };
    if let Err(gap) = check_requirements(context, active.listing).await {
        listed.gaps.push(gap);
        return listed;
    }
    context.tables.load_all(&context.session, &active.listing.maps).await;
    let mut paths = vec![FanOutPath { path: Path::root(), elements: Vec::new() }];
    for step in &active.listing.for_each {
        paths = match step {
            Step::Values { list, name } => fan_out_values(context, list, name, paths, &mut listed),
            Step::Request { request, name, recheck } => {
                fan_out_request(context, active.listing, (request, *recheck), name, paths, &mut listed).await
            }
        };
        if context.is_sample && paths.len() > SAMPLE_ELEMENTS {
            paths.truncate(SAMPLE_ELEMENTS);
            listed.rows.get_or_insert_default().is_sample = true;
        }
    }
    collect_scopes(context, active, paths, &mut listed).await;
    active.cache.retain(&listed);
    let reuses = |step: &Step| matches!(step, Step::Request { recheck: Some(_), .. });
    let is_gone = |gap: &Gap| gap.failure.reason == Reason::NotFound;
    if active.listing.for_each.iter().any(reuses) && listed.gaps.iter().any(is_gone) {
        // An element may have been deleted since the step was requested.
        context.known_steps.clear();
    }
    if !listed.gaps.is_empty() {
        // Entries of a failed scope are read again in the next collection.
        context.side_results.lock().found.newest.remove(&listed.name);
    }
    listed
}

/// Checks `require`: whether the credential sees all of a listing that omits what it does not see.
///
/// # Errors
/// A gap for the whole listing, of the first requirement that does not hold.
async fn check_requirements(context: &CollectContext<'_>, listing: &Listing) -> Result<(), Gap> {
    for Require { request, that } in &listing.require {
        let failure = match context.first_page(request, &[]).await {
            Ok(Some(page)) if that.truth(&page.variables, page.body.clone()) => continue,
            Ok(_) => Failure::new(Reason::Forbidden, "the credential can see only part of this listing"),
            Err(failure) => failure,
        };
        return Err(context.gap(listing, request, Path::root(), "all".to_owned(), failure));
    }
    Ok(())
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
    (request, recheck): (&Request, Option<Duration>),
    name: &'p str,
    paths: Vec<FanOutPath<'p>>,
    listed: &mut ListingResult,
) -> Vec<FanOutPath<'p>> {
    let run = |parent: FanOutPath<'p>| async move {
        let label = context.label(request, &parent.elements);
        let path = parent.path.join(&label);
        match request_step(context, request, recheck, &parent.elements).await {
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
    recheck: Option<Duration>,
    elements: &[FanOutVar<'_>],
) -> Result<Arc<StepResult>, Failure> {
    let key = request_key(context, request, elements)?;
    if let Some(known) = recheck.and_then(|_| context.known_steps.get(&key, context.now)) {
        return Ok(known);
    }
    let request = async {
        let mut result = StepResult::default();
        let mut pages = context.pages(request, elements)?;
        while let Some(page) = pages.next().await? {
            result.elements.extend(page.items.into_iter().map(|(_, element)| element));
            result.malformed.extend(page.malformed);
        }
        Ok(result)
    };
    let result = context.steps.get_or_request(key.clone(), request).await?;
    if let Some(recheck) = recheck.filter(|_| !context.is_sample) {
        context.known_steps.insert(key, &result, context.now, recheck);
    }
    Ok(result)
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

/// The label of a gap at a step. An element may be empty, such as Vault's root namespace.
fn all_under(label: &str) -> String {
    format!("all scopes under {}", if label.trim().is_empty() { "\"\"" } else { label })
}

/// A list element as part of a [`Path`].
fn path_segment(element: &Val) -> String {
    value::scalar(element).unwrap_or_else(|| element.to_string())
}
