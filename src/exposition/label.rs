//! Label values for what the core names only as types.

use crate::core::inventory::{Adjustment, Finding};

/// The value of the label `finding`.
pub fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::NeverExpires => "never_expires",
        Finding::LivesTooLong => "lives_too_long",
        Finding::Unused => "unused",
        Finding::UnreadableExpiry => "unreadable_expiry",
        Finding::NoOwner => "no_owner",
    }
}

/// All findings, in the order of the documentation.
pub const FINDINGS: [Finding; 5] = [
    Finding::NeverExpires,
    Finding::LivesTooLong,
    Finding::Unused,
    Finding::UnreadableExpiry,
    Finding::NoOwner,
];

/// The value of the label `adjustment`.
pub(crate) fn adjustment(adjustment: Adjustment) -> &'static str {
    match adjustment {
        Adjustment::DuplicateId => "duplicate_id",
        Adjustment::CleanedValue => "cleaned_value",
        Adjustment::CutValue => "cut_value",
        Adjustment::UnreadField => "unread_field",
        Adjustment::RefusedAddress => "refused_address",
    }
}

/// All adjustments, in the order of the documentation.
pub(crate) const ADJUSTMENTS: [Adjustment; 5] = [
    Adjustment::DuplicateId,
    Adjustment::CleanedValue,
    Adjustment::CutValue,
    Adjustment::UnreadField,
    Adjustment::RefusedAddress,
];

/// Names that the program itself writes on a token's series, and that a configured label can therefore not have.
const TAKEN: [&str; 12] = [
    "source",
    "provider",
    "token_id",
    "token_kind",
    "token_name",
    "token_owner",
    "token_owner_email",
    "token_manage_url",
    "band",
    "expiry",
    "state",
    "finding",
];

/// Whether a configured label can stand beside the program's own. The configuration refuses the others with their place;
/// here they are left out, so that the page stays readable whatever comes.
pub(crate) fn is_free(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
        && !TAKEN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_ones_own_is_a_name_and_not_taken() {
        for (name, free) in
            [("team", true), ("_x9", true), ("", false), ("9x", false), ("a-b", false), ("ü", false), ("__x", false), ("band", false)]
        {
            assert_eq!(is_free(name), free, "{name}");
        }
    }
}
