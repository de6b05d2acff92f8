//! What the steps of a fan-out share: its elements, and requests for many of them at a time.

use futures_util::StreamExt;
use futures_util::stream;
use tokio::task::yield_now;

use super::circuit_breaker::{CircuitBreaker, is_provider_wide};
use super::context::CollectContext;
use super::pages::YIELD_EVERY;
use super::scope_cache::ScopeCache;
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, Path};
use crate::providers::language::expression::Val;
use crate::providers::language::provider::Listing;
use crate::providers::language::template_vars::FanOutVar;

/// A listing that runs, and its cache.
pub(super) struct ActiveListing<'e> {
    pub(super) listing: &'e Listing,
    pub(super) cache: &'e ScopeCache,
}

/// One combination of fan-out elements.
#[derive(Clone)]
pub(super) struct FanOutPath<'p> {
    pub(super) path: Path,
    pub(super) elements: Vec<FanOutVar<'p>>,
}

impl<'p> FanOutPath<'p> {
    pub(super) fn child(&self, path: &Path, name: &'p str, value: Val) -> Self {
        let mut elements = self.elements.clone();
        elements.push(FanOutVar { name, value });
        Self { path: path.clone(), elements }
    }
}

/// Runs a request for each item, some at a time, and returns results and gaps in the order of the items.
///
/// The items that are skipped, past the deadline or behind an open circuit breaker, are one gap: `{number} {skipped}`.
pub(super) async fn run_limited<A, T, F>(
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
