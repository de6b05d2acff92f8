//! Says which token a credential is that was found somewhere: by a request, or by the value itself.
//!
//! A user who can create a Secret decides what is found. So requests are rare: a result is remembered, one collection
//! sends few requests, and after a few refused credentials within an hour it sends none. A place in which several were refused
//! uses up only its own share. Nothing is sent after a failure of any other kind, until the next collection.
//!
//! A credential is kept only while it is identified. What is remembered is under its HMAC with a key of this process.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use rand::seq::SliceRandom as _;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::time::Instant;

use super::build_request::build_request;
use super::hint::HintMap;
use super::messages::{describe, headers_object};
use super::pages::{Checked, check_response};
use super::session::{Account, Session};
use super::stated_reason::Expected;
use crate::core::failure::{Failure, Reason};
use crate::core::secret::Secret;
use crate::core::value_pattern::ValuePattern;
use crate::providers::language::compile::VALUE;
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Identify, IdentifyBy, Request};
use crate::providers::language::template::Template;
use crate::providers::language::template_vars::{FanOutVar, TemplateVars};
use crate::providers::language::value;
use crate::providers::{Candidate, Identified, KnownToken};

/// The most requests of one collection.
const MAX_REQUESTS: usize = 100;

/// The most refused credentials within an hour. Vendors lock an account, or block an address, after ten and more.
const MAX_REJECTED: usize = 5;

/// The most of them that are from one place.
const MAX_REJECTED_OF_GROUP: usize = 2;

/// The time of these limits.
const PERIOD: TimeDelta = TimeDelta::hours(1);

/// After this a request is sent for a token again: it may have been revoked.
const TOKEN_TTL: TimeDelta = TimeDelta::hours(24);

/// The same if the request is sent with the token, which may renew the time of its last use.
const USED_TOKEN_TTL: TimeDelta = TimeDelta::days(7);

/// After this a request is sent for a refused credential again: its owner may have been blocked for a time.
const REJECTED_TTL: TimeDelta = TimeDelta::days(7);

/// The most results that are remembered.
const MAX_REMEMBERED: usize = 50_000;

/// Identifies the credentials of one source.
pub(super) struct Identifier {
    /// The number of the way to identify them in the definition.
    way: usize,
    pub(super) pattern: ValuePattern,
    key: hmac::Key,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    results: HashMap<Tag, (Known, DateTime<Utc>)>,
    /// When credentials were refused, and in which group.
    rejected: Vec<(DateTime<Utc>, Box<str>)>,
}

type Tag = [u8; 32];

#[derive(Clone)]
enum Known {
    Token(KnownToken),
    /// The provider does not accept it.
    Rejected,
}

impl Identifier {
    /// # Errors
    /// If the prefixes are no pattern.
    pub(super) fn new(way: usize, identify: &Identify, settings: &Val) -> Result<Self, String> {
        let vars = TemplateVars::new(settings);
        let prefixes: Vec<_> = identify.prefixes.iter().filter_map(|prefix| vars.fill(prefix)).collect();
        if let Some(short) = prefixes.iter().find(|prefix| prefix.chars().count() < 2) {
            return Err(format!("the prefix `{short}` of its credentials has less than two characters"));
        }
        let pattern = ValuePattern::new(&prefixes, &identify.rest)
            .map_err(|problem| format!("the pattern of its credentials is invalid: {problem}"))?;
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| "the system has no random numbers".to_owned())?;
        Ok(Self { way, pattern, key, memory: Mutex::default() })
    }

    /// The listing and its hints, if they identify the credentials.
    pub(super) fn hints<'a>(&'a self, account: &'a Account) -> Option<HintMap<'a>> {
        match &account.provider.identify.get(self.way)?.by {
            IdentifyBy::Hint { listing, hint } => Some(HintMap { listing, hint, pattern: &self.pattern }),
            IdentifyBy::Request { .. } | IdentifyBy::Value { .. } => None,
        }
    }

    fn tag(&self, value: &Secret) -> Tag {
        let mut tag = Tag::default();
        tag.copy_from_slice(hmac::sign(&self.key, value.expose().as_bytes()).as_ref());
        tag
    }

    /// Identifies credentials: from memory, from the value, or by a request each.
    pub(super) async fn identify(
        &self,
        account: &Account,
        candidates: Vec<Candidate>,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Identified {
        let mut identified = Identified::default();
        let Some(identify) = account.provider.identify.get(self.way) else { return identified };
        let mut open = Vec::new();
        let is_used = identify.request().is_some_and(is_sent_with_value);
        let ttl = if is_used { USED_TOKEN_TTL } else { TOKEN_TTL };
        for candidate in candidates {
            match self.memory.lock().recall(&self.tag(&candidate.value), ttl, now) {
                Some(known) => identified.add(candidate.number, known),
                None => open.push(candidate),
            }
        }
        let (request, id) = match &identify.by {
            IdentifyBy::Request { request, id, .. } => (&**request, id),
            IdentifyBy::Value { id } => {
                for candidate in open {
                    identified.add(candidate.number, id_inside(id, account, &candidate.value));
                }
                return identified;
            }
            // Without a response there is nothing to remember: see `hint`.
            IdentifyBy::Hint { .. } => return identified,
        };
        if open.is_empty() {
            return identified;
        }
        let mut session = None;
        let mut asked = 0;
        for candidate in in_fair_order(open) {
            let is_limited = asked == MAX_REQUESTS || self.memory.lock().is_exhausted(&candidate.group, now);
            if identified.failure.is_some() || is_limited {
                identified.counts.skipped += 1;
                continue;
            }
            if session.is_none() {
                match Session::open(account, now, deadline).await {
                    Ok(opened) => session = Some(opened),
                    Err(failure) => identified.failure = Some(failure),
                }
            }
            let Some(session) = session.as_ref().filter(|session| !session.is_past_deadline()) else {
                identified.counts.skipped += 1;
                continue;
            };
            asked += 1;
            match ask(session, (request, id), &candidate.value).await {
                Ok(known) => {
                    let mut memory = self.memory.lock();
                    if matches!(known, Known::Rejected) {
                        memory.rejected.push((now, candidate.group));
                    }
                    memory.remember(self.tag(&candidate.value), known.clone(), now);
                    identified.add(candidate.number, known);
                }
                Err(failure) => {
                    identified.counts.skipped += 1;
                    identified.failure = Some(failure);
                }
            }
        }
        identified
    }
}

impl Identified {
    fn add(&mut self, number: usize, known: Known) {
        match known {
            Known::Token(token) => self.tokens.push((number, token)),
            Known::Rejected => self.counts.rejected += 1,
        }
    }
}

impl Memory {
    fn recall(&self, tag: &Tag, token_ttl: TimeDelta, now: DateTime<Utc>) -> Option<Known> {
        let (known, at) = self.results.get(tag)?;
        let ttl = if matches!(known, Known::Token(_)) { token_ttl } else { REJECTED_TTL };
        ((now - at).abs() < ttl).then(|| known.clone())
    }

    fn remember(&mut self, tag: Tag, known: Known, now: DateTime<Utc>) {
        if self.results.len() >= MAX_REMEMBERED {
            self.results.clear();
        }
        self.results.insert(tag, (known, now));
    }

    /// Whether the limit of refused credentials in this group is reached, after which no further one is sent.
    fn is_exhausted(&mut self, group: &str, now: DateTime<Utc>) -> bool {
        self.rejected.retain(|(at, _)| (now - at).abs() < PERIOD);
        let of_group = self.rejected.iter().filter(|(_, other)| **other == *group).count();
        self.rejected.len() >= MAX_REJECTED || of_group >= MAX_REJECTED_OF_GROUP
    }
}

/// One of each group after the other, in random order: no name and no number of credentials comes first.
fn in_fair_order(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut groups: BTreeMap<Box<str>, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        groups.entry(candidate.group.clone()).or_default().push(candidate);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    let mut random = rand::rng();
    groups.shuffle(&mut random);
    groups.iter_mut().for_each(|group| group.shuffle(&mut random));
    let mut ordered = Vec::new();
    while !groups.is_empty() {
        ordered.extend(groups.iter_mut().filter_map(Vec::pop));
        groups.retain(|group| !group.is_empty());
    }
    ordered
}

fn id_inside(id: &Expression, account: &Account, secret: &Secret) -> Known {
    let variables = Variables { settings: account.settings.clone(), ..Variables::default() };
    let id = id.first(&variables, value::val(secret.expose())).ok().flatten();
    match id.as_ref().and_then(value::text).filter(|id| !id.is_empty()) {
        // An expression that forgets to take the value apart must not publish it.
        Some(id) if !secret.is_shown_by(&id) => Known::Token(KnownToken { id: Some(id.into()), is_id_inside: true }),
        _ => Known::Rejected,
    }
}

/// Whether a header has the credential, in place of the exporter's own.
fn is_sent_with_value(request: &Request) -> bool {
    request.headers.iter().flat_map(|(_, template)| template.names()).any(|name| name.head == VALUE)
}

/// Requests which token it is.
///
/// # Errors
/// If the response neither confirms nor refuses the credential.
async fn ask(session: &Session<'_>, (request, id): (&Request, &Expression), secret: &Secret) -> Result<Known, Failure> {
    let account = session.account;
    let elements = [FanOutVar { name: VALUE, value: value::val(secret.expose()) }];
    let vars = TemplateVars { elements: &elements, ..TemplateVars::new(&account.settings) };
    session.secrets.remember([secret]);
    let mut built = build_request(request, &account.provider.headers, &vars)?;
    let sends_value = |(name, _): &(String, String)| {
        let named = request.headers.iter().filter(|(other, _)| other == name);
        named.flat_map(|(_, template)| Template::names(template)).any(|name| name.head == VALUE)
    };
    let (own, others): (Vec<_>, Vec<_>) = built.headers.into_iter().partition(sends_value);
    built.headers = others;
    let settings = Variables { settings: account.settings.clone(), ..Variables::default() };
    let expected = Expected { request, variables: &settings };
    let reply = if own.is_empty() {
        session.send(&built, expected).await?
    } else {
        built.credential = own.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        session.send_as(&built, expected).await?
    };
    let described = |failure: Failure| Failure { what: format!("{}: {}", describe(&built), failure.what), ..failure };
    let mut variables =
        Variables { headers: headers_object(&reply.headers), status: Val::from(usize::from(reply.status)), ..settings };
    let body = match check_response(session, request, &reply, &mut variables).map_err(described)? {
        Checked::Empty(..) => return Ok(Known::Rejected),
        Checked::Body(body) => body,
    };
    let unreadable = || described(Failure::new(Reason::Mapping, "`id` yields neither a text nor null"));
    let id = id.first(&variables, body).map_err(|_| unreadable())?.unwrap_or_default();
    if value::is_blank(&id) {
        return Ok(Known::Token(KnownToken::default()));
    }
    let id = value::text(&id).ok_or_else(unreadable)?;
    if secret.is_shown_by(&id) {
        let what = "`identify.id` shows the credential; correct the definition";
        return Err(described(Failure::new(Reason::Credential, what)));
    }
    Ok(Known::Token(KnownToken { id: Some(id.into()), is_id_inside: false }))
}
