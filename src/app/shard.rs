//! Which sources an instance collects, where several share the work.

use std::str::FromStr;

/// The I-th of N instances, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub number: u32,
    /// Of how many.
    pub count: u32,
}

impl Shard {
    /// The one instance that does everything.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// Whether this instance collects the source of this name. Every source belongs to exactly one instance, whatever else is
    /// configured, on every machine and in every version.
    pub fn holds(self, source: &str) -> bool {
        hash(source) % self.count == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    /// `I/N`, or, for the pods of a Kubernetes StatefulSet, which differ in nothing but their names, `POD/N`. Pods are numbered
    /// from 0; where there are more pods than shards, those whose numbers leave the same rest are replicas of one shard.
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (which, count) = text.split_once('/')?;
            let count: u32 = count.parse().ok()?;
            let number = match which.rsplit_once('-') {
                Some(("", _)) => return None,
                Some((_, ordinal)) => ordinal.parse::<u32>().ok()?.checked_rem(count)? + 1,
                None => which.parse().ok()?,
            };
            (1..=count).contains(&number).then_some(Self { number, count })
        };
        parse().ok_or_else(|| {
            "a shard is written I/N, such as 1/3, where I is from 1 to N; or POD/N, such as exporter-0/3, where pods count from 0"
                .to_owned()
        })
    }
}

/// FNV-1a: the standard library's hash may change with a release, and would move sources between instances.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, expected) in [
            ("1/1", Some(Shard::WHOLE)),
            ("2/3", Some(Shard { number: 2, count: 3 })),
            ("0/3", None),
            ("4/3", None),
            ("1/0", None),
            ("1", None),
            ("a/b", None),
            ("exporter-0/3", Some(Shard { number: 1, count: 3 })),
            ("token-expiry-exporter-2/3", Some(Shard { number: 3, count: 3 })),
            ("exporter-3/3", Some(Shard { number: 1, count: 3 })),
            ("exporter-11/3", Some(Shard { number: 3, count: 3 })),
            ("exporter-0/0", None),
            ("exporter-a/3", None),
            ("exporter-/3", None),
            ("-1/3", None),
            ("exporter-4294967296/3", None),
        ] {
            assert_eq!(text.parse::<Shard>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn every_source_belongs_to_exactly_one_instance() {
        let mut held = [0; 3];
        for source in (0..300).map(|number| format!("source-{number}")) {
            let holders: Vec<u32> = (1..=3).filter(|&number| Shard { number, count: 3 }.holds(&source)).collect();
            assert_eq!(holders.len(), 1, "{source}");
            held[holders[0] as usize - 1] += 1;
        }
        assert!(held.iter().all(|&sources| sources > 60), "spread about evenly: {held:?}");
    }

    #[test]
    fn a_source_stays_where_it_is() {
        let shard = |source| (1..=5).find(|&number| Shard { number, count: 5 }.holds(source));
        assert_eq!([shard("atlassian"), shard("vault"), shard("gitlab")], [Some(1), Some(5), Some(4)]);
    }
}
