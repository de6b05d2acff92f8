//! The configuration's rules: what they match, and what they add to a token.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;

use super::address;
use super::lead::LeadChange;
use super::token::{Expiry, Owner, Token};

/// One rule. All that match apply, in order; a later one wins, and sees what the earlier ones have made of the token.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Which tokens.
    pub matches: Match,
    /// Labels to add.
    pub labels: BTreeMap<String, String>,
    /// Fields of the owner to set; the others stay. An address that is not one bare, valid address is not set.
    pub owner: Option<Owner>,
    /// A lead of their own.
    pub alert_lead: LeadChange,
    /// A token without an end of its own is to be renewed when it is this old.
    pub rotate_after: Option<TimeDelta>,
    /// Leaves the token out; counted as filtered.
    pub drop: bool,
}

/// What a rule matches: all that is given must hold. Nothing given matches every token.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// One of these source names, exactly.
    pub source: Vec<String>,
    /// One of these providers, exactly.
    pub provider: Vec<String>,
    /// One of these kinds, exactly.
    pub kind: Vec<String>,
    /// Found in the identifier.
    pub id: Option<Regex>,
    /// Found in the name.
    pub name: Option<Regex>,
    /// Found in the owner's identifier, name or address.
    pub owner: Option<Regex>,
    /// Found in the label of this name. A token without that label does not match.
    pub labels: BTreeMap<String, Regex>,
}

/// What the rules have made of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleResult {
    /// It is left out.
    Dropped,
    /// It is kept, with these changes.
    Kept(Overrides),
}

/// What is other than the provider said. A field that is none is as the provider said.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overrides {
    /// Its owner.
    pub owner: Option<Owner>,
    /// All its labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// When it is to be renewed, though it has no end of its own.
    pub renew_at: Option<DateTime<Utc>>,
    /// Its lead.
    pub lead: LeadChange,
    /// Whether a rule's address was refused.
    pub refused_address: bool,
}

impl Overrides {
    /// The token's end.
    pub fn expires(&self, token: &Token) -> Expiry {
        self.renew_at.map_or(token.expires, Expiry::Policy)
    }
}

/// What the rules make of a token of this source.
pub fn apply(rules: &[Rule], source: &str, provider: &str, token: &Token) -> RuleResult {
    let mut owner = token.owner.as_ref().map(Cow::Borrowed);
    let mut labels = Cow::Borrowed(&token.labels);
    let mut changes = Overrides::default();
    let mut rotate_after = None;
    for rule in rules {
        if !rule.matches.holds(source, provider, token, owner.as_deref(), &labels) {
            continue;
        }
        if rule.drop {
            return RuleResult::Dropped;
        }
        if rule.labels.iter().any(|(name, value)| labels.get(name) != Some(value)) {
            labels.to_mut().extend(rule.labels.clone());
        }
        if let Some(change) = &rule.owner {
            changes.refused_address |= merge(owner.get_or_insert_with(Cow::default).to_mut(), change);
        }
        changes.lead = changes.lead.then(rule.alert_lead);
        rotate_after = rule.rotate_after.or(rotate_after);
    }
    changes.owner = owner.and_then(owned);
    changes.labels = owned(labels);
    if matches!(token.expires, Expiry::Never | Expiry::Unknown) {
        changes.renew_at = rotate_after.zip(token.created_at).and_then(|(age, made)| made.checked_add_signed(age));
    }
    RuleResult::Kept(changes)
}

/// What was changed, if it was.
fn owned<T: Clone>(value: Cow<'_, T>) -> Option<T> {
    match value {
        Cow::Borrowed(_) => None,
        Cow::Owned(changed) => Some(changed),
    }
}

/// Sets the fields that the change names. True where its address is refused.
fn merge(owner: &mut Owner, change: &Owner) -> bool {
    let email = change.email.as_deref().map(address::bare);
    owner.id = change.id.clone().or(owner.id.take());
    owner.name = change.name.clone().or(owner.name.take());
    owner.email = email.clone().flatten().or(owner.email.take());
    email == Some(None)
}

impl Match {
    fn holds(
        &self,
        source: &str,
        provider: &str,
        token: &Token,
        owner: Option<&Owner>,
        labels: &BTreeMap<String, String>,
    ) -> bool {
        let one_of = |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        let found = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|regex| regex.is_match(text));
        let found_in_owner = |regex: &Regex| {
            let fields = owner.into_iter().flat_map(|owner| [&owner.id, &owner.name, &owner.email]);
            fields.flatten().any(|field| regex.is_match(field))
        };
        one_of(&self.source, source)
            && one_of(&self.provider, provider)
            && one_of(&self.kind, &token.kind)
            && found(&self.id, &token.id)
            && found(&self.name, &token.name)
            && self.owner.as_ref().is_none_or(found_in_owner)
            && self.labels.iter().all(|(name, regex)| labels.get(name).is_some_and(|value| regex.is_match(value)))
    }
}

#[cfg(test)]
mod tests;
