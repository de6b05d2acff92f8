//! What the configuration hands to a provider, and what a provider hands to the collector.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::core::intake::Intake;
use crate::core::outcome::Outcome;
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

    /// Those of them whose owners' names are logins, which the provider keeps unique, not names that people choose themselves.
    fn owner_logins(&self) -> Vec<String> {
        Vec::new()
    }

    /// Why no collection can succeed, although the configuration is valid.
    fn warning(&self) -> Option<String> {
        None
    }

    /// Runs every listing, and gives each token to the intake. What fails, or is not done by the deadline, is a gap of the outcome.
    fn collect<'c>(&'c self, now: DateTime<Utc>, deadline: Instant, intake: &'c Intake) -> BoxFuture<'c, Outcome>;

    /// Restores a refusal of the source's secret, recorded before a restart or a reload.
    fn restore_refusal(&self, _: Refusal) {}

    /// The same for a sample of what is large: the first pages and scopes of every listing.
    fn sample<'c>(&'c self, now: DateTime<Utc>, deadline: Instant, intake: &'c Intake) -> BoxFuture<'c, Outcome> {
        self.collect(now, deadline, intake)
    }
}
