//! The invented organisation's tokens. The same time gives the same tokens.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, DurationRound, SubsecRound, TimeDelta, Utc};

use super::people;
use super::scenario::DemoScenario::{self, *};

/// The id of the organisation at Atlassian.
pub(super) const ORGANISATION: &str = "9d0c6d7e-41c2-4d7a-9f3a-0e1b6c2a7f10";
pub(super) const SANDBOX: &str = "1b7f9a34-6a0e-4f0e-8d55-7c1f2e3d4a5b";

/// The label of the API key that the exporter itself uses.
pub(super) const OWN_KEY: &str = "prometheus";
/// Prefix of the names of personal sessions.
pub(super) const SESSION: &str = "session-";
/// The age at which the configuration requires rotation of a token that never expires.
pub(super) const ROTATE_AFTER: TimeDelta = TimeDelta::days(365);
/// Time from the start until the departing tokens expire.
pub(super) const DEPARTURE: TimeDelta = TimeDelta::seconds(4);
/// Lifetime of a token that is renewed continuously.
const RENEWAL: TimeDelta = TimeDelta::hours(1);

/// A listing of a source in the demo's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listing {
    pub(super) source: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// Lifetime of its tokens.
    days: i64,
}

impl Listing {
    const fn new(source: &'static str, name: &'static str, kind: &'static str, days: i64) -> Self {
        Self { source, name, kind, days }
    }
}

pub(super) const API_TOKENS: Listing = Listing::new("atlassian", "api-tokens", "api-token", 365);
pub(super) const API_KEYS: Listing = Listing::new("atlassian", "api-keys", "organization-api-key", 365);
pub(super) const BOT_TOKENS: Listing =
    Listing::new("atlassian", "service-account-tokens", "service-account-token", 365);
pub(super) const BOT_CLIENTS: Listing = Listing::new("atlassian", "service-account-clients", "oauth-client", 365);
pub(super) const SANDBOX_TOKENS: Listing = Listing::new("atlassian-sandbox", "api-tokens", "api-token", 180);
pub(super) const VAULT_TOKENS: Listing = Listing::new("vault", "token", "service-token", 32);
pub(super) const SECRET_IDS: Listing = Listing::new("vault", "secret-id", "approle-secret-id", 90);

/// The number of tokens by listing and scenario.
const PLAN: &[(Listing, &[(DemoScenario, usize)])] = &[
    (API_TOKENS, &[(Healthy, 170), (Warning, 14), (Critical, 5), (Expired, 3), (Departing, 1), (Replaced, 4)]),
    (API_TOKENS, &[(Unused, 12), (NoOwner, 2), (Disabled, 6), (UnreadableExpiry, 2)]),
    (API_KEYS, &[(Healthy, 3), (Warning, 1)]),
    (BOT_TOKENS, &[(Healthy, 12), (Warning, 2), (Critical, 1), (LivesTooLong, 2)]),
    (BOT_CLIENTS, &[(Healthy, 6), (RotateSoon, 2), (Malformed, 1)]),
    (SANDBOX_TOKENS, &[(Healthy, 20), (Warning, 2), (Critical, 1)]),
    (VAULT_TOKENS, &[(Healthy, 40), (Warning, 3), (Critical, 2), (ShortLived, 12), (Never, 1)]),
    (SECRET_IDS, &[(Healthy, 15), (Warning, 2), (Critical, 1), (LivesTooLong, 1)]),
    (API_TOKENS, &[(UnsafeName, 3)]),
    (VAULT_TOKENS, &[(Session, 7)]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DemoExpiry {
    At(DateTime<Utc>),
    Null,
    /// A text that is not a date.
    Text(&'static str),
    /// Always between half a [`RENEWAL`] and a whole one ahead.
    Renewed,
}

#[derive(Clone, Debug)]
pub(super) struct DemoToken {
    pub(super) listing: Listing,
    pub(super) scenario: DemoScenario,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: Option<&'static str>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expiry: DemoExpiry,
    pub(super) last_used_at: DateTime<Utc>,
}

impl DemoToken {
    pub(super) fn expires_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.expiry {
            DemoExpiry::At(at) => Some(at),
            DemoExpiry::Null | DemoExpiry::Text(_) => None,
            DemoExpiry::Renewed => Some(now.duration_trunc(RENEWAL / 2).ok()? + RENEWAL),
        }
    }

    /// Whether its provider still lists it.
    pub(super) fn is_listed(&self, now: DateTime<Utc>) -> bool {
        self.scenario != Departing || self.expires_at(now).is_some_and(|expiry| now < expiry)
    }

    /// The lifetime that its provider grants, in seconds.
    pub(super) fn lifetime(&self) -> i64 {
        if self.expiry == DemoExpiry::Renewed { RENEWAL.num_seconds() } else { self.listing.days * 86_400 }
    }

    /// Its place in its listing, which is sorted by creation time.
    pub(super) fn position(&self) -> String {
        format!("{:012}|{}", self.created_at.timestamp(), self.id)
    }
}

/// What changes while the demo runs.
pub(super) struct Organisation {
    /// Sorted by listing and position.
    pub(super) tokens: Vec<DemoToken>,
    /// Index into `tokens`, by id.
    by_id: HashMap<String, usize>,
    /// Providers that return 503.
    pub(super) stopped: BTreeSet<String>,
    rng: Rng,
}

impl Organisation {
    /// The organisation at this time, with about `size` tokens; default: a few hundred.
    pub(super) fn invent(now: DateTime<Utc>, size: Option<usize>) -> Self {
        let now = now.trunc_subsecs(0);
        let rng = Rng(0x6d65_7269_6469_616e);
        let mut organisation = Self { tokens: Vec::new(), by_id: HashMap::new(), stopped: BTreeSet::new(), rng };
        let plan = || PLAN.iter().flat_map(|(listing, counts)| counts.iter().map(move |count| (*listing, *count)));
        let planned: usize = plan().map(|(_, (_, count))| count).sum();
        for (listing, (scenario, count)) in plan() {
            let count = size.map_or(count, |size| (count * size + planned / 2) / planned).max(1);
            for _ in 0..count {
                organisation.add(listing, scenario, now);
            }
        }
        let mut keys = organisation.tokens.iter_mut().filter(|token| token.listing == API_KEYS);
        if let Some(own) = keys.find(|token| token.scenario == Warning) {
            OWN_KEY.clone_into(&mut own.name);
        }
        organisation.sort();
        organisation
    }

    fn sort(&mut self) {
        self.tokens.sort_by_cached_key(|token| (token.listing, token.position()));
        self.by_id = self.tokens.iter().enumerate().map(|(index, token)| (token.id.clone(), index)).collect();
    }

    /// The tokens of a listing, by position.
    pub(super) fn of(&self, listing: Listing) -> &[DemoToken] {
        let from = self.tokens.partition_point(|token| token.listing < listing);
        let to = self.tokens.partition_point(|token| token.listing <= listing);
        &self.tokens[from..to]
    }

    pub(super) fn find(&self, id: &str) -> Option<&DemoToken> {
        self.by_id.get(id).map(|&index| &self.tokens[index])
    }

    /// Removes a token. False if there is none with this id.
    pub(super) fn revoke(&mut self, id: &str) -> bool {
        let Some(&index) = self.by_id.get(id) else { return false };
        self.tokens.remove(index);
        self.sort();
        true
    }

    /// Replaces a token by a new one of the same name and full lifetime, and returns that.
    pub(super) fn rotate(&mut self, id: &str, now: DateTime<Utc>) -> Option<DemoToken> {
        let now = now.trunc_subsecs(0);
        let old = &mut self.tokens[*self.by_id.get(id)?];
        old.id = self.rng.id(old.listing);
        (old.scenario, old.created_at, old.last_used_at) = (Healthy, now, now);
        old.expiry = DemoExpiry::At(now + TimeDelta::days(old.listing.days));
        let new = old.clone();
        self.sort();
        Some(new)
    }

    /// Sets a token's expiry. False if there is none with this id.
    pub(super) fn expire(&mut self, id: &str, at: DateTime<Utc>) -> bool {
        let Some(&index) = self.by_id.get(id) else { return false };
        self.tokens[index].expiry = DemoExpiry::At(at.trunc_subsecs(0));
        true
    }

    fn add(&mut self, listing: Listing, scenario: DemoScenario, now: DateTime<Utc>) {
        let (name, people) = people::token_name(self.tokens.len());
        let person = people[self.rng.below(people.len())];
        let (created_at, expiry) = self.lifetime(listing, scenario, now);
        let unused = TimeDelta::hours(match scenario {
            Unused => self.rng.between(95 * 24, 155 * 24),
            _ => self.rng.between(0, 20 * 24),
        });
        let token = DemoToken {
            listing,
            scenario,
            id: self.rng.id(listing),
            name: match scenario {
                UnsafeName => format!("{name}\n"),
                Session => format!("{SESSION}{name}"),
                _ => name,
            },
            owner: (scenario != NoOwner).then_some(person),
            created_at,
            expiry,
            last_used_at: (now - unused).max(created_at + TimeDelta::minutes(5)).min(now),
        };
        if scenario == Replaced {
            let created_at = now - TimeDelta::days(1);
            self.tokens.push(DemoToken {
                scenario: Healthy,
                id: self.rng.id(listing),
                created_at,
                expiry: DemoExpiry::At(created_at + TimeDelta::days(listing.days)),
                last_used_at: now - TimeDelta::hours(1),
                ..token.clone()
            });
        }
        self.tokens.push(token);
    }

    /// When a token of this scenario was created, and when it expires. A warning lead is at most a third of the lifetime, a
    /// critical one a tenth. Every expiry is well inside its band, so that the bands of a running demo do not change for hours.
    fn lifetime(
        &mut self,
        listing: Listing,
        scenario: DemoScenario,
        now: DateTime<Utc>,
    ) -> (DateTime<Utc>, DemoExpiry) {
        let days = TimeDelta::days(listing.days);
        let lifetime = listing.days * 24;
        let warning = (30 * 24).min(lifetime / 3);
        let critical = (7 * 24).min(lifetime / 10);
        let days_ago = |days| now - TimeDelta::days(days);
        let hours_left = match scenario {
            Healthy | NoOwner | Malformed | Disabled | UnsafeName | Session => {
                self.rng.between(warning * 3 / 2, lifetime - 24)
            }
            Unused => self.rng.between(warning * 3 / 2, lifetime - 160 * 24),
            Warning => self.rng.between(critical + critical / 4, warning - warning / 10),
            Critical | Replaced => self.rng.between(critical / 4, critical - critical / 4),
            Expired => -self.rng.between(12, 5 * 24),
            Departing => return (now + DEPARTURE - days, DemoExpiry::At(now + DEPARTURE)),
            LivesTooLong => return (days_ago(100), DemoExpiry::At(days_ago(100) + TimeDelta::days(5 * 365))),
            Never => return (days_ago(400), DemoExpiry::Null),
            RotateSoon => return (now - ROTATE_AFTER + TimeDelta::days(15), DemoExpiry::Null),
            UnreadableExpiry if self.rng.below(2) == 0 => return (days_ago(40), DemoExpiry::Null),
            UnreadableExpiry => return (days_ago(40), DemoExpiry::Text("in the spring")),
            ShortLived => return (days_ago(3), DemoExpiry::Renewed),
        };
        let expires_at = now + TimeDelta::hours(hours_left);
        (expires_at - days, DemoExpiry::At(expires_at))
    }
}

/// A seeded random number generator (splitmix64): the same numbers on every machine and with every version of every crate.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// From the first number up to, but not including, the second.
    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + (self.next() % to.abs_diff(from)).cast_signed()
    }

    /// An id in the format of the listing's provider.
    fn id(&mut self, listing: Listing) -> String {
        const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        if listing == VAULT_TOKENS {
            return (0..24).map(|_| char::from(LETTERS[self.below(LETTERS.len())])).collect();
        }
        let (a, b) = (self.next(), self.next());
        let (high, low) = (a >> 32, b & 0xffff_ffff_ffff);
        format!("{high:08x}-{:04x}-4{:03x}-8{:03x}-{low:012x}", a & 0xffff, (a >> 16) & 0xfff, (b >> 48) & 0xfff)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_435_200, 0).unwrap_or_default()
    }

    #[test]
    fn organisation_depends_on_the_time_alone() {
        let (a, b) = (Organisation::invent(noon(), None), Organisation::invent(noon(), None));
        assert_eq!(format!("{:?}", a.tokens), format!("{:?}", b.tokens));
    }

    #[test]
    fn organisation_has_the_requested_size_and_unique_ids() {
        for size in [1_000, 20_000] {
            let tokens = Organisation::invent(noon(), Some(size)).tokens;
            assert!(tokens.len().abs_diff(size) * 20 <= size, "{} for {size}", tokens.len());
            let ids: BTreeSet<&str> = tokens.iter().map(|token| token.id.as_str()).collect();
            assert_eq!(ids.len(), tokens.len());
        }
    }

    #[test]
    fn last_use_is_after_creation_and_in_the_past() {
        for token in Organisation::invent(noon(), Some(5_000)).tokens {
            assert!(token.created_at <= token.last_used_at && token.last_used_at <= noon(), "{token:?}");
        }
    }

    #[test]
    fn departing_token_is_listed_until_it_expires() {
        let tokens = Organisation::invent(noon(), None).tokens;
        let departing = tokens.iter().find(|token| token.scenario == Departing);
        let listed = |after| departing.is_some_and(|token| token.is_listed(noon() + TimeDelta::seconds(after)));
        assert!(listed(3) && !listed(4));
    }

    #[test]
    fn short_lived_token_always_has_half_an_hour_left() {
        let tokens = Organisation::invent(noon(), None).tokens;
        let token = tokens.iter().find(|token| token.scenario == ShortLived);
        for minutes in 0..120 {
            let now = noon() + TimeDelta::minutes(minutes);
            let left = token.and_then(|token| token.expires_at(now)).map(|expiry| expiry - now);
            assert!(left.is_some_and(|left| left >= TimeDelta::minutes(30)), "{minutes}: {left:?}");
        }
    }

    #[test]
    fn rotate_keeps_name_and_owner_and_replaces_the_id() {
        let mut organisation = Organisation::invent(noon(), None);
        let old = organisation.tokens[0].clone();
        let new = organisation.rotate(&old.id, noon());
        assert!(new.is_some_and(|new| new.name == old.name && new.id != old.id && new.owner == old.owner));
        assert!(organisation.find(&old.id).is_none());
    }
}
