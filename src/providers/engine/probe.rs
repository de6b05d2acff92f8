//! A quick check of one listing, for `check --online`: the first element of each step, and one page.

use super::collect_listing::{all_under, check_requirement};
use super::context::CollectContext;
use super::token;
use crate::core::outcome::{Gap, Path};
use crate::providers::ProbeResult;
use crate::providers::language::expression::Val;
use crate::providers::language::provider::{Listing, Step};
use crate::providers::language::template_vars::FanOutVar;
use crate::providers::language::value;

/// # Errors
/// A gap if a request is denied or its response is unreadable.
pub(super) async fn probe(context: &CollectContext<'_>, listing: &Listing) -> Result<ProbeResult, Gap> {
    check_requirement(context, listing).await?;
    let mut elements: Vec<FanOutVar<'_>> = Vec::new();
    for step in &listing.for_each {
        let (name, first) = match step {
            Step::Values { list, name } => {
                let list = list.first(&context.variables(&elements), Val::Null).ok().flatten();
                (name, list.and_then(|list| value::elements(&list).first().cloned()))
            }
            Step::Request { request, name } => {
                let page = context.first_page(request, &elements).await.map_err(|failure| {
                    context.gap(listing, request, Path::root(), all_under(&context.label(request, &elements)), failure)
                })?;
                (name, page.and_then(|page| page.items.into_iter().next()).map(|(_, element)| element))
            }
        };
        let Some(value) = first else { return Ok(ProbeResult::Empty) };
        elements.push(FanOutVar { name, value });
    }
    let gap = |failure| {
        context.gap(listing, &listing.request, Path::root(), context.label(&listing.request, &elements), failure)
    };
    let Some(page) = context.first_page(&listing.request, &elements).await.map_err(gap)? else {
        return Ok(ProbeResult::Empty);
    };
    let is_token =
        |(position, row): &&(u64, Val)| token::parse(listing, &page.variables, row, *position, context.now).is_ok();
    let tokens = page.items.iter().filter(is_token).count();
    let malformed = page.items.len() - tokens + page.malformed.len();
    ProbeResult::of_counts(tokens, malformed, |count| {
        format!("the first {count} rows are all malformed: the response does not match the definition")
    })
    .map_err(gap)
}
