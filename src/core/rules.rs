//! The configuration's rules: what they match, and what they add to a token.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use regex::Regex;

use super::lead::LeadChange;
use super::token::Owner;

/// One rule. All that match apply, in order; a later one wins.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Which tokens.
    pub matches: Match,
    /// Labels to add.
    pub labels: BTreeMap<String, String>,
    /// Fields of the owner to set; the others stay.
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
    /// Found in the label of this name.
    pub labels: BTreeMap<String, Regex>,
}
