//! Which families and tokens are exposed: how many series a scrape has is the operator's choice.

use std::collections::{BTreeMap, BTreeSet};

use super::alerts;
use super::families::{FAMILIES, Family, source, token};
use crate::core::inventory::TokenView;
use crate::core::token_series::TokenSeries;

/// The families and tokens that are exposed. By default all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The names of families that are not exposed.
    pub hidden: BTreeSet<&'static str>,
    /// The tokens of each source, by its name; all of a source that is not among them.
    pub sources: BTreeMap<String, TokenSeries>,
}

impl Selection {
    pub fn exposes(&self, family: &Family) -> bool {
        !self.hidden.contains(family.name)
    }

    pub fn tokens_of(&self, source: &str) -> TokenSeries {
        self.sources.get(source).copied().unwrap_or_default()
    }

    /// Whether due tokens of a source have the series from which alerts are made.
    pub fn alerts_on(&self, source: &str) -> bool {
        self.exposes(&token::DUE) && self.tokens_of(source) != TokenSeries::None
    }

    /// Whether a token of a source with this setting has samples in a family of single tokens.
    ///
    /// Most findings are of tokens that are not due. If only those of due tokens were exposed, their number would be wrong, so
    /// there are none: `token_source_findings` counts them.
    pub(super) fn has_samples(&self, series: TokenSeries, family: &Family, view: &TokenView<'_>) -> bool {
        let is_selected = match series {
            TokenSeries::All => true,
            TokenSeries::Due => view.band.is_some() && family.name != token::FINDING.name,
            TokenSeries::None => false,
        };
        is_selected && self.exposes(family)
    }
}

/// The families that can be hidden: those of single tokens, and those of sources that no alert needs and that count no tokens.
pub fn optional_families() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().filter(|family| why_permanent(family).is_none())
}

/// Why a family is always exposed.
pub fn why_permanent(family: &Family) -> Option<String> {
    if !family.name.starts_with("token_source_") {
        return family
            .name
            .starts_with("token_expiry_exporter_")
            .then(|| "it describes the exporter itself".to_owned());
    }
    if [source::TOKENS.name, source::DUE_TOKENS.name, source::FINDINGS.name].contains(&family.name) {
        return Some("it counts the tokens of each source".to_owned());
    }
    alerts::that_need(family.name).next().map(|alert| format!("the alert {alert} needs it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_tokens_and_those_without_alert_are_optional() {
        let optional: Vec<_> = optional_families().map(|family| family.name).collect();
        insta::assert_snapshot!(optional.join("\n"), @r"
        token_expiry_timestamp_seconds
        token_due_timestamp_seconds
        token_finding
        token_info
        token_created_timestamp_seconds
        token_last_used_timestamp_seconds
        token_location_info
        token_renewal_info
        token_source_last_success_timestamp_seconds
        token_source_last_duration_seconds
        token_source_credential_expiry_timestamp_seconds
        token_source_filtered_tokens
        token_source_found_credentials
        token_source_requests_total
        ");
        assert_eq!(why_permanent(&source::UP).as_deref(), Some("the alert TokenSourceFailing needs it"));
    }
}
