//! Changes to provider data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::label_values::label_values;

label_values! {
    /// A change to provider data, counted by the label `adjustment`.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Adjustment {
        /// Another row of the source had the same id; the one that expires first counts.
        DuplicateId = "duplicate_id",
        /// Control characters or surrounding blanks were removed, or a link does not lead to a web page.
        CleanedValue = "cleaned_value",
        /// A value was truncated.
        CutValue = "cut_value",
        /// A field other than id and expiry was unreadable.
        UnreadField = "unread_field",
        /// An owner's address was not exactly one valid address.
        RefusedAddress = "refused_address",
        /// An owner's name or identifier contains an address, of which only the part before the `@` is shown.
        HiddenAddress = "hidden_address",
        /// Several entries of the owners directory match the owner, so none counts.
        AmbiguousOwner = "ambiguous_owner",
        /// Locations over a limit were dropped, or a log was not read back to its last known entry.
        CutLocations = "cut_locations",
        /// The provider does not return the value of a place, so it was not searched.
        HiddenValues = "hidden_values",
    }
}

/// Adjustments and their numbers; one that is absent did not occur.
pub type Adjustments = BTreeMap<Adjustment, u64>;
