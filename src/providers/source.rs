//! What the configuration hands to a provider, and what a provider hands to the collector.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::core::failure::{Failure, Reason};
use crate::core::outcome::{Gap, ListingResult, Outcome};
use crate::core::refusal::Refusal;
use crate::core::secret::SharedCredentials;
use crate::schema::diagnostic::{SourceText, Span};
use crate::schema::yaml;

/// A source as the configuration describes it.
pub struct SourceSpec {
    /// The configuration file.
    pub text: SourceText,
    /// The position of the source in it.
    pub at: Span,
    pub name: String,
    /// The name of the scheme to authenticate with; without it, the definition's first.
    pub auth: Option<(String, Span)>,
    /// The listings to run; without them, all that are not opt-in.
    pub listings: Option<Vec<(String, Span)>>,
    /// The settings of this provider.
    pub settings: Vec<(yaml::Key, yaml::Node)>,
    pub credentials: SharedCredentials,
    /// The position of `credential` in the file, if it is there.
    pub credential_at: Option<Span>,
}

impl SourceSpec {
    /// The path of a key of the source for messages.
    pub fn path_of(&self, key: &str) -> String {
        format!("sources.{}.{key}", self.name)
    }
}

/// One configured account at a provider.
pub trait Source: Send + Sync {
    /// The names of the listings that run, in the definition's order.
    fn listings(&self) -> &[String];

    /// Those of them whose tokens cannot replace one another.
    fn without_replacement(&self) -> Vec<String>;

    /// Runs every listing. What fails, or is not done by the deadline, is a gap of the outcome.
    fn collect(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Outcome>;

    /// Restores a refusal of the source's secret, recorded before a restart or a reload.
    fn restore_refusal(&self, _: Refusal) {}

    /// Requests the first page of each listing.
    fn probe(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Vec<Probe>>;
}

/// The result of probing one listing.
pub struct Probe {
    pub listing: String,
    pub result: Result<ProbeResult, Gap>,
}

/// What a successful probe found.
pub enum ProbeResult {
    /// The number of tokens on the first page.
    Rows(u64),
    /// The listing is empty.
    Empty,
}

impl ProbeResult {
    /// # Errors
    /// Reason `mapping` with this text if there are rows and all are malformed.
    pub(super) fn of_counts(
        tokens: usize,
        malformed: usize,
        all_malformed: fn(usize) -> String,
    ) -> Result<Self, Failure> {
        match (tokens, malformed) {
            (0, 0) => Ok(Self::Empty),
            (0, _) => Err(Failure::new(Reason::Mapping, all_malformed(malformed))),
            (tokens, _) => Ok(Self::Rows(tokens as u64)),
        }
    }
}

impl From<ListingResult> for Probe {
    /// The probe of a listing that was collected as a whole.
    fn from(listed: ListingResult) -> Self {
        let tokens = listed.scopes.iter().map(|scope| scope.tokens.len()).sum();
        let malformed = listed.scopes.iter().map(|scope| scope.malformed.len()).sum();
        let result = match listed.gaps.into_iter().next() {
            Some(gap) => Err(gap),
            None => ProbeResult::of_counts(tokens, malformed, |count| format!("all {count} entries are malformed"))
                .map_err(Gap::all),
        };
        Self { listing: listed.name, result }
    }
}
