//! What every built-in definition has, beyond passing its scenarios: a guide for its readers, a second page, an empty answer, a
//! token of each form of expiry, and failures that are never read as "no tokens".

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::scenario::{Exchange, Scenario};
use super::{Collected, coverage, play_scenario, requests};
use crate::core::failure::Reason;
use crate::providers::language::provider::{Method, Provider, Request, RowMap, Rows};

/// The statuses with which any provider may refuse, and the reason of each.
const REFUSALS: [(u16, Reason); 3] =
    [(401, Reason::Unauthorized), (403, Reason::Forbidden), (429, Reason::RateLimited)];

/// The credential of every scenario, as it is and in base64 with a user before it.
const CREDENTIALS: [&str; 2] = ["CREDENTIAL", "Basic "];

/// What is missing, after the scenarios were played.
pub(super) fn missing(provider: &Arc<Provider>, scenarios: &[Scenario]) -> Vec<String> {
    let mut missing = missing_guide(provider);
    missing.extend(missing_pages(provider));
    missing.extend(missing_cases(provider, scenarios));
    missing.extend(unnoticed_refusals(provider, scenarios));
    missing
}

/// The keys from which pages are generated, which put a phrase into a sentence.
fn missing_guide(provider: &Provider) -> Vec<String> {
    let guide = &provider.guide;
    let has_permission = provider.permission.is_some() || provider.schemes.iter().all(|s| s.permission.is_some());
    let keys = [
        ("group", !guide.group.is_empty()),
        ("credential", guide.credential.is_some()),
        ("example", guide.example.is_some()),
        ("cost", guide.cost.is_some()),
        ("not_listed", !guide.not_listed.is_empty()),
        ("tested_against", guide.tested_against.is_some()),
        ("permission", has_permission),
    ];
    let absent = keys.into_iter().filter(|(_, is_there)| !is_there).map(|(key, _)| format!("no `{key}`"));
    let phrases = guide.cost.iter().map(|cost| ("cost", cost));
    let phrases = phrases.chain(guide.not_listed.iter().map(|text| ("not_listed", text)));
    let phrases = phrases.chain([("expiry", &provider.expiry)]);
    let sentences = phrases.filter(|(_, phrase)| phrase.trim_end().ends_with('.'));
    absent.chain(sentences.map(|(key, phrase)| format!("`{key}` ends with a full stop: {phrase}"))).collect()
}

/// A list has a second page in some scenario, or says why it never has one.
fn missing_pages(provider: &Provider) -> Vec<String> {
    let all = requests(provider);
    let paged: Vec<&Request> = all.iter().map(|(_, request)| *request).filter(|request| is_paged(request)).collect();
    let why = |request: &Request| match (&request.rows, &request.next, &request.one_page) {
        (Rows::List(_), None, None) => Some("neither `next` nor `one_page`"),
        (_, Some(_), _) if !paged.iter().any(|paged| is_same(paged, request)) => Some("no scenario has a second page"),
        _ => None,
    };
    all.iter().filter_map(|(path, request)| Some(format!("{path}: {}", why(request)?))).collect()
}

fn is_paged(request: &Request) -> bool {
    request.next.as_ref().is_some_and(coverage::is_reached)
}

/// Whether two requests of a definition are one, written for several listings.
fn is_same(one: &Request, other: &Request) -> bool {
    let kind = |request: &Request| request.next.as_ref().map(discriminant);
    (one.method, &one.base, &one.path, &one.query) == (other.method, &other.base, &other.path, &other.query)
        && kind(one) == kind(other)
}

/// An empty answer, the credential in a request, a timestamp, and a token that never expires unless there are none.
fn missing_cases(provider: &Provider, scenarios: &[Scenario]) -> Vec<String> {
    let has_expiry = |matches: &dyn Fn(&str) -> bool| {
        let mut tokens = scenarios.iter().flat_map(|scenario| yielded(scenario, "tokens"));
        tokens.any(|token| token["expires"].as_str().is_some_and(matches))
    };
    let expires = provider.listings.iter().any(|listing| match &listing.rows {
        RowMap::Token(map) => map.expires_at.code() != "null",
        RowMap::Location(_) => false,
    });
    let can_be_never = provider.listings.iter().any(|listing| !listing.request.times.absent_is_unknown);
    let cases = [
        ("an empty answer", scenarios.iter().any(is_empty)),
        ("the credential in a header or body", scenarios.iter().flat_map(|s| &s.exchanges).any(shows_credential)),
        ("a timestamp", !expires || has_expiry(&|expiry| expiry.starts_with(|first: char| first.is_ascii_digit()))),
        (
            "a token that never expires; `never: false` if there are none",
            !can_be_never || has_expiry(&|e| e == "never"),
        ),
    ];
    cases.into_iter().filter(|(_, has)| !has).map(|(case, _)| format!("no scenario with {case}")).collect()
}

fn yielded<'s>(scenario: &'s Scenario, key: &str) -> impl Iterator<Item = &'s Value> {
    scenario.yields.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Whether every request succeeds, and there is not a single row.
fn is_empty(scenario: &Scenario) -> bool {
    ["tokens", "gaps"].iter().all(|key| yielded(scenario, key).next().is_none())
        && ["malformed", "maps_failed"].iter().all(|key| !scenario.yields.contains_key(*key))
}

fn shows_credential(exchange: &Exchange) -> bool {
    let sent = exchange.sends.iter().map(Value::to_string);
    let headers = exchange.headers.iter().map(|(_, value)| value.clone());
    headers.chain(sent).any(|text| CREDENTIALS.iter().any(|credential| text.contains(credential)))
}

/// Plays each kind of request once more with each refusal: the collection must count one more failure with its reason.
fn unnoticed_refusals(provider: &Arc<Provider>, scenarios: &[Scenario]) -> Vec<String> {
    let mut unnoticed = Vec::new();
    let mut tried: BTreeMap<String, &Exchange> = BTreeMap::new();
    for scenario in scenarios {
        let Ok(usual) = play_scenario(provider, scenario) else { continue };
        for (number, exchange) in scenario.exchanges.iter().enumerate() {
            let kind = kind_of_request(exchange);
            if tried.contains_key(&kind) || !(200..300).contains(&exchange.status) {
                continue;
            }
            tried.insert(kind, exchange);
            let is_login = is_login(provider, exchange);
            for (status, reason) in REFUSALS.into_iter().filter(|(status, _)| !can_be_empty(provider, *status)) {
                let reason = if is_login && reason == Reason::Forbidden { Reason::Unauthorized } else { reason };
                let played = play_scenario(provider, &scenario.refusing(number, status));
                if !played.is_ok_and(|refused| failures(&refused, reason) > failures(&usual, reason)) {
                    let (request, reason) = (format!("{} {}", exchange.method, exchange.target), reason.label());
                    unnoticed.push(format!("{request}: status {status} is not counted as {reason}"));
                }
            }
        }
    }
    let is_tried = |request: &Request| tried.values().any(|exchange| is_of(exchange, request));
    let never = requests(provider).into_iter().filter(|(_, request)| !is_tried(request));
    unnoticed.extend(never.map(|(path, _)| format!("{path}: no scenario has a successful response")));
    unnoticed
}

/// Whether an exchange is a login: it has no permission to miss, so each refusal rejects the credential.
fn is_login(provider: &Provider, exchange: &Exchange) -> bool {
    provider.schemes.iter().filter_map(|scheme| scheme.login.as_ref()).any(|login| is_of(exchange, &login.request))
}

/// Whether an exchange is of a request of the definition, by method and path.
fn is_of(exchange: &Exchange, request: &Request) -> bool {
    const NAME: &str = "\u{1}";
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let path = request.path.fill(&|_| Some(NAME.to_owned())).unwrap_or_default();
    let pattern = format!("{}(\\?|$)", regex::escape(&path).replace(NAME, "[^?]+"));
    exchange.method.eq_ignore_ascii_case(method)
        && Regex::new(&pattern).is_ok_and(|path| path.is_match(&exchange.target))
}

fn failures(collected: &Collected, reason: Reason) -> usize {
    let outcome = &collected.outcome;
    let gaps = outcome.listings.iter().flat_map(|listing| &listing.gaps).map(|gap| gap.failure.reason);
    let others = outcome.failures.iter().chain(&collected.identified.failure).map(|failure| failure.reason);
    gaps.chain(others).filter(|found| *found == reason).count()
}

/// Whether a definition reads a refusal of one element as empty because it was not refused another.
fn can_be_empty(provider: &Provider, status: u16) -> bool {
    let requests = requests(provider);
    let mut responses = requests.iter().flat_map(|(_, request)| &request.none);
    responses.any(|none| none.status == status && none.if_others_succeed)
}

/// Method and path without what looks like an id, and the names of the body: requests of one kind are refused once.
fn kind_of_request(exchange: &Exchange) -> String {
    let path = exchange.target.split('?').next().unwrap_or_default();
    let words = path.split('/').map(|word| if word.chars().any(|c| c.is_ascii_digit()) { "*" } else { word });
    let names: BTreeSet<&String> =
        exchange.sends.iter().filter_map(Value::as_object).flat_map(|sends| sends.keys()).collect();
    format!("{} {} {names:?}", exchange.method, words.collect::<Vec<_>>().join("/"))
}
