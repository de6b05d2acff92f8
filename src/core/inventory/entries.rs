//! The tokens of a source, shared with a writer that stores them.

use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use super::entry::Entry;

/// Entries of which a clone costs nothing, so that they are stored without a lock on the inventory. A change copies the list only
/// while a clone exists.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries(Arc<Vec<Entry>>);

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Self {
        Self(Arc::new(entries))
    }
}

impl Entries {
    /// Whether nothing was written since one was cloned from the other.
    pub(super) fn is_same_list(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Those at these positions; fewer if the list is shorter.
    pub(super) fn at(&self, positions: Range<usize>) -> &[Entry] {
        let end = positions.end.min(self.len());
        self.get(positions.start.min(end)..end).unwrap_or_default()
    }

    /// Releases unused capacity, unless a clone exists.
    pub(super) fn shrink(&mut self) {
        if let Some(entries) = Arc::get_mut(&mut self.0) {
            entries.shrink_to_fit();
        }
    }
}

impl Deref for Entries {
    type Target = Vec<Entry>;

    fn deref(&self) -> &Vec<Entry> {
        &self.0
    }
}

impl DerefMut for Entries {
    fn deref_mut(&mut self) -> &mut Vec<Entry> {
        Arc::make_mut(&mut self.0)
    }
}
