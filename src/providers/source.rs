//! What the configuration hands to a provider, and what a provider hands to the collector.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::core::api_server::ApiServer;
use crate::core::extra_headers::ExtraHeaders;
use crate::core::failure::Failure;
use crate::core::intake::Intake;
use crate::core::location_report::CredentialCounts;
use crate::core::outcome::Outcome;
use crate::core::refusal::Refusal;
use crate::core::secret::{Secret, SharedCredentials};
use crate::core::value_pattern::ValuePattern;
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
    /// The position of `kubeconfig` in the file, if it is there, and what it names, unless it is invalid.
    pub kubeconfig: Option<(Span, Option<ApiServer>)>,
    /// Whether the configuration itself names a client certificate.
    pub has_client_certificate: bool,
    /// Further headers of its requests.
    pub headers: ExtraHeaders,
    /// The names of all of them, each with its position.
    pub header_names: Vec<(String, Span)>,
    /// The position of `identify: true`.
    pub identify: Option<Span>,
}

impl SourceSpec {
    /// The path of a key of the source for messages.
    pub fn path_of(&self, key: &str) -> String {
        format!("sources.{}.{key}", self.name)
    }
}

/// A credential for a source to identify.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its number in the collection that found it.
    pub number: usize,
    pub value: Secret,
    /// Who can write to the place in which it was found: those within one group share a limit.
    pub group: Box<str>,
}

/// Whose tokens credentials are.
#[derive(Debug, Default)]
pub struct Identified {
    /// By the number of the candidate; those that are not tokens of the source are absent.
    pub tokens: Vec<(usize, KnownToken)>,
    pub counts: CredentialCounts,
    /// Requests, by response status.
    pub requests: BTreeMap<u16, u64>,
    /// Why the rest was skipped.
    pub failure: Option<Failure>,
}

impl Identified {
    /// The result if nothing could be identified.
    pub fn skipped(candidates: u64, failure: Failure) -> Self {
        Self {
            counts: CredentialCounts { skipped: candidates, ..CredentialCounts::default() },
            failure: Some(failure),
            ..Self::default()
        }
    }
}

/// A token that a provider knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownToken {
    /// Absent if the provider reports none.
    pub id: Option<Box<str>>,
    /// Whether the id was read from the value.
    pub is_id_inside: bool,
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

    /// Those of them from which the provider omits what the credential may not see, without an error, and no request reveals it.
    fn unknowable(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether it reports locations: of its own tokens, or of credentials.
    fn finds_locations(&self) -> bool {
        self.finds_credentials()
    }

    /// Whether it looks for credentials, of which other sources say whose tokens they are.
    fn finds_credentials(&self) -> bool {
        false
    }

    /// How its credentials are recognised, if it can say which of its tokens they are.
    fn pattern(&self) -> Option<&ValuePattern> {
        None
    }

    /// Says which of its tokens these credentials are, all of which match its pattern.
    fn identify<'c>(
        &'c self,
        _found: Vec<Candidate>,
        _now: DateTime<Utc>,
        _deadline: Instant,
    ) -> BoxFuture<'c, Identified> {
        std::future::ready(Identified::default()).boxed()
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
