//! One collection of a source, or of a sample: what its listings share, and everything that they call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::build_request::scope_label;
use super::hint::{Hint, HintMap};
use super::lookup::LookupTables;
use super::pages::{Page, Pages};
use super::same_token::SameToken;
use super::session::Session;
use crate::core::failure::{Failure, Reason};
use crate::core::intake::Intake;
use crate::core::outcome::{FoundInUse, Gap, MalformedRow, Path};
use crate::core::token::Expiry;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{Listing, OwnCredential, Request};
use crate::providers::language::template_vars::{FanOutVar, TemplateVars};
use crate::providers::language::value;

/// Enough to see that a page repeats the one before it.
const SAMPLE_PAGES: u64 = 3;
/// The first ones may be empty.
pub(super) const SAMPLE_ELEMENTS: usize = 10;

pub(super) struct CollectContext<'e> {
    pub(super) session: Session<'e>,
    pub(super) tables: LookupTables<'e>,
    /// How the expiry of the exporter's own credential is found, if the definition says so and its `when` holds.
    pub(super) own: Option<&'e OwnCredential>,
    /// Which listing shows a part of each token, if that identifies found credentials.
    pub(super) hints: Option<HintMap<'e>>,
    /// Requests in flight for each fan-out step.
    pub(super) concurrency: usize,
    pub(super) intake: &'e Intake,
    pub(super) now: DateTime<Utc>,
    pub(super) started: Instant,
    /// The fan-out steps that several listings share.
    pub(super) steps: StepCache,
    /// Those that earlier collections requested, and that are reused.
    pub(super) known_steps: &'e KnownSteps,
    pub(super) side_results: Mutex<SideResults>,
    /// Whether only a sample is collected: [`SAMPLE_PAGES`] of each request, [`SAMPLE_ELEMENTS`] of each fan-out step.
    pub(super) is_sample: bool,
}

/// What a collection yields in addition to tokens and gaps.
#[derive(Default)]
pub(super) struct SideResults {
    /// Unreadable fields other than id and expiry.
    pub(super) unread_fields: u64,
    /// The expiries of the tokens that could be the exporter's own credential.
    pub(super) own_expiries: Vec<Expiry>,
    /// The parts of tokens that their listing shows.
    pub(super) hints: Vec<Hint>,
    /// Which tokens are the same credential as another one.
    pub(super) same: Vec<SameToken>,
    /// What the complete scopes of listings of locations found.
    pub(super) found: FoundInUse,
}

/// The elements that a step's request yields.
#[derive(Debug, Default)]
pub(super) struct StepResult {
    pub(super) elements: Vec<Val>,
    pub(super) malformed: Vec<MalformedRow>,
}

impl CollectContext<'_> {
    /// The variables of a request under these fan-out elements.
    pub(super) fn vars<'a>(&'a self, elements: &'a [FanOutVar<'a>]) -> TemplateVars<'a> {
        TemplateVars { elements, ..TemplateVars::new(&self.session.account.settings) }
    }

    /// The variables of an expression without a response.
    pub(super) fn variables(&self, elements: &[FanOutVar<'_>]) -> Variables {
        Variables {
            settings: self.session.account.settings.clone(),
            maps: self.tables.loaded(),
            names: elements.iter().map(|element| element.value.clone()).collect(),
            ..Variables::default()
        }
    }

    /// The label of a request's scope under these fan-out elements.
    pub(super) fn label(&self, request: &Request, elements: &[FanOutVar<'_>]) -> String {
        scope_label(request, &self.vars(elements)).unwrap_or_else(|_| {
            let last = elements.last().and_then(|element| value::text(&element.value));
            // A plain element is shown, but nothing of an object.
            format!("{}: cannot build the request path", last.as_deref().unwrap_or("an element"))
        })
    }

    /// # Errors
    /// If no request can be built from these elements.
    pub(super) fn pages<'r>(&'r self, request: &'r Request, elements: &[FanOutVar<'_>]) -> Result<Pages<'r>, Failure> {
        let pages = Pages::new(&self.session, request, self.vars(elements), self.tables.loaded())?;
        Ok(if self.is_sample { pages.limited(SAMPLE_PAGES) } else { pages })
    }

    /// The only page of a request, or its first; `None` if the response means that there is nothing.
    ///
    /// # Errors
    /// If there is no response, or it is unreadable.
    pub(super) async fn first_page(
        &self,
        request: &Request,
        elements: &[FanOutVar<'_>],
    ) -> Result<Option<Page>, Failure> {
        self.pages(request, elements)?.next().await
    }

    /// The time of a response that was just received: an expiry in "seconds from now" counts from it, and a collection may
    /// take minutes. In whole seconds since the start.
    pub(super) fn response_time(&self) -> DateTime<Utc> {
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap_or_default();
        self.now + TimeDelta::try_seconds(elapsed).unwrap_or_default()
    }

    /// A gap. A 403 names the permission that the request needs. A 401 does not, as the credential itself is refused, nor a 404,
    /// as a wrong setting is as likely.
    pub(super) fn gap(&self, listing: &Listing, request: &Request, path: Path, scope: String, failure: Failure) -> Gap {
        let is_denied = failure.reason == Reason::Forbidden;
        let Session { account, scheme, .. } = &self.session;
        let permissions =
            [&request.permission, &listing.request.permission, &scheme.permission, &account.provider.permission];
        let required_permission = permissions.into_iter().find_map(Clone::clone).filter(|_| is_denied);
        Gap { path, scope, failure, required_permission }
    }
}

/// The results of fan-out steps that are reused for the time of their `recheck`, by the key of the request.
#[derive(Default)]
pub(super) struct KnownSteps(Mutex<HashMap<String, KnownStep>>);

struct KnownStep {
    result: Arc<StepResult>,
    /// Before this the clock was set back.
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl KnownSteps {
    pub(super) fn get(&self, key: &str, now: DateTime<Utc>) -> Option<Arc<StepResult>> {
        let steps = self.0.lock();
        let step = steps.get(key).filter(|step| (step.from..step.until).contains(&now))?;
        Some(step.result.clone())
    }

    /// Adds a result, unless a row of it is malformed, and removes those that nothing reuses any more.
    pub(super) fn insert(&self, key: String, result: &Arc<StepResult>, now: DateTime<Utc>, recheck: Duration) {
        let mut steps = self.0.lock();
        steps.retain(|_, step| (step.from..step.until).contains(&now));
        if result.malformed.is_empty() {
            let until = now + TimeDelta::from_std(recheck).unwrap_or(TimeDelta::days(1));
            steps.insert(key, KnownStep { result: result.clone(), from: now, until });
        }
    }

    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// The results of the fan-out steps that several listings begin with: each is requested once.
#[derive(Default)]
pub(super) struct StepCache(Mutex<HashMap<String, SharedResult>>);

type SharedResult = Arc<OnceCell<Result<Arc<StepResult>, Failure>>>;

impl StepCache {
    /// The result for this key; the first caller requests it.
    pub(super) async fn get_or_request(
        &self,
        key: String,
        request: impl Future<Output = Result<StepResult, Failure>>,
    ) -> Result<Arc<StepResult>, Failure> {
        let cell = self.0.lock().entry(key).or_default().clone();
        cell.get_or_init(|| async { request.await.map(Arc::new) }).await.clone()
    }
}
