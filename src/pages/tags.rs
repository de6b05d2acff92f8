//! Tags (`ETag`) of lists: a client that has a tag has the list, as long as nothing changes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::core::inventory::Inventory;
use crate::exposition::Labels;

/// Makes tags from the revisions of the inventory, without a look at the tokens.
pub struct Tags {
    /// Revisions begin again with each process.
    process: u64,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    tokens: u64,
    /// When a band, state or finding changes without a collection, and how often one did.
    next_change: Option<DateTime<Utc>>,
    passed: u64,
}

impl Default for Tags {
    fn default() -> Self {
        Self { process: rand::random(), current: Mutex::default() }
    }
}

impl Tags {
    /// The tag of a list with these parameters.
    pub(super) fn tag(
        &self,
        inventory: &Inventory,
        labels: Labels,
        with_status: bool,
        parameters: &str,
        now: DateTime<Utc>,
    ) -> String {
        let (mut tokens, mut status) = (DefaultHasher::new(), DefaultHasher::new());
        for (name, _) in inventory.sources() {
            let revision = inventory.revision(name).unwrap_or_default();
            (name, revision.tokens).hash(&mut tokens);
            revision.status.hash(&mut status);
        }
        let tokens = tokens.finish();
        let mut current = self.current.lock();
        let is_over = current.next_change.is_some_and(|at| at <= now);
        if current.tokens != tokens || is_over {
            *current = Current { tokens, next_change: inventory.next_change(now), passed: current.passed + 1 };
        }
        let mut tag = DefaultHasher::new();
        (self.process, tokens, current.passed, labels.owner, labels.owner_email, parameters).hash(&mut tag);
        (with_status.then(|| status.finish())).hash(&mut tag);
        format!("W/\"{:016x}\"", tag.finish())
    }
}
