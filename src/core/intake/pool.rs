//! Values that many tokens of a source have in common.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use crate::core::token::{Owner, Token};

/// The shared values of a source's tokens.
#[derive(Debug, Default)]
pub struct Pool {
    /// Kinds and links.
    texts: HashSet<Arc<str>>,
    owners: HashSet<triomphe::Arc<Owner>>,
    scopes: HashSet<Arc<Vec<String>>>,
    labels: HashSet<Arc<BTreeMap<String, String>>>,
}

impl Pool {
    /// Replaces the values of a token by equal ones of the pool.
    pub(in crate::core) fn share(&mut self, token: &mut Token) {
        share(&mut self.texts, &mut token.kind);
        share(&mut self.scopes, &mut token.scopes);
        share(&mut self.labels, &mut token.labels);
        if let Some(link) = &mut token.manage_url {
            share(&mut self.texts, link);
        }
        if let Some(owner) = &mut token.owner {
            share(&mut self.owners, owner);
        }
    }

    /// Removes values that fewer than two tokens have: an unchanged token keeps its own without the pool.
    pub(in crate::core) fn prune(&mut self) {
        prune(&mut self.texts, Arc::strong_count);
        prune(&mut self.owners, triomphe::Arc::strong_count);
        prune(&mut self.scopes, Arc::strong_count);
        prune(&mut self.labels, Arc::strong_count);
    }

    #[cfg(test)]
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}

fn share<P: Clone + Eq + Hash>(known: &mut HashSet<P>, value: &mut P) {
    match known.get(value) {
        Some(first) => value.clone_from(first),
        None => drop(known.insert(value.clone())),
    }
}

fn prune<P: Eq + Hash>(known: &mut HashSet<P>, count: fn(&P) -> usize) {
    known.retain(|value| count(value) > 2);
    known.shrink_to_fit();
}
