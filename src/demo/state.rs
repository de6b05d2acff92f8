//! What the demo's servers share: the company, its credentials, and whether a provider has stopped.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};

use super::organisation::{DemoToken, Listing, Organisation};
use crate::collector::Clock;

/// The credentials that the demo's servers accept. They are drawn at each start and live as long as the process.
#[derive(Clone)]
pub(super) struct DemoCredentials {
    /// Of the organisation.
    pub(super) organisation: String,
    /// Of its sandbox; it may not read API keys.
    pub(super) sandbox: String,
    /// Of the vault.
    pub(super) vault: String,
}

impl DemoCredentials {
    pub(super) fn draw() -> Self {
        let draw = |prefix: &str| format!("{prefix}{:032x}", rand::random::<u128>());
        Self { organisation: draw("demo-org-"), sandbox: draw("demo-sandbox-"), vault: draw("hvs.demo-") }
    }
}

/// A handle to all that the servers share.
#[derive(Clone)]
pub(super) struct DemoState {
    shared: Arc<Shared>,
}

struct Shared {
    /// A `std` lock: no answer waits for anything while it holds it.
    state: RwLock<State>,
    keys: DemoCredentials,
    clock: Clock,
    /// When the company was invented.
    invented_at: DateTime<Utc>,
    /// When somebody first asked what a listing holds.
    first_asked_at: OnceLock<DateTime<Utc>>,
}

/// What changes.
pub(super) struct State {
    pub(super) organisation: Organisation,
    /// Providers that answer 503 until they are started again.
    pub(super) stopped: BTreeSet<String>,
}

impl DemoState {
    pub(super) fn new(organisation: Organisation, keys: DemoCredentials, clock: Clock) -> Self {
        let state = RwLock::new(State { organisation, stopped: BTreeSet::new() });
        let invented_at = clock();
        Self { shared: Arc::new(Shared { state, keys, clock, invented_at, first_asked_at: OnceLock::new() }) }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.shared.clock)()
    }

    /// The time by which tokens leave a listing: it stands still until somebody asks. So those that depart are listed once,
    /// however long the exporter takes to start.
    pub(super) fn leaving_time(&self) -> DateTime<Utc> {
        let now = self.now();
        self.shared.invented_at + (now - *self.shared.first_asked_at.get_or_init(|| now))
    }

    pub(super) fn keys(&self) -> &DemoCredentials {
        &self.shared.keys
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this provider answers.
    pub(super) fn runs(&self, provider: &str) -> bool {
        !self.read().stopped.contains(provider)
    }

    /// What a listing holds now, in the order of its making.
    pub(super) fn listed(&self, listing: Listing) -> Vec<DemoToken> {
        let now = self.leaving_time();
        let state = self.read();
        state.organisation.of(listing).iter().filter(|token| token.is_listed(now)).cloned().collect()
    }

    /// A token that a listing holds now.
    pub(super) fn find(&self, listing: Listing, id: &str) -> Option<DemoToken> {
        let now = self.leaving_time();
        let state = self.read();
        state.organisation.find(id).filter(|token| token.listing == listing && token.is_listed(now)).cloned()
    }
}
