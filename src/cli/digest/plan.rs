//! Which tokens are in whose mail.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::digest_args::Group;
use super::records::{Line, Report, Token};
use super::settings::Recipients;
use crate::core::address;
use crate::core::owners::TEAM_LABEL;

/// The time between two mails: a token whose alerts start within it is already in this one.
const PERIOD: TimeDelta = TimeDelta::days(7);

/// Why a token is in a mail, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Expired,
    Now,
    Soon,
    Upcoming,
}

impl Urgency {
    pub(super) const ALL: [Self; 4] = [Self::Expired, Self::Now, Self::Soon, Self::Upcoming];

    /// `None` for a token that is not due this week.
    fn of(token: &Token, now: DateTime<Utc>) -> Option<Self> {
        match token.band.as_deref() {
            Some("expired") => Some(Self::Expired),
            Some("warning") => Some(Self::Soon),
            // Also a band that this version does not know: too urgent is better than omitted.
            Some(_) => Some(Self::Now),
            None if token.state != "active" => None,
            None => token.warning_at.filter(|at| *at > now && *at <= now + PERIOD).map(|_| Self::Upcoming),
        }
    }
}

/// Why a token has no recipient of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unaddressed {
    NoAddress,
    InvalidAddress,
    NotAllowed(String),
    NoTeam,
    NoTeamAddress(Line),
}

impl Unaddressed {
    /// The label `reason` of the metric.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::InvalidAddress => "invalid_address",
            Self::NotAllowed(_) => "domain_not_allowed",
            Self::NoTeam => "no_team",
            Self::NoTeamAddress(_) => "team_without_address",
        }
    }
}

impl fmt::Display for Unaddressed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => to.write_str("its owner has no address"),
            Self::InvalidAddress => to.write_str("the address of its owner is invalid"),
            Self::NotAllowed(address) => write!(to, "the domain of {address} is not allowed"),
            Self::NoTeam => to.write_str("it has no team"),
            Self::NoTeamAddress(team) => write!(to, "the team {} has no address", team.as_str()),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) urgency: Urgency,
    pub(super) token: Token,
}

/// A mail to one recipient.
#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    /// The teams whose tokens these are; none if they are the recipient's own.
    pub(super) teams: Vec<Line>,
    /// The most urgent first.
    pub(super) items: Vec<Item>,
    /// Tokens that have no recipient of their own.
    pub(super) unaddressed: Vec<(Item, Unaddressed)>,
}

/// A source whose tokens may be missing.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) source: Line,
    pub(super) what: &'static str,
    pub(super) last_success: Option<DateTime<Utc>>,
}

/// All mails of a week.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) now: DateTime<Utc>,
    /// By address.
    pub(super) mails: BTreeMap<String, Mail>,
    /// Every token without a recipient of its own, whether or not a fallback receives it.
    pub(super) unaddressed: Vec<(Item, Unaddressed)>,
    pub(super) problems: Vec<Problem>,
}

impl Plan {
    pub(super) fn new(report: Report, recipients: &Recipients) -> Self {
        let now = report.now;
        let problems = report.sources.iter().filter_map(|source| {
            let what = source.problem(now)?;
            Some(Problem { source: source.source.clone(), what, last_success: source.last_success })
        });
        let mut plan = Self { now, problems: problems.collect(), ..Self::default() };
        for token in report.tokens {
            let Some(urgency) = Urgency::of(&token, now) else { continue };
            let recipient = recipient(&token, recipients);
            let item = Item { urgency, token };
            match recipient {
                Ok((address, team)) => {
                    let mail = plan.mails.entry(address).or_default();
                    if let Some(team) = team.filter(|team| !mail.teams.contains(team)) {
                        mail.teams.push(team);
                    }
                    mail.items.push(item);
                }
                Err(why) => plan.unaddressed.push((item, why)),
            }
        }
        plan.unaddressed.sort_by_key(|(item, why)| (why.clone(), item.urgency, item.token.expires_at));
        if let Some(fallback) = &recipients.fallback
            && !(plan.unaddressed.is_empty() && plan.problems.is_empty())
        {
            plan.mails.entry(fallback.clone()).or_default().unaddressed.clone_from(&plan.unaddressed);
        }
        for mail in plan.mails.values_mut() {
            mail.teams.sort();
            mail.items.sort_by_key(|item| (item.urgency, item.token.expires_at));
        }
        plan
    }

    /// The week of the mails, such as `2026-W48` (ISO 8601).
    pub(super) fn week(&self) -> String {
        self.now.format("%G-W%V").to_string()
    }
}

impl Mail {
    /// The number of its own tokens of an urgency.
    pub(super) fn count(&self, urgency: Urgency) -> usize {
        self.items.iter().filter(|item| item.urgency == urgency).count()
    }
}

/// The address that receives a token, and the team if mails are per team.
fn recipient(token: &Token, recipients: &Recipients) -> Result<(String, Option<Line>), Unaddressed> {
    match recipients.by {
        Group::Owner => {
            let written = token.owner.as_ref().and_then(|owner| owner.email.as_deref());
            let written = written.filter(|text| !text.trim().is_empty()).ok_or(Unaddressed::NoAddress)?;
            let address = address::normalize(written).ok_or(Unaddressed::InvalidAddress)?;
            if recipients.is_allowed(&address) { Ok((address, None)) } else { Err(Unaddressed::NotAllowed(address)) }
        }
        Group::Team => {
            let team = token.labels.get(TEAM_LABEL).filter(|team| !team.as_str().trim().is_empty());
            let team = team.ok_or(Unaddressed::NoTeam)?;
            let address = recipients.teams.get(&team.as_str().trim().to_lowercase());
            let address = address.ok_or_else(|| Unaddressed::NoTeamAddress(team.clone()))?;
            Ok((address.clone(), Some(team.clone())))
        }
    }
}

#[cfg(test)]
mod tests;
