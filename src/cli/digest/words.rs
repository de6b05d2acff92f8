//! The sentences of a mail, for people who have never heard of the exporter.

use chrono::{DateTime, Utc};
use url::Url;

use super::plan::{Item, Mail, Plan, Problem, Unaddressed, Urgency};
use super::records::{Line, Token};
use crate::core::sanitize::truncate;
use crate::pages::humanize::{duration, relative};

/// The longest list of tokens in one mail. Mail programs cut long mails.
pub(super) const MAX_TOKENS: usize = 100;
/// The longest list of locations of a token.
const MAX_LOCATIONS: usize = 5;
/// The longest list of sources that are incomplete.
const MAX_SOURCES: usize = 10;

pub(super) const INTRODUCTION: &str =
    "A token is a password that a program uses. When it expires, everything that uses it stops working.";
pub(super) const FOOTER: &str = "token-expiry-exporter sends this mail once a week, while a token is due.";
pub(super) const UNADDRESSED_TITLE: &str = "Tokens without a recipient";
pub(super) const UNADDRESSED_HINT: &str =
    "Nobody else receives these tokens. Find out whose they are, and set their owners in the configuration.";

/// A section of a mail, with what to do.
pub(super) const fn section(urgency: Urgency) -> (&'static str, &'static str) {
    match urgency {
        Urgency::Expired => ("Expired or overdue", "Renew each one, or remove it if nobody needs it."),
        Urgency::Now => ("Renew now", "These expire soon. Renew them this week."),
        Urgency::Soon => ("Renew soon", "Plan the renewal of these."),
        Urgency::Upcoming => ("Coming up", "The time to renew these begins within a week."),
    }
}

/// One line without the characters with which a mail program would read it as encoded (RFC 2047).
pub(super) fn subject(mail: &Mail, plan: &Plan) -> String {
    let count = |urgency, text: &str| {
        let count = mail.count(urgency);
        (count > 0).then(|| format!("{count} {text}"))
    };
    let own = [
        count(Urgency::Expired, "expired or overdue"),
        count(Urgency::Now, "to renew now"),
        count(Urgency::Soon, "to renew soon"),
        count(Urgency::Upcoming, "coming up"),
    ];
    let without = (!mail.unaddressed.is_empty()).then(|| format!("{} without a recipient", mail.unaddressed.len()));
    let mut parts: Vec<String> = own.into_iter().chain([without]).flatten().collect();
    if !plan.problems.is_empty() {
        parts.push("list may be incomplete".to_owned());
    }
    let whose = match &mail.teams[..] {
        [] if mail.items.is_empty() => "Tokens".to_owned(),
        [] => "Your tokens".to_owned(),
        [team] => format!("Tokens of {}", truncate(team.as_str())),
        teams => format!("Tokens of {} teams", teams.len()),
    };
    format!("{whose}: {}", parts.join(", ")).replace("=?", "= ?")
}

/// The first line: whose tokens these are.
pub(super) fn greeting(mail: &Mail) -> String {
    let tokens = |count: usize| if count == 1 { "1 token".to_owned() } else { format!("{count} tokens") };
    let count = mail.items.len();
    let verb = if count == 1 { "needs" } else { "need" };
    match &mail.teams[..] {
        _ if count == 0 => "Please look at the following.".to_owned(),
        [] => format!("{} of yours {verb} attention.", tokens(count)),
        teams => {
            let names: Vec<&str> = teams.iter().map(Line::as_str).collect();
            let noun = if teams.len() == 1 { "team" } else { "teams" };
            format!("{} of the {noun} {} {verb} attention.", tokens(count), names.join(", "))
        }
    }
}

/// Kind and source.
pub(super) fn kind(token: &Token) -> String {
    format!("{} at {} ({})", token.kind.as_str(), Line::new(&token.source).as_str(), token.provider.as_str())
}

/// The expiry in words and as a date.
pub(super) fn expiry(token: &Token, now: DateTime<Utc>) -> String {
    let Some(at) = token.expires_at else { return "Expiry unreadable".to_owned() };
    let date = at.format("%A, %-d %B %Y, %H:%M UTC");
    match (token.expiry.as_str(), at <= now) {
        ("policy", true) => format!("Due for rotation since {}: {date}", duration(now - at)),
        ("policy", false) => format!("Due for rotation in {}: {date}", duration(at - now)),
        (_, true) => format!("Expired {} ago: {date}", duration(now - at)),
        (_, false) => format!("Expires in {}: {date}", duration(at - now)),
    }
}

/// Further facts, each with its name.
pub(super) fn facts(item: &Item, shows_owner: bool, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let token = &item.token;
    let mut facts = Vec::new();
    if shows_owner {
        let name = token.owner.as_ref().and_then(|owner| owner.name.as_ref().or(owner.id.as_ref()));
        facts.extend(name.map(|name| ("Owner", name.as_str().to_owned())));
    }
    facts.extend(last_use(token, now).map(|text| ("Last used", text)));
    facts.extend(used_in(token).map(|text| ("Used in", text)));
    if token.findings.iter().any(|finding| finding == "owner_inactive") {
        facts.push(("Note", "The account of its owner is deactivated, so it may have stopped working.".to_owned()));
    }
    facts
}

fn last_use(token: &Token, now: DateTime<Utc>) -> Option<String> {
    let text = token.last_used.as_deref()?;
    if text == "never" {
        return Some("never".to_owned());
    }
    text.parse::<DateTime<Utc>>().ok().map(|at| relative(at, now))
}

fn used_in(token: &Token) -> Option<String> {
    let places: Vec<&str> =
        token.locations.iter().take(MAX_LOCATIONS).map(|location| location.place.as_str()).collect();
    let more = token.locations.len().saturating_sub(MAX_LOCATIONS);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!places.is_empty()).then(|| format!("{}{more}", places.join(", ")))
}

/// The steps of a renewal.
pub(super) fn steps(token: &Token) -> Vec<&str> {
    token.renewal.iter().flat_map(|renewal| renewal.steps.iter().map(Line::as_str)).collect()
}

/// Links of a token, each with its text.
pub(super) fn links(token: &Token, external: Option<&Url>) -> Vec<(&'static str, String)> {
    let docs = token.renewal.as_ref().and_then(|renewal| renewal.docs.clone());
    let page = external.and_then(|base| page(token, base));
    [("All about this token", page), ("Manage it", token.manage_url.clone()), ("Documentation", docs)]
        .into_iter()
        .filter_map(|(text, url)| url.map(|url| (text, url)))
        .collect()
}

/// Its page at the exporter, by the address that takes every id.
fn page(token: &Token, base: &Url) -> Option<String> {
    let mut url = base.join("token").ok()?;
    url.query_pairs_mut().append_pair("source", &token.source).append_pair("id", &token.id);
    Some(url.into())
}

/// Sources whose tokens may be missing, each a sentence; empty if all are complete.
pub(super) fn problems(problems: &[Problem], now: DateTime<Utc>) -> Vec<String> {
    let mut sentences: Vec<String> = problems.iter().take(MAX_SOURCES).map(|problem| describe(problem, now)).collect();
    let more = problems.len().saturating_sub(MAX_SOURCES);
    if more > 0 {
        sentences.push(format!("and {more} more"));
    }
    sentences
}

pub(super) fn describe(problem: &Problem, now: DateTime<Utc>) -> String {
    let complete = match problem.last_success {
        Some(at) => format!("last complete {}", relative(at, now)),
        None => "never complete".to_owned(),
    };
    format!("{}: {} ({complete})", problem.source.as_str(), problem.what)
}

pub(super) const PROBLEMS_TITLE: &str = "This list may be incomplete";
pub(super) const PROBLEMS_HINT: &str = "Some tokens could not be read, so a token that is not here may still expire.";

/// Why a token is in the section without a recipient.
pub(super) fn why(why: &Unaddressed) -> String {
    why.to_string()
}
