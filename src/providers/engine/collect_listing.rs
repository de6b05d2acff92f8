//! A listing from its first request to its last token: what must hold, the fan-out, the scopes, the gaps.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::task::yield_now;

use super::build_request;
use super::circuit_breaker::{CircuitBreaker, concerns_all};
use super::context::{CollectContext, TURN};
use super::pages::Page;
use super::scope_cache::{CachedScope, ScopeCache};
use super::token;
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, ListingResult, MalformedRow, Path, ScopeResult};
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Listing, Request, Step};
use crate::providers::language::template_vars::{FanOutVar, TemplateVars};
use crate::providers::language::value;

/// A listing that runs, and what it keeps between collections.
pub(super) struct ActiveListing<'e> {
    pub(super) listing: &'e Listing,
    /// The maps that its expressions read, by number.
    pub(super) maps: &'e [usize],
    /// Answers that are used again.
    pub(super) answers: &'e ScopeCache,
}

/// What a step's request has brought.
#[derive(Debug, Default)]
pub(super) struct StepResult {
    pub(super) elements: Vec<Val>,
    pub(super) odd: Vec<MalformedRow>,
}

/// A way through the fan-out.
#[derive(Clone)]
struct FanOutPath<'p> {
    path: Path,
    named: Vec<FanOutVar<'p>>,
}

impl<'p> FanOutPath<'p> {
    fn root() -> Self {
        Self { path: Path::root(), named: Vec::new() }
    }

    /// One step further, with this element.
    fn onto(&self, path: &Path, name: &'p str, value: Val) -> Self {
        let mut named = self.named.clone();
        named.push(FanOutVar { name, value });
        Self { path: path.clone(), named }
    }

    fn names<'a>(&'a self, round: &'a CollectContext<'_>) -> TemplateVars<'a> {
        round.names().with_named(&self.named)
    }
}

/// Walks a listing. What could not be had is a gap.
pub(super) async fn walk(round: &CollectContext<'_>, running: &ActiveListing<'_>) -> ListingResult {
    let mut listed = ListingResult { name: running.listing.name.clone(), scopes: Vec::new(), gaps: Vec::new() };
    if let Err(gap) = require(round, running.listing).await {
        listed.gaps.push(gap);
        return listed;
    }
    round.sweep(running.maps).await;
    let mut branches = vec![FanOutPath::root()];
    for step in &running.listing.for_each {
        branches = fan_out(round, running.listing, step, branches, &mut listed).await;
    }
    scopes(round, running, branches, &mut listed).await;
    running.answers.retain(&listed);
    listed
}

/// Asks whether the credential sees everything, where a listing would keep silent about what it does not see.
///
/// # Errors
/// A gap that is the whole listing.
pub(super) async fn require(round: &CollectContext<'_>, listing: &Listing) -> Result<(), Gap> {
    let Some(require) = &listing.require else { return Ok(()) };
    let answer = round.answer(&require.request, round.names()).await;
    let holds = answer.map(|page| page.is_some_and(|page| require.that.truth(&page.variables, page.body)));
    let failure = match holds {
        Ok(true) => return Ok(()),
        Ok(false) => Failure::new(Reason::Forbidden, "the credential does not see everything that this listing lists"),
        Err(failure) => failure,
    };
    Err(gap(round, listing, &require.request, Path::root(), "all".to_owned(), failure))
}

/// One step of the fan-out, for every branch.
async fn fan_out<'p>(
    round: &CollectContext<'_>,
    listing: &'p Listing,
    step: &'p Step,
    branches: Vec<FanOutPath<'p>>,
    listed: &mut ListingResult,
) -> Vec<FanOutPath<'p>> {
    match step {
        Step::Values { list, name } => {
            let mut onto = Vec::new();
            for branch in branches {
                match elements(round, list, &branch) {
                    Ok(elements) => onto.extend(
                        elements
                            .into_iter()
                            .map(|element| branch.onto(&branch.path.join(&shown(&element)), name, element)),
                    ),
                    Err(failure) => {
                        let scope =
                            branch.named.last().map(|named| format!("everything under {}", shown(&named.value)));
                        let scope = scope.unwrap_or_else(|| "all".to_owned());
                        listed.gaps.push(Gap { path: branch.path, scope, failure, required_permission: None });
                    }
                }
            }
            onto
        }
        Step::Request { request, name } => {
            let asked =
                each(round, branches, "more steps and what lies under them", |branch: FanOutPath<'p>| async move {
                    let label =
                        build_request::label(request, &branch.names(round)).unwrap_or_else(|_| unnamed(&branch));
                    let path = branch.path.join(&label);
                    match step_answer(round, request, &branch).await {
                        Ok(walked) => Ok((branch, path, walked)),
                        Err(failure) => {
                            Err(gap(round, listing, request, path, format!("everything under {label}"), failure))
                        }
                    }
                });
            let (answered, gaps) = asked.await;
            listed.gaps.extend(gaps);
            let mut onto = Vec::new();
            for (branch, path, walked) in answered {
                onto.extend(walked.elements.iter().map(|element| branch.onto(&path, name, element.clone())));
                if !walked.odd.is_empty() {
                    let odd = walked.odd.clone();
                    listed.scopes.push(ScopeResult { path, tokens: Vec::new(), malformed: odd, is_step: true });
                }
            }
            onto
        }
    }
}

/// The elements of a list that stands in the definition or the settings.
fn elements(round: &CollectContext<'_>, list: &Expression, branch: &FanOutPath<'_>) -> Result<Vec<Val>, Failure> {
    let variables = Variables {
        settings: round.settings.clone(),
        maps: round.tables.swept(),
        names: branch.named.iter().map(|named| named.value.clone()).collect(),
        ..Variables::default()
    };
    match list.first(&variables, Val::Null) {
        Ok(Some(Val::Arr(list))) => Ok(std::sync::Arc::unwrap_or_clone(list)),
        _ => Err(Failure::new(Reason::Internal, format!("{} yields no list", list.path()))),
    }
}

/// A step's answer, asked for once in a collection also where several listings begin alike.
async fn step_answer(
    round: &CollectContext<'_>,
    request: &Request,
    branch: &FanOutPath<'_>,
) -> Result<std::sync::Arc<StepResult>, Failure> {
    let names = branch.names(round);
    let identity = crate::providers::language::expression_index::identity(
        request,
        &build_request::compose(request, &round.provider.headers, &names)?,
        &branch.named,
    );
    let ask = async {
        let mut walked = StepResult::default();
        let mut pages = round.pages(request, names)?;
        while let Some(page) = pages.next().await? {
            walked.elements.extend(page.taken.into_iter().map(|(_, element)| element));
            walked.odd.extend(page.odd);
        }
        Ok(walked)
    };
    round.shared.once(identity, ask).await
}

/// The last request, for every branch: its rows are tokens.
async fn scopes(
    round: &CollectContext<'_>,
    running: &ActiveListing<'_>,
    branches: Vec<FanOutPath<'_>>,
    listed: &mut ListingResult,
) {
    let request = &running.listing.request;
    let mut seen = HashSet::new();
    let mut labelled = Vec::new();
    for branch in branches {
        let label = build_request::label(request, &branch.names(round)).unwrap_or_else(|_| unnamed(&branch));
        let path = branch.path.join(&label);
        // A page-numbered step may list an element twice.
        if seen.insert(path.clone()) {
            labelled.push((branch, path, label));
        }
    }
    let asked = each(round, labelled, "more scopes", |(branch, path, label)| async move {
        match scope(round, running, &branch, &path).await {
            Ok(answer) => {
                Ok((ScopeResult { path, tokens: answer.tokens, malformed: answer.odd, is_step: false }, label))
            }
            Err(failure) => Err(gap(round, running.listing, request, path, label, failure)),
        }
    });
    let (scopes, gaps) = asked.await;
    listed.gaps.extend(gaps);
    // One odd row among others is the row's fault. Where none can be read, the vendor's answers have changed.
    let none_is_read = scopes.iter().all(|(scope, _)| scope.tokens.is_empty());
    for (scope, label) in scopes {
        match unreadable(&scope.malformed).filter(|_| none_is_read) {
            Some(failure) => listed.gaps.push(gap(round, running.listing, request, scope.path, label, failure)),
            None => listed.scopes.push(scope),
        }
    }
}

/// What is said of an answer of which these rows, and no others, came.
fn unreadable(odd: &[MalformedRow]) -> Option<Failure> {
    let (count, field) = (odd.len(), odd.first()?.field);
    let what =
        format!("no row can be read, of {count}; the first for its `{field}`: the definition expects another answer");
    Some(Failure::new(Reason::Mapping, what))
}

/// One scope, to its last page; or its answer of before, where that may be used again.
async fn scope(
    round: &CollectContext<'_>,
    running: &ActiveListing<'_>,
    branch: &FanOutPath<'_>,
    path: &Path,
) -> Result<CachedScope, Failure> {
    if let Some(kept) = running.answers.get(path, round.now) {
        round.note(|noted| noted.own.extend(&kept.own));
        return Ok(kept);
    }
    let mut answer = CachedScope::default();
    let mut pages = round.pages(&running.listing.request, branch.names(round))?;
    while let Some(page) = pages.next().await? {
        take_in(round, running, page, &mut answer).await;
    }
    if let Some(recheck) = running.listing.recheck {
        running.answers.keep(path, &answer, round.now, recheck);
    }
    Ok(answer)
}

/// A page's rows become tokens.
async fn take_in(round: &CollectContext<'_>, running: &ActiveListing<'_>, page: Page, answer: &mut CachedScope) {
    let now = round.instant();
    let variables = round.looked_up(running.maps, page.variables, &page.taken).await;
    answer.odd.extend(page.odd);
    for (number, (position, row)) in page.taken.into_iter().enumerate() {
        match token::read(running.listing, &variables, &row, position, now) {
            Ok(read) => {
                let is_own = round.is_own(running.listing, &variables, &row);
                round.note(|noted| {
                    noted.unread_fields += read.unread;
                    noted.own.extend(is_own.then_some(read.token.expires));
                });
                answer.own.extend(is_own.then_some(read.token.expires));
                answer.tokens.push(read.token);
            }
            Err(odd) => answer.odd.push(odd),
        }
        if number % TURN == TURN - 1 {
            yield_now().await;
        }
    }
}

/// Asks for each, a few at once; the answers come in the order of what was asked for.
///
/// What is not asked for, because time is up or the provider is down, is one gap: so many `further` ones.
async fn each<A, T, F>(
    round: &CollectContext<'_>,
    all: Vec<A>,
    further: &str,
    ask: impl Fn(A) -> F,
) -> (Vec<T>, Vec<Gap>)
where
    F: Future<Output = Result<T, Gap>>,
{
    let patience = CircuitBreaker::default();
    let asking = all.into_iter().map(|one| {
        let (ask, patience) = (&ask, &patience);
        async move {
            if patience.lost().is_some() || round.is_over() {
                return None;
            }
            let answer = ask(one).await;
            let failure = answer.as_ref().err().map(|gap| &gap.failure);
            patience.heard(failure.filter(|failure| concerns_all(failure.reason)));
            let is_cut_off = failure.is_some_and(|failure| failure.reason == Reason::Timeout) && round.is_over();
            (!is_cut_off).then_some(answer)
        }
    });
    let (mut answers, mut gaps, mut left) = (Vec::new(), Vec::new(), 0_u64);
    let mut asked = std::pin::pin!(stream::iter(asking).buffered(round.concurrency));
    while let Some(answer) = asked.next().await {
        match answer {
            Some(Ok(answer)) => answers.push(answer),
            Some(Err(gap)) => gaps.push(gap),
            None => left += 1,
        }
        if (answers.len() + gaps.len()).is_multiple_of(TURN) {
            yield_now().await;
        }
    }
    if left > 0 {
        let late =
            || Failure::new(Reason::Timeout, "not done within the time that a collection of this source may take");
        let failure = patience.lost().unwrap_or_else(late);
        gaps.push(Gap { path: Path::root(), scope: format!("{left} {further}"), failure, required_permission: None });
    }
    (answers, gaps)
}

/// A gap. The permission is named where it is what is missing.
pub(super) fn gap(
    round: &CollectContext<'_>,
    listing: &Listing,
    request: &Request,
    path: Path,
    scope: String,
    failure: Failure,
) -> Gap {
    let is_refusal = matches!(failure.reason, Reason::Unauthorized | Reason::Forbidden | Reason::NotFound);
    let needs = [&request.permission, &listing.request.permission, &round.session.scheme.permission];
    let needs = needs.into_iter().chain([&round.provider.permission]).find_map(Clone::clone);
    Gap { path, scope, failure, required_permission: needs.filter(|_| is_refusal) }
}

/// An element of a list, in a path.
fn shown(element: &Val) -> String {
    value::scalar(element).unwrap_or_else(|| element.to_string())
}

/// What a scope is called of which no path can be made. Of a row that is an object nothing is shown.
fn unnamed(branch: &FanOutPath<'_>) -> String {
    let last = branch.named.last().and_then(|named| value::text(&named.value));
    format!("what cannot be asked for, of {}", last.as_deref().unwrap_or("an element"))
}
