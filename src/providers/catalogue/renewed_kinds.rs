//! Renewal steps of a kind that no listing has would never be shown.

use crate::core::renewal::matches;
use crate::providers::provider_info::ProviderInfo;
use crate::schema::diagnostic::{Diagnostics, SourceText, suggest};
use crate::schema::yaml::Node;

/// Checks the kinds under `renew`.
pub(super) fn check(text: &SourceText, root: &Node, info: &ProviderInfo) -> Result<(), Diagnostics> {
    let mut errors = Diagnostics::default();
    // `None` if a listing computes its kinds in a way that cannot be seen.
    let kinds: Option<Vec<&str>> = info
        .listings
        .iter()
        .map(|listing| listing.kinds.as_deref())
        .collect::<Option<Vec<_>>>()
        .map(|kinds| kinds.into_iter().flatten().map(String::as_str).collect());
    for (key, _) in root.get("renew").map(Node::entries).unwrap_or_default() {
        if key.name.matches('*').count() > 1 {
            errors.push(text.error(key.at, format!("renew: `{}` has more than one `*`", key.name)));
        } else if let Some(kinds) = &kinds
            && !kinds.iter().any(|kind| matches(&key.name, kind) || matches(kind, &key.name))
        {
            let hint = suggest(&key.name, kinds.iter().copied());
            errors.push(text.error(key.at, format!("renew: no listing has tokens of the kind `{}`{hint}", key.name)));
        }
    }
    errors.into_result()
}
