//! Distinct ids for entries that share a name: a person who lists two keys of one name has two keys.

use std::collections::{HashMap, HashSet};

use chrono::SecondsFormat;

use crate::core::token::{Expiry, Token};

/// A token, and whether its entry has an `id` of its own.
pub(super) struct NamedToken {
    pub(super) token: Token,
    pub(super) has_id: bool,
}

/// Gives entries without `id` whose name is also the id of another entry, or one of `taken`, the id `NAME (EXPIRY)`. It does not
/// depend on their order, so that it stays when lines are moved. Returns the positions of entries whose ids still are those of an
/// earlier entry, with the position of that one.
pub(super) fn distinguish(tokens: &mut [NamedToken], taken: &HashSet<&str>) -> Vec<(usize, usize)> {
    let mut counts: HashMap<Box<str>, usize> = HashMap::new();
    for entry in tokens.iter() {
        *counts.entry(entry.token.id.clone()).or_default() += 1;
    }
    for NamedToken { token, has_id } in tokens.iter_mut() {
        if !*has_id && (counts.get(&token.id).is_some_and(|count| *count > 1) || taken.contains(&*token.id)) {
            token.id = format!("{} ({})", token.id, written(token.expires)).into();
        }
    }
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut duplicates = Vec::new();
    for (position, entry) in tokens.iter().enumerate() {
        match first.get(&*entry.token.id) {
            Some(earlier) => duplicates.push((position, *earlier)),
            None => drop(first.insert(&entry.token.id, position)),
        }
    }
    duplicates
}

fn written(expires: Expiry) -> String {
    match expires.timestamp() {
        Some(at) => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        None => "never".to_owned(),
    }
}
