//! The replicas, and which of them should collect a source. Only a hint: a wrong one costs time, never correctness.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// An object in the store, and when it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighted {
    pub name: String,
    pub etag: String,
    /// How long it has not changed, by the store's clock, if that is known.
    pub age: Option<Duration>,
}

/// The other replicas.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(BTreeMap<String, Member>);

#[derive(Clone, Debug)]
struct Member {
    etag: String,
    /// When the member changed, by the observer's clock.
    changed: Duration,
    /// How old that change was when it was seen.
    age: Duration,
}

impl Member {
    fn unchanged_for(&self, observed: Duration) -> Duration {
        self.age + observed.saturating_sub(self.changed)
    }
}

impl Members {
    /// Takes over a listing, without `me`. Forgets members that are not in it.
    pub(super) fn listed<'a>(&mut self, me: &str, listed: impl Iterator<Item = &'a Sighted>, observed: Duration) {
        let mut previous = std::mem::take(&mut self.0);
        for Sighted { name, etag, age } in listed.filter(|member| member.name != me) {
            let member = match previous.remove(name) {
                Some(member) if member.etag == *etag => member,
                // Later changes have happened since the last look.
                Some(_) => Member { etag: etag.clone(), changed: observed, age: Duration::ZERO },
                None => Member { etag: etag.clone(), changed: observed, age: age.unwrap_or_default() },
            };
            self.0.insert(name.clone(), member);
        }
    }

    /// None of them could change during an outage: each has the full time again.
    pub(super) fn excuse(&mut self, observed: Duration) {
        for member in self.0.values_mut() {
            (member.changed, member.age) = (observed, Duration::ZERO);
        }
    }

    /// Those that changed within this time.
    pub(super) fn alive(&self, ttl: Duration, observed: Duration) -> impl Iterator<Item = &str> {
        let alive = move |(_, member): &(&String, &Member)| member.unchanged_for(observed) < ttl;
        self.0.iter().filter(alive).map(|(name, _)| name.as_str())
    }

    /// Those that have not changed for this time.
    pub(super) fn unchanged(&self, limit: Duration, observed: Duration) -> impl Iterator<Item = &str> {
        let is_unchanged = move |(_, member): &(&String, &Member)| member.unchanged_for(observed) >= limit;
        self.0.iter().filter(is_unchanged).map(|(name, _)| name.as_str())
    }
}

/// The replica that should collect a source: that with the highest hash, and after every two failed
/// collections the next one. A replica that joins or leaves moves only the sources that it holds.
pub(super) fn preferred<'a>(
    replicas: impl Iterator<Item = &'a str>,
    source: &str,
    failed_collections: u32,
) -> Option<&'a str> {
    let mut replicas: Vec<&str> = replicas.collect();
    if replicas.is_empty() {
        return None;
    }
    replicas.sort_by_key(|replica| (Reverse(hash(replica, source)), *replica));
    let passed_over = usize::try_from(failed_collections / 2).unwrap_or(usize::MAX);
    Some(replicas[passed_over % replicas.len()])
}

/// FNV-1a, and a finalizer (of MurmurHash3), without which similar names are not spread evenly. All versions must agree, so it never
/// changes.
fn hash(replica: &str, source: &str) -> u64 {
    let bytes = replica.bytes().chain([0]).chain(source.bytes());
    let mut hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn sighted(name: &str, etag: &str, age: Option<u64>) -> Sighted {
        Sighted { name: name.to_owned(), etag: etag.to_owned(), age: age.map(s) }
    }

    fn of<'a>(replicas: &[&'a str], source: &str, failed: u32) -> &'a str {
        preferred(replicas.iter().copied(), source, failed).unwrap()
    }

    #[test]
    fn preferred_replica_of_a_source_never_changes() {
        let replicas = ["exporter-6f7c-a1", "exporter-6f7c-b2", "exporter-6f7c-c3"];
        let preferred = ["atlassian", "vault", "gitlab", "https://api.example.com:443"]
            .map(|source| of(&replicas, source, 0).rsplit_once('-').unwrap().1);
        assert_eq!(preferred, ["c3", "c3", "a1", "b2"]);
        assert_eq!(hash("exporter-6f7c-a1", "atlassian"), 0x7801_55f3_6f72_78a4);
    }

    #[test]
    fn sources_are_spread_evenly_and_move_only_to_a_new_replica() {
        let (three, four) = (["pod-0", "pod-1", "pod-2"], ["pod-0", "pod-1", "pod-2", "pod-3"]);
        let mut sources_of = BTreeMap::new();
        for number in 0..900 {
            let source = format!("source-{number}");
            let (before, after) = (of(&three, &source, 0), of(&four, &source, 0));
            *sources_of.entry(before).or_insert(0) += 1;
            assert!(after == before || after == "pod-3", "{source}: {before} to {after}");
        }
        assert!(sources_of.len() == 3 && sources_of.values().all(|&count| count > 250), "{sources_of:?}");
    }

    #[test]
    fn another_replica_is_preferred_after_two_failed_collections() {
        let replicas = ["a", "b", "c"];
        let order: Vec<&str> = [0, 1, 2, 3, 4, 6].map(|failed| of(&replicas, "vault", failed)).to_vec();
        assert_eq!((order[0], order[2]), (order[1], order[3]));
        let mut distinct = vec![order[0], order[2], order[4]];
        distinct.sort_unstable();
        assert_eq!((distinct, order[5]), (replicas.to_vec(), order[0]), "each in turn, then the first again");
        assert_eq!((of(&["a"], "vault", 7), preferred([].into_iter(), "vault", 0)), ("a", None));
    }

    #[test]
    fn member_is_alive_for_the_observed_time_since_its_last_change() {
        let mut members = Members::default();
        let listing = [sighted("a", "1", Some(30)), sighted("b", "1", Some(1000)), sighted("me", "1", None)];
        members.listed("me", listing.iter(), s(0));
        let alive = |members: &Members, at| members.alive(s(45), s(at)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((alive(&members, 14), alive(&members, 15)), (vec!["a".to_owned()], vec![]), "the age counts");
        assert_eq!(members.unchanged(s(450), s(0)).collect::<Vec<_>>(), ["b"]);
        members.listed("me", [sighted("a", "2", Some(30)), sighted("b", "1", Some(0))].iter(), s(10));
        assert_eq!(alive(&members, 54), ["a"], "it changed since the last look");
        members.listed("me", [].iter(), s(20));
        assert!(alive(&members, 20).is_empty(), "it left");
    }
}
