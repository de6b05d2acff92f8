//! The invented company's tokens: the same for the same instant, whenever they are asked for.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::atlassian::OWN_KEY;
use super::people;
use super::people::TEAMS;
use super::scenario::DemoScenario;

/// So long after the start the departing tokens end.
pub(super) const DEPARTURE: TimeDelta = TimeDelta::seconds(4);

/// The configuration wants a token without end renewed when it is so many days old.
pub(super) const ROTATE_AFTER: i64 = 365;

/// So the names of people's sessions begin.
pub(super) const SESSION: &str = "session-";

/// How long a renewed token lives.
const SHORT: TimeDelta = TimeDelta::hours(1);

/// One walk of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Listing {
    /// The source in the demo's configuration.
    pub(super) source: &'static str,
    /// The listing in the provider's definition.
    pub(super) name: &'static str,
    /// The kind of its tokens.
    pub(super) kind: &'static str,
    /// How many days its tokens live.
    days: i64,
}

pub(super) const API_TOKENS: Listing =
    Listing { source: "atlassian", name: "api-tokens", kind: "api-token", days: 365 };
pub(super) const API_KEYS: Listing =
    Listing { source: "atlassian", name: "api-keys", kind: "organization-api-key", days: 365 };
pub(super) const BOT_TOKENS: Listing =
    Listing { source: "atlassian", name: "service-account-tokens", kind: "service-account-token", days: 365 };
pub(super) const BOT_CLIENTS: Listing =
    Listing { source: "atlassian", name: "service-account-clients", kind: "oauth-client", days: 365 };
pub(super) const SANDBOX_TOKENS: Listing =
    Listing { source: "atlassian-sandbox", name: "api-tokens", kind: "api-token", days: 180 };
pub(super) const VAULT_TOKENS: Listing = Listing { source: "vault", name: "token", kind: "service-token", days: 32 };
pub(super) const SECRET_IDS: Listing =
    Listing { source: "vault", name: "secret-id", kind: "approle-secret-id", days: 90 };

/// How many tokens tell which story, and where.
const PLAN: &[(Listing, DemoScenario, usize)] = &[
    (API_TOKENS, DemoScenario::Healthy, 170),
    (API_TOKENS, DemoScenario::Warning, 14),
    (API_TOKENS, DemoScenario::Critical, 5),
    (API_TOKENS, DemoScenario::Expired, 3),
    (API_TOKENS, DemoScenario::Departing, 1),
    (API_TOKENS, DemoScenario::Replaced, 4),
    (API_TOKENS, DemoScenario::Unused, 12),
    (API_TOKENS, DemoScenario::Orphan, 2),
    (API_TOKENS, DemoScenario::Disabled, 6),
    (API_TOKENS, DemoScenario::Unreadable, 2),
    (API_KEYS, DemoScenario::Healthy, 3),
    (API_KEYS, DemoScenario::Warning, 1),
    (BOT_TOKENS, DemoScenario::Healthy, 12),
    (BOT_TOKENS, DemoScenario::Warning, 2),
    (BOT_TOKENS, DemoScenario::Critical, 1),
    (BOT_TOKENS, DemoScenario::LivesTooLong, 2),
    (BOT_CLIENTS, DemoScenario::Healthy, 6),
    (BOT_CLIENTS, DemoScenario::RotateSoon, 2),
    (BOT_CLIENTS, DemoScenario::Odd, 1),
    (SANDBOX_TOKENS, DemoScenario::Healthy, 20),
    (SANDBOX_TOKENS, DemoScenario::Warning, 2),
    (SANDBOX_TOKENS, DemoScenario::Critical, 1),
    (VAULT_TOKENS, DemoScenario::Healthy, 40),
    (VAULT_TOKENS, DemoScenario::Warning, 3),
    (VAULT_TOKENS, DemoScenario::Critical, 2),
    (VAULT_TOKENS, DemoScenario::ShortLived, 12),
    (VAULT_TOKENS, DemoScenario::Never, 1),
    (SECRET_IDS, DemoScenario::Healthy, 15),
    (SECRET_IDS, DemoScenario::Warning, 2),
    (SECRET_IDS, DemoScenario::Critical, 1),
    (SECRET_IDS, DemoScenario::LivesTooLong, 1),
    (API_TOKENS, DemoScenario::Scrawled, 3),
    (VAULT_TOKENS, DemoScenario::Session, 7),
];

/// When an invented token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At this instant.
    At(DateTime<Utc>),
    /// Its end is null.
    Null,
    /// Its end is a word.
    Word(&'static str),
    /// It is renewed all the time, and always has at least half of its hour.
    Renewed,
}

/// One invented token.
#[derive(Clone, Debug)]
pub(super) struct DemoToken {
    pub(super) listing: Listing,
    pub(super) story: DemoScenario,
    pub(super) id: String,
    pub(super) name: String,
    /// Whose it is.
    pub(super) owner: Option<&'static str>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) end: End,
    pub(super) last_used_at: DateTime<Utc>,
}

impl DemoToken {
    /// Its end as its provider tells it at this instant.
    pub(super) fn ends(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.end {
            End::At(at) => Some(at),
            End::Null | End::Word(_) => None,
            End::Renewed => {
                let half = SHORT.num_seconds() / 2;
                let renewed = now.timestamp().div_euclid(half) * half;
                DateTime::from_timestamp(renewed, 0).map(|renewed| renewed + SHORT)
            }
        }
    }

    /// Whether its provider still lists it.
    pub(super) fn is_listed(&self, now: DateTime<Utc>) -> bool {
        self.story != DemoScenario::Departing || self.ends(now).is_some_and(|end| now < end)
    }

    /// For how many seconds each renewal lets it live.
    pub(super) fn lifetime(&self) -> i64 {
        if self.end == End::Renewed { SHORT.num_seconds() } else { self.listing.days * 86_400 }
    }
}

/// Everything that the invented company has.
#[derive(Clone, Debug)]
pub(super) struct Organisation {
    /// In the order of listing, making and identifier.
    tokens: Vec<DemoToken>,
    /// Where each identifier is among them.
    places: HashMap<String, usize>,
    dice: Rng,
}

impl Organisation {
    /// About so many tokens as they stand at this instant; none: a few hundred.
    pub(super) fn invent(now: DateTime<Utc>, size: Option<usize>) -> Self {
        let now = now.trunc_subsecs(0);
        let planned: usize = PLAN.iter().map(|(_, _, count)| count).sum();
        let mut organisation = Self { tokens: Vec::new(), places: HashMap::new(), dice: Rng(0x6d65_7269_6469_616e) };
        for &(listing, story, count) in PLAN {
            let count = size.map_or(count, |size| (count * size + planned / 2) / planned).max(1);
            for _ in 0..count {
                organisation.add(listing, story, now);
            }
        }
        let keys = organisation.tokens.iter_mut().filter(|token| token.listing == API_KEYS);
        if let Some(own) = keys.into_iter().find(|token| token.story == DemoScenario::Warning) {
            OWN_KEY.clone_into(&mut own.name);
        }
        organisation.settle();
        organisation
    }

    fn settle(&mut self) {
        self.tokens.sort_by(|a, b| (a.listing, a.created_at, &a.id).cmp(&(b.listing, b.created_at, &b.id)));
        self.places = self.tokens.iter().enumerate().map(|(place, token)| (token.id.clone(), place)).collect();
    }

    /// All tokens.
    pub(super) fn all(&self) -> &[DemoToken] {
        &self.tokens
    }

    /// The tokens of a listing, in the order of their making.
    pub(super) fn of(&self, listing: Listing) -> &[DemoToken] {
        let from = self.tokens.partition_point(|token| token.listing < listing);
        let to = self.tokens.partition_point(|token| token.listing <= listing);
        &self.tokens[from..to]
    }

    /// The token of this identifier.
    pub(super) fn find(&self, id: &str) -> Option<&DemoToken> {
        self.places.get(id).map(|&place| &self.tokens[place])
    }

    /// Takes a token away. False where there is none.
    pub(super) fn revoke(&mut self, id: &str) -> bool {
        let Some(&place) = self.places.get(id) else { return false };
        self.tokens.remove(place);
        self.settle();
        true
    }

    /// Puts a successor of full length in a token's place, and returns it.
    pub(super) fn rotate(&mut self, id: &str, now: DateTime<Utc>) -> Option<DemoToken> {
        let old = self.find(id)?.clone();
        let now = now.trunc_subsecs(0);
        let successor = DemoToken {
            story: DemoScenario::Healthy,
            id: self.dice.id(old.listing),
            created_at: now,
            end: End::At(now + TimeDelta::days(old.listing.days)),
            last_used_at: now,
            ..old
        };
        self.revoke(id);
        self.tokens.push(successor.clone());
        self.settle();
        Some(successor)
    }

    /// Moves a token's end.
    pub(super) fn end_at(&mut self, id: &str, end: DateTime<Utc>) -> bool {
        let token = self.tokens.iter_mut().find(|token| token.id == id);
        token.map(|token| token.end = End::At(end.trunc_subsecs(0))).is_some()
    }

    fn add(&mut self, listing: Listing, story: DemoScenario, now: DateTime<Utc>) {
        let (team, name) = people::name(self.tokens.len());
        let person = team.people[self.dice.below(team.people.len())];
        let (created_at, end) = self.life(listing, story, now);
        let used =
            if story == DemoScenario::Unused { 95 * 24 + self.dice.below(60 * 24) } else { self.dice.below(20 * 24) };
        let token = DemoToken {
            listing,
            story,
            id: self.dice.id(listing),
            name: match story {
                DemoScenario::Scrawled => format!("{name}\n"),
                DemoScenario::Session => format!("{SESSION}{name}"),
                _ => name,
            },
            owner: (story != DemoScenario::Orphan).then_some(person),
            created_at,
            end,
            last_used_at: (now - hours(used)).max(created_at + TimeDelta::minutes(5)).min(now),
        };
        if story == DemoScenario::Replaced {
            let end = End::At(now + TimeDelta::days(listing.days - 1));
            let (id, created_at) = (self.dice.id(listing), now - TimeDelta::days(1));
            self.tokens.push(DemoToken {
                story: DemoScenario::Healthy,
                id,
                created_at,
                end,
                last_used_at: now - TimeDelta::hours(1),
                ..token.clone()
            });
        }
        self.tokens.push(token);
    }

    /// When a token of this story was made, and when it ends. A lead is at most a third of the lifetime, a critical one a
    /// tenth; every end keeps its distance from them, so that a demo that runs for hours still tells the same.
    fn life(&mut self, listing: Listing, story: DemoScenario, now: DateTime<Utc>) -> (DateTime<Utc>, End) {
        let whole = listing.days * 24;
        let warning = (30 * 24).min(whole / 3);
        let critical = (7 * 24).min(whole / 10);
        let left = match story {
            DemoScenario::Healthy
            | DemoScenario::Orphan
            | DemoScenario::Odd
            | DemoScenario::Disabled
            | DemoScenario::Scrawled
            | DemoScenario::Session => self.dice.between(warning * 3 / 2, whole - 24),
            DemoScenario::Unused => self.dice.between(warning * 3 / 2, whole - 160 * 24),
            DemoScenario::Warning => self.dice.between(critical + critical / 4, warning - warning / 10),
            DemoScenario::Critical | DemoScenario::Replaced => self.dice.between(critical / 4, critical - critical / 4),
            DemoScenario::Expired => -self.dice.between(12, 5 * 24),
            DemoScenario::Departing => return (now + DEPARTURE - TimeDelta::hours(whole), End::At(now + DEPARTURE)),
            DemoScenario::LivesTooLong => {
                let made = now - TimeDelta::days(100);
                return (made, End::At(made + TimeDelta::days(5 * 365)));
            }
            DemoScenario::Never => return (now - TimeDelta::days(400), End::Null),
            DemoScenario::RotateSoon => return (now - TimeDelta::days(ROTATE_AFTER - 15), End::Null),
            DemoScenario::Unreadable => {
                let end = if self.dice.below(2) == 0 { End::Null } else { End::Word("in the spring") };
                return (now - TimeDelta::days(40), end);
            }
            DemoScenario::ShortLived => return (now - TimeDelta::days(3), End::Renewed),
        };
        let end = now + TimeDelta::hours(left);
        (end - TimeDelta::hours(whole), End::At(end))
    }
}

fn hours(hours: usize) -> TimeDelta {
    TimeDelta::hours(i64::try_from(hours).unwrap_or_default())
}

/// A person's account at Atlassian.
pub(super) fn account(person: &str) -> String {
    let number = TEAMS.iter().flat_map(|team| team.people).position(|name| *name == person).unwrap_or_default();
    format!("712020:5f3a0c1e-0000-4000-8000-{number:012x}")
}

/// A seeded source of chance (splitmix64): the same on every machine and with every version.
#[derive(Clone, Debug)]
struct Rng(u64);

impl Rng {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from(self.roll() % limit).unwrap_or_default()
    }

    /// From the first number up to, but not including, the second.
    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(usize::try_from(to - from).unwrap_or(1))).unwrap_or_default()
    }

    /// An identifier in the manner of the listing's provider.
    fn id(&mut self, listing: Listing) -> String {
        const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        if listing == VAULT_TOKENS {
            return (0..24).map(|_| char::from(LETTERS[self.below(LETTERS.len())])).collect();
        }
        let (a, b) = (self.roll(), self.roll());
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
    fn the_same_instant_gives_the_same_company() {
        let (a, b) = (Organisation::invent(noon(), None), Organisation::invent(noon(), None));
        assert_eq!(format!("{:?}", a.tokens), format!("{:?}", b.tokens));
    }

    #[test]
    fn it_grows_to_the_size_that_is_asked_for() {
        for size in [1_000, 20_000] {
            let tokens = Organisation::invent(noon(), Some(size)).tokens;
            assert!(tokens.len().abs_diff(size) * 20 <= size, "{} for {size}", tokens.len());
            let ids: BTreeSet<&str> = tokens.iter().map(|token| token.id.as_str()).collect();
            assert_eq!(ids.len(), tokens.len(), "identifiers differ");
        }
    }

    #[test]
    fn no_token_is_used_before_it_is_made_or_in_the_future() {
        for token in Organisation::invent(noon(), Some(5_000)).tokens {
            assert!(token.created_at <= token.last_used_at && token.last_used_at <= noon(), "{token:?}");
        }
    }

    #[test]
    fn a_departing_token_leaves_at_its_end() {
        let tokens = Organisation::invent(noon(), None).tokens;
        let departing = tokens.iter().find(|token| token.story == DemoScenario::Departing);
        let listed = |after| departing.is_some_and(|token| token.is_listed(noon() + TimeDelta::seconds(after)));
        assert!(listed(3) && !listed(4));
    }

    #[test]
    fn a_short_lived_token_always_has_half_an_hour_left() {
        let token =
            Organisation::invent(noon(), None).tokens.into_iter().find(|token| token.story == DemoScenario::ShortLived);
        for minutes in 0..120 {
            let now = noon() + TimeDelta::minutes(minutes);
            let left = token.as_ref().and_then(|token| token.ends(now)).map(|end| end - now);
            assert!(left.is_some_and(|left| left >= TimeDelta::minutes(30)), "{minutes}: {left:?}");
        }
    }

    #[test]
    fn a_rotation_brings_a_successor_of_the_same_name() {
        let mut organisation = Organisation::invent(noon(), None);
        let old = organisation.tokens[0].clone();
        let new = organisation.rotate(&old.id, noon());
        assert!(new.is_some_and(|new| new.name == old.name && new.id != old.id && new.owner == old.owner));
        assert!(organisation.find(&old.id).is_none());
    }
}
