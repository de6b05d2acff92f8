//! What all sources found out about the use of the tokens of one.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::label_values::label_values;
use crate::core::location::Location;

label_values! {
    /// What is known of a credential that was found in use and recognised by a source.
    pub enum FoundResult {
        /// A listing of the source lists it.
        Listed = "listed",
        /// The provider knows it, but no listing does; or no listed token has its published part.
        Unlisted = "unlisted",
        /// The provider does not accept it.
        Rejected = "rejected",
        /// No request was sent for it, or the request failed, or several tokens match.
        Skipped = "skipped",
    }
}

/// The number of credentials by result; empty if nothing looks for credentials.
pub type FoundCredentials = BTreeMap<FoundResult, u64>;

/// The locations of a source's tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    /// By token id, in the order in which they are shown.
    pub(super) locations: BTreeMap<Box<str>, Vec<Location>>,
    /// Its tokens that are tokens of other sources, which have them as a location.
    pub(super) merged: BTreeSet<Box<str>>,
    /// Whether every place was searched, so that a token without a location is in none.
    pub(super) is_searched: bool,
    pub(super) counts: FoundCredentials,
}
