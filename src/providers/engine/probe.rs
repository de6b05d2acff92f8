//! One quick look at a listing, for `check --online`: the first element of each step, and one page.

use super::collect_listing::{Running, gap, require};
use super::context::Round;
use super::{build_request, token};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, Path};
use crate::providers::Probed;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::Step;
use crate::providers::language::template_vars::Named;
use crate::providers::language::value;

/// Looks at a listing.
///
/// # Errors
/// A gap, where something on the way is refused or cannot be read.
pub(super) async fn probe(round: &Round<'_>, running: &Running<'_>) -> Result<Probed, Gap> {
    let listing = running.listing;
    require(round, listing).await?;
    let mut named: Vec<Named<'_>> = Vec::new();
    for step in &listing.for_each {
        let (name, first) = match step {
            Step::In { list, name } => {
                let variables = Variables {
                    settings: round.settings.clone(),
                    names: named.iter().map(|named| named.value.clone()).collect(),
                    ..Variables::default()
                };
                let list = list.first(&variables, Val::Null).ok().flatten();
                (name, list.and_then(|list| value::elements(&list).first().cloned()))
            }
            Step::Ask { request, name } => {
                let names = round.names().with_named(&named);
                let label = build_request::label(request, &names).unwrap_or_default();
                let page = round.answer(request, names).await.map_err(|failure| {
                    gap(round, listing, request, Path::root(), format!("everything under {label}"), failure)
                })?;
                (name, page.and_then(|page| page.taken.into_iter().next()).map(|(_, element)| element))
            }
        };
        let Some(value) = first else { return Ok(Probed::Nothing) };
        named.push(Named { name, value });
    }
    let names = round.names().with_named(&named);
    let label = build_request::label(&listing.request, &names).unwrap_or_default();
    let refused = |failure| gap(round, listing, &listing.request, Path::root(), label.clone(), failure);
    let Some(page) = round.answer(&listing.request, names).await.map_err(refused)? else { return Ok(Probed::Nothing) };
    let read = page.taken.iter().map(|(position, row)| {
        token::read(listing, &page.variables, row, *position, round.now).map_err(|odd| odd.field)
    });
    let (tokens, odd): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    match (tokens.len(), odd.len() + page.odd.len()) {
        (0, 0) => Ok(Probed::Nothing),
        (0, odd) => {
            let what = format!("none of the first {odd} rows can be read: the definition expects another answer");
            Err(refused(Failure::new(Reason::Mapping, what)))
        }
        (tokens, _) => Ok(Probed::Rows(tokens as u64)),
    }
}
