//! One quick look at a listing, for `check --online`: the first element of each step, and one page.

use super::collect_listing::{ActiveListing, gap, require};
use super::context::CollectContext;
use super::{build_request, token};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, Path};
use crate::providers::ProbeResult;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::Step;
use crate::providers::language::template_vars::FanOutVar;
use crate::providers::language::value;

/// Looks at a listing.
///
/// # Errors
/// A gap, where something on the way is refused or cannot be read.
pub(super) async fn probe(round: &CollectContext<'_>, running: &ActiveListing<'_>) -> Result<ProbeResult, Gap> {
    let listing = running.listing;
    require(round, listing).await?;
    let mut named: Vec<FanOutVar<'_>> = Vec::new();
    for step in &listing.for_each {
        let (name, first) = match step {
            Step::Values { list, name } => {
                let variables = Variables {
                    settings: round.settings.clone(),
                    names: named.iter().map(|named| named.value.clone()).collect(),
                    ..Variables::default()
                };
                let list = list.first(&variables, Val::Null).ok().flatten();
                (name, list.and_then(|list| value::elements(&list).first().cloned()))
            }
            Step::Request { request, name } => {
                let names = round.names().with_named(&named);
                let label = build_request::label(request, &names).unwrap_or_default();
                let page = round.answer(request, names).await.map_err(|failure| {
                    gap(round, listing, request, Path::root(), format!("everything under {label}"), failure)
                })?;
                (name, page.and_then(|page| page.taken.into_iter().next()).map(|(_, element)| element))
            }
        };
        let Some(value) = first else { return Ok(ProbeResult::Empty) };
        named.push(FanOutVar { name, value });
    }
    let names = round.names().with_named(&named);
    let label = build_request::label(&listing.request, &names).unwrap_or_default();
    let refused = |failure| gap(round, listing, &listing.request, Path::root(), label.clone(), failure);
    let Some(page) = round.answer(&listing.request, names).await.map_err(refused)? else {
        return Ok(ProbeResult::Empty);
    };
    let read = page.taken.iter().map(|(position, row)| {
        token::read(listing, &page.variables, row, *position, round.now).map_err(|odd| odd.field)
    });
    let (tokens, odd): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    match (tokens.len(), odd.len() + page.odd.len()) {
        (0, 0) => Ok(ProbeResult::Empty),
        (0, odd) => {
            let what = format!("none of the first {odd} rows can be read: the definition expects another answer");
            Err(refused(Failure::new(Reason::Mapping, what)))
        }
        (tokens, _) => Ok(ProbeResult::Rows(tokens as u64)),
    }
}
