//! Draft.
use super::story::Story;
pub(super) const BY_HAND: &[(&str, Story)] = &[];
