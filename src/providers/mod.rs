//! Draft.
pub mod expression;
mod functions;
pub mod provider;
mod scalar;
pub mod template;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::core::outcome::{Gap, Outcome};

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
    pub result: Result<Probed, Gap>,
}

/// An answer to a probe.
pub enum Probed {
    /// So many tokens on the first page.
    Rows(u64),
    /// Nothing is listed.
    Nothing,
}

use crate::core::mistake::{Mistakes, Span, Text};
use crate::core::secret::SharedCredentials;
use crate::http::options::Options;
use crate::yaml::{Key, Node};

/// What a source's configuration hands to its provider.
pub struct Wanted {
    /// The configuration.
    pub text: Text,
    /// Where the source begins.
    pub at: Span,
    /// Its name.
    pub name: String,
    /// The scheme.
    pub auth: Option<(String, Span)>,
    /// The listings.
    pub listings: Option<Vec<(String, Span)>>,
    /// The settings.
    pub settings: Vec<(Key, Node)>,
    /// The credential.
    pub credentials: SharedCredentials,
    /// Where it is configured.
    pub credential_at: Option<Span>,
}

/// Draft.
pub struct Catalogue;

/// Draft.
pub struct Entry<'a> {
    /// Draft.
    pub name: &'a str,
    /// Draft.
    pub interval: Option<std::time::Duration>,
}

#[allow(missing_docs, clippy::missing_errors_doc, clippy::todo, unused)]
impl Catalogue {
    pub fn builtin() -> Result<Self, Mistakes> {
        todo!()
    }
    pub fn add(&mut self, text: Text) -> Result<(), Mistakes> {
        todo!()
    }
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
    pub fn get(&self, name: &str) -> Option<Entry<'_>> {
        todo!()
    }
    pub fn connect(
        &self,
        provider: (&str, Span),
        wanted: Wanted,
        http: Options,
        clock: crate::http::client::Clock,
    ) -> Result<Box<dyn Source>, Mistakes> {
        todo!()
    }
}
