//! The rules of the configuration: which tokens they match, and what they change.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;

use super::address;
use super::lead::LeadChange;
use super::location::Location;
use super::owners::{Directory, Join, Owners, Person, TEAM_LABEL};
use super::renewal::Renewal;
use super::token::{Expiry, Owner, State, Token};

/// The rules, and the directory that joins before them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub list: Arc<[Rule]>,
    pub owners: Owners,
}

impl From<Arc<[Rule]>> for Rules {
    fn from(list: Arc<[Rule]>) -> Self {
        Self { list, owners: Owners::default() }
    }
}

impl<const N: usize> From<Arc<[Rule; N]>> for Rules {
    fn from(list: Arc<[Rule; N]>) -> Self {
        Self::from(list as Arc<[Rule]>)
    }
}

/// A rule. All matching rules apply, in order; each sees the changes of the earlier ones and may override them.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    pub matches: Match,
    /// Labels to set.
    pub labels: BTreeMap<String, String>,
    /// Fields of the owner to set; the others stay. An invalid address is not set.
    pub owner: Option<Owner>,
    pub alert_lead: LeadChange,
    /// The age at which a token that never expires is due for rotation.
    pub rotate_after: Option<TimeDelta>,
    /// How matching tokens are renewed.
    pub renew: Option<Arc<Renewal>>,
    /// Places where it is used, which cannot be found.
    pub used_in: Vec<Location>,
    /// Whether a token without any location is a finding.
    pub must_be_located: bool,
    /// Excludes the token; it is counted as filtered.
    pub drop: bool,
}

impl Rule {
    /// Completes the owner: fields that the rule does not set are those of the entry that the others identify.
    pub fn complete_owner(&mut self, directory: &Directory) {
        let Some(owner) = &mut self.owner else { return };
        let Join::Person(person) = directory.find_written(owner) else { return };
        owner.name = owner.name.take().or_else(|| person.name.as_deref().map(Into::into));
        owner.email = owner.email.take().or_else(|| person.email.as_deref().map(Into::into));
        if let Some(team) = &person.team {
            self.labels.entry(TEAM_LABEL.to_owned()).or_insert_with(|| team.clone());
        }
    }
}

/// The conditions of a rule. All that are set must hold; without any, every token matches.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// One of these names; likewise for `provider` and `kind`.
    pub source: Vec<String>,
    pub provider: Vec<String>,
    pub kind: Vec<String>,
    /// One of these states, as the provider reports the token: before rules change its expiry.
    pub state: Vec<State>,
    /// One of these labels of [`Expiry`], after the earlier rules.
    pub expiry: Vec<String>,
    /// Matches a part of the identifier; likewise for `name`.
    pub id: Option<Regex>,
    pub name: Option<Regex>,
    /// Matches a part of the owner's identifier, name or address.
    pub owner: Option<Regex>,
    /// Each matches a part of the label with this name. A token without that label does not match.
    pub labels: BTreeMap<String, Regex>,
}

/// The effect of the rules on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleResult {
    Dropped,
    Kept(Overrides),
}

/// Values that replace those of the provider; `None` leaves them unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overrides {
    pub owner: Option<Owner>,
    /// All labels of the token.
    pub labels: Option<BTreeMap<String, String>>,
    /// When a token that never expires is due for rotation.
    pub rotate_at: Option<DateTime<Utc>>,
    pub lead: LeadChange,
    pub renew: Option<Arc<Renewal>>,
    /// Whether a rule set an invalid address.
    pub refused_address: bool,
    /// Whether several entries of the owners directory match the owner.
    pub ambiguous_owner: bool,
    pub used_in: Box<[Location]>,
    pub must_be_located: bool,
}

impl Overrides {
    pub fn expires(&self, token: &Token) -> Expiry {
        self.rotate_at.map_or(token.expires, Expiry::Policy)
    }
}

/// A source, as far as it counts for the rules.
#[derive(Clone, Copy, Debug)]
pub struct RuledSource<'a> {
    pub name: &'a str,
    pub provider: &'a str,
    /// The age at which its tokens that never expire are due for rotation, unless a rule sets another one.
    pub rotate_after: Option<TimeDelta>,
}

/// What a rule did with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleEffect {
    /// The first condition that does not hold: a key of `match`.
    NotMatched(&'static str),
    Applied,
    /// The later rules were not applied.
    Dropped,
}

/// Joins the token's owner with the directory, then applies the rules to a token of this source. A condition on the state does
/// not hold while the state is unknown.
pub fn apply(
    rules: &[Rule],
    join: Join<'_>,
    source: RuledSource<'_>,
    token: &Token,
    state: Option<State>,
) -> RuleResult {
    apply_with(rules, join, source, token, state, |_| {})
}

/// [`apply`], and what each rule did, in order.
pub fn trace(
    rules: &[Rule],
    join: Join<'_>,
    source: RuledSource<'_>,
    token: &Token,
    state: State,
) -> (RuleResult, Vec<RuleEffect>) {
    let mut effects = Vec::new();
    let result = apply_with(rules, join, source, token, Some(state), |effect| effects.push(effect));
    (result, effects)
}

fn apply_with(
    rules: &[Rule],
    join: Join<'_>,
    source: RuledSource<'_>,
    token: &Token,
    state: Option<State>,
    mut report: impl FnMut(RuleEffect),
) -> RuleResult {
    let mut owner = token.owner.as_deref().map(Cow::Borrowed);
    let mut labels = Cow::Borrowed(&*token.labels);
    let rotate_at = rotate_at(token, source.rotate_after);
    let mut overrides = Overrides { rotate_at, ambiguous_owner: join == Join::Ambiguous, ..Overrides::default() };
    let mut used_in = Vec::new();
    if let (Join::Person(person), Some(owner)) = (join, &mut owner) {
        take_over(owner, person);
        if let Some(team) = person.team.as_ref().filter(|_| !labels.contains_key(TEAM_LABEL)) {
            labels.to_mut().insert(TEAM_LABEL.to_owned(), team.clone());
        }
    }
    for rule in rules {
        let is_in_state =
            rule.matches.state.is_empty() || state.is_some_and(|state| rule.matches.state.contains(&state));
        let expiry = overrides.expires(token).label();
        let unmet = (!is_in_state).then_some("state");
        let unmet = unmet.or_else(|| {
            rule.matches.first_unmet(source.name, source.provider, token, expiry, owner.as_deref(), &labels)
        });
        if let Some(condition) = unmet {
            report(RuleEffect::NotMatched(condition));
            continue;
        }
        if rule.drop {
            report(RuleEffect::Dropped);
            return RuleResult::Dropped;
        }
        report(RuleEffect::Applied);
        if rule.labels.iter().any(|(name, value)| labels.get(name) != Some(value)) {
            labels.to_mut().extend(rule.labels.clone());
        }
        if let Some(change) = &rule.owner {
            overrides.refused_address |= merge(owner.get_or_insert_with(Cow::default).to_mut(), change);
        }
        overrides.lead = overrides.lead.then(rule.alert_lead);
        overrides.renew = rule.renew.clone().or(overrides.renew);
        for place in &rule.used_in {
            if !used_in.contains(place) {
                used_in.push(place.clone());
            }
        }
        overrides.must_be_located |= rule.must_be_located;
        if rule.rotate_after.is_some() {
            overrides.rotate_at = self::rotate_at(token, rule.rotate_after);
        }
    }
    overrides.used_in = used_in.into();
    overrides.owner = owner.and_then(owned);
    overrides.labels = owned(labels);
    RuleResult::Kept(overrides)
}

/// When a token that never expires reaches an age.
fn rotate_at(token: &Token, age: Option<TimeDelta>) -> Option<DateTime<Utc>> {
    age.filter(|_| matches!(token.expires, Expiry::Never | Expiry::Unknown))
        .and_then(|age| token.created_at?.checked_add_signed(age))
}

/// Sets the name and address of an entry of the directory, if it has them.
fn take_over(owner: &mut Cow<'_, Owner>, person: &Person) {
    if let Some(name) = person.name.as_deref().filter(|name| owner.name.as_deref() != Some(name)) {
        owner.to_mut().name = Some(name.into());
    }
    if let Some(email) = person.email.as_deref().filter(|email| owner.email.as_deref() != Some(email)) {
        owner.to_mut().email = Some(email.into());
    }
}

/// The value, if it was changed.
fn owned<T: Clone>(value: Cow<'_, T>) -> Option<T> {
    match value {
        Cow::Borrowed(_) => None,
        Cow::Owned(changed) => Some(changed),
    }
}

/// Sets the fields of the change. Returns whether its address is invalid.
fn merge(owner: &mut Owner, change: &Owner) -> bool {
    let email = change.email.as_deref().map(address::normalize);
    owner.id = change.id.clone().or(owner.id.take());
    owner.name = change.name.clone().or(owner.name.take());
    let is_invalid = email == Some(None);
    owner.email = email.flatten().map(Into::into).or(owner.email.take());
    is_invalid
}

impl Match {
    /// The first condition that does not hold, the one on the state aside.
    fn first_unmet(
        &self,
        source: &str,
        provider: &str,
        token: &Token,
        expiry: &str,
        owner: Option<&Owner>,
        labels: &BTreeMap<String, String>,
    ) -> Option<&'static str> {
        let one_of = |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        let found = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|regex| regex.is_match(text));
        let found_in_owner = |regex: &Regex| {
            let fields = owner.into_iter().flat_map(|owner| [&owner.id, &owner.name, &owner.email]);
            fields.flatten().any(|field| regex.is_match(field))
        };
        let found_in_labels =
            || self.labels.iter().all(|(name, regex)| labels.get(name).is_some_and(|value| regex.is_match(value)));
        match () {
            () if !one_of(&self.source, source) => Some("source"),
            () if !one_of(&self.provider, provider) => Some("provider"),
            () if !one_of(&self.kind, &token.kind) => Some("kind"),
            () if !one_of(&self.expiry, expiry) => Some("expiry"),
            () if !found(&self.id, &token.id) => Some("id"),
            () if !found(&self.name, &token.name) => Some("name"),
            () if !self.owner.as_ref().is_none_or(found_in_owner) => Some("owner"),
            () if !found_in_labels() => Some("labels"),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests;
