//! What the demo's servers share: the organisation and the credentials that they accept.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use super::organisation::{DemoToken, Listing, Organisation};

pub(super) struct DemoState {
    pub(super) organisation: RwLock<Organisation>,
    /// By source; drawn at each start.
    pub(super) credentials: BTreeMap<&'static str, String>,
    started_at: DateTime<Utc>,
    first_request: OnceLock<DateTime<Utc>>,
}

impl DemoState {
    pub(super) fn new(tokens: Option<usize>, now: DateTime<Utc>) -> Self {
        let prefixes = [("atlassian", "demo-org-"), ("atlassian-sandbox", "demo-sandbox-"), ("vault", "hvs.demo-")];
        Self {
            organisation: RwLock::new(Organisation::invent(now, tokens)),
            credentials: prefixes
                .map(|(source, start)| (source, format!("{start}{:032x}", rand::random::<u128>())))
                .into(),
            started_at: now,
            first_request: OnceLock::new(),
        }
    }

    /// The time that decides whether the departing tokens are still listed. It starts with the first request, so that they are
    /// listed once, however long the exporter takes to start.
    pub(super) fn listing_time(&self) -> DateTime<Utc> {
        let now = Utc::now();
        self.started_at + (now - *self.first_request.get_or_init(|| now))
    }

    /// The tokens that a listing returns now, by position.
    pub(super) fn listed(&self, listing: Listing) -> Vec<DemoToken> {
        let now = self.listing_time();
        self.organisation.read().of(listing).iter().filter(|token| token.is_listed(now)).cloned().collect()
    }
}
