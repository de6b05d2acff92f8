//! Which metrics the configuration selects, and which alerts cannot fire then.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::core::token_series::TokenSeries;
use crate::exposition::alerts;
use crate::exposition::families::{FAMILIES, token};
use crate::exposition::selection::{Selection, optional_families, why_permanent};
use crate::schema::diagnostic::{Diagnostic, Diagnostics, Span, one_of, suggest};

/// The selection of a configuration.
///
/// # Errors
/// An error for each name under `metrics.allow` and `metrics.deny` that is not a metric, or cannot be denied.
pub(super) fn read(config: &Config) -> Result<Selection, Diagnostics> {
    let mut errors = Diagnostics::default();
    let mut names = |key: &str, names: &[(String, Span)], may_be_permanent: bool| {
        let mut found = BTreeSet::new();
        for (name, at) in names {
            match FAMILIES.iter().find(|family| family.name == name) {
                None => {
                    let known: Vec<_> = optional_families().map(|family| family.name).collect();
                    let message = format!("metrics.{key}: unknown metric `{name}`{}", suggest(name, known));
                    errors.push(config.text.error(*at, message));
                }
                Some(family) => match why_permanent(family).filter(|_| !may_be_permanent) {
                    Some(why) => {
                        let message = format!("metrics.{key}: `{name}` is always exposed: {why}; remove it");
                        errors.push(config.text.error(*at, message));
                    }
                    None => drop(found.insert(family.name)),
                },
            }
        }
        found
    };
    let optional = optional_families().map(|family| family.name);
    let hidden = match (&config.metrics.allow, &config.metrics.deny) {
        (Some(allow), _) => {
            let allowed = names("allow", allow, true);
            optional.filter(|name| !allowed.contains(name)).collect()
        }
        (None, Some(deny)) => names("deny", deny, false),
        (None, None) => BTreeSet::new(),
    };
    let sources = config.sources.iter().map(|source| (source.name.0.clone(), source.shared.tokens)).collect();
    errors.into_result().map(|()| Selection { hidden, sources })
}

/// A warning for each choice that silences alerts.
pub(super) fn silenced(config: &Config, selection: &Selection) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let without_due = one_of(alerts::that_need(token::DUE.name)).replace(" or ", " and ");
    for name in &selection.hidden {
        let alerts: Vec<_> = alerts::that_need(name).collect();
        if !alerts.is_empty() {
            let alerts = one_of(alerts).replace(" or ", " and ");
            let message = format!("metrics: without `{name}` {alerts} cannot fire");
            warnings.push(config.text.error(config.metrics.at, message));
        }
    }
    if selection.exposes(&token::DUE) {
        for source in config.sources.iter().filter(|source| source.shared.tokens == TokenSeries::None) {
            let name = &source.name.0;
            let message =
                format!("sources.{name}: with `metrics.tokens: none` {without_due} cannot fire for its tokens");
            warnings.push(config.text.error(source.tokens_at.unwrap_or(source.at), message));
        }
    }
    warnings
}
