//! What one collection of a source shares among its listings.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::auth::Session;
use super::collect_listing::StepResult;
use super::lookup::LookupTables;
use crate::core::failure::Failure;
use crate::core::token::Expiry;
use crate::providers::language::expression::Val;
use crate::providers::language::provider::{OwnCredential, Provider};
use crate::providers::language::template_vars::TemplateVars;

/// After so many rows, or answers that were kept, others get their turn.
pub(super) const TURN: usize = 256;

/// One collection, or one probe, of a source.
pub(super) struct CollectContext<'e> {
    pub(super) provider: &'e Provider,
    pub(super) settings: &'e Val,
    pub(super) session: Session<'e>,
    pub(super) tables: LookupTables<'e>,
    /// How the end of the own credential is found, if it is looked for.
    pub(super) own: Option<&'e OwnCredential>,
    /// Requests under way at once, as far as one walk may tell.
    pub(super) concurrency: usize,
    pub(super) now: DateTime<Utc>,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
    pub(super) shared: StepCache,
    pub(super) noted: Mutex<SideResults>,
}

/// What comes up beside the listings' tokens.
#[derive(Default)]
pub(super) struct SideResults {
    /// What has failed and is in no gap.
    pub(super) failures: Vec<Failure>,
    /// Fields other than id and expiry that could not be read.
    pub(super) unread_fields: u64,
    /// The ends of the tokens that could be the own credential.
    pub(super) own: Vec<Expiry>,
}

impl CollectContext<'_> {
    /// What a request without a fan-out may name.
    pub(super) fn names(&self) -> TemplateVars<'_> {
        TemplateVars::settings(self.settings)
    }

    /// The time of an answer that came just now, in whole seconds from the collection's beginning.
    ///
    /// An end told as "seconds from now" is counted from the answer, and a collection may take minutes.
    pub(super) fn instant(&self) -> DateTime<Utc> {
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap_or_default();
        self.now + TimeDelta::try_seconds(elapsed).unwrap_or_default()
    }

    /// Whether time is up.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Notes something that is in no gap.
    pub(super) fn note(&self, note: impl FnOnce(&mut SideResults)) {
        note(&mut self.noted.lock());
    }
}

/// Answers of fan-out steps that several listings begin with: each is asked once in a collection.
#[derive(Default)]
pub(super) struct StepCache(Mutex<HashMap<String, Answer>>);

type Answer = Arc<OnceCell<Result<Arc<StepResult>, Failure>>>;

impl StepCache {
    /// The answer of this identity, asked for by whoever comes first.
    pub(super) async fn once(
        &self,
        identity: String,
        ask: impl Future<Output = Result<StepResult, Failure>>,
    ) -> Result<Arc<StepResult>, Failure> {
        let cell = self.0.lock().entry(identity).or_default().clone();
        cell.get_or_init(|| async { ask.await.map(Arc::new) }).await.clone()
    }
}
