//! The families that the alerts in `alerts/token-expiry.rules.yaml` need.

use super::families::{Family, source, token};

/// Each alert on tokens or sources, with the families of tokens and sources without which it cannot fire. `TokenPolicy` also
/// reads `token_finding`, but counts per source without it.
pub const ALERTS: &[(&str, &[Family])] = &[
    ("TokenExpiryWarning", &[token::DUE]),
    ("TokenExpiryCritical", &[token::DUE]),
    ("TokenExpired", &[token::DUE]),
    ("TokenPolicy", &[source::FINDINGS]),
    ("TokenSourceAbsent", &[source::INTERVAL]),
    ("TokenSourceFailing", &[source::UP, source::GAPS, source::SCOPES]),
    ("TokenSourceIncomplete", &[source::GAPS, source::SCOPES]),
    ("TokenSourcePermissionLost", &[source::GAPS, source::SCOPES]),
    ("TokenSourceStale", &[source::LAST_ATTEMPT, source::INTERVAL]),
    ("TokenSourceRowsUnreadable", &[source::FAILURES]),
    ("TokenSourceDataOmitted", &[source::ADJUSTMENTS]),
    ("TokenSourceShrank", &[source::TOKENS]),
    ("TokenSourceTokensDropped", &[source::DROPPED_TOKENS]),
    ("TokenSourceRateLimited", &[source::RATE_LIMIT, source::RATE_LIMIT_REMAINING]),
    ("TokenSourceCredentialExpiring", &[source::CREDENTIAL_DUE]),
];

/// The alerts that cannot fire without a family.
pub fn that_need(family: &str) -> impl Iterator<Item = &'static str> {
    let needing = ALERTS.iter().filter(move |(_, families)| families.iter().any(|needed| needed.name == family));
    needing.map(|(alert, _)| *alert)
}
