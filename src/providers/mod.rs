//! Providers: the definitions, the engine that runs them, and the few sources that are no HTTP API.

mod builtin;
mod catalogue;
pub mod engine;
pub mod language;
pub mod native;

pub use catalogue::{Catalogue, Entry, ListingEntry};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::schema::diagnostic::{SourceText, Span};
use super::schema::yaml;
use crate::core::outcome::{Gap, Outcome};
use crate::core::secret::SharedCredentials;

/// What a source's configuration hands to its provider.
pub struct SourceSpec {
    /// The configuration.
    pub text: SourceText,
    /// Where the source stands in it.
    pub at: Span,
    /// The source's name.
    pub name: String,
    /// The way to authenticate, if it says.
    pub auth: Option<(String, Span)>,
    /// The listings, if it says.
    pub listings: Option<Vec<(String, Span)>>,
    /// The provider's own settings.
    pub settings: Vec<(yaml::Key, yaml::Node)>,
    /// Where the credential comes from.
    pub credentials: SharedCredentials,
    /// Where that stands in the configuration.
    pub credential_at: Option<Span>,
}

/// One configured account at a provider.
pub trait Source: Send + Sync {
    /// The listings that run, in the definition's order.
    fn listings(&self) -> &[String];

    /// Of those, the ones whose tokens cannot replace one another.
    fn without_replacement(&self) -> Vec<String>;

    /// Collects everything. What could not be had, or not by the deadline, is a gap.
    fn collect(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Outcome>;

    /// Asks each listing for its first page.
    fn probe(&self, now: DateTime<Utc>, deadline: Instant) -> BoxFuture<'_, Vec<Probe>>;
}

/// What became of a listing's first page.
pub struct Probe {
    /// The listing.
    pub listing: String,
    /// What it said.
    pub result: Result<ProbeResult, Gap>,
}

/// An answer to a probe.
pub enum ProbeResult {
    /// So many tokens on the first page.
    Rows(u64),
    /// Nothing is listed.
    Empty,
}
