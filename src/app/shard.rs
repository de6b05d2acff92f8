//! Which sources an instance collects, if several share the work.

use std::str::FromStr;

/// The I-th of N instances, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub number: u32,
    pub count: u32,
}

impl Shard {
    /// The only instance.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// Whether this instance collects the source. Exactly one instance does, whatever else is configured, on every machine and
    /// in every version.
    pub fn holds(self, source: &str) -> bool {
        hash(source) % self.count == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    /// `I/N`, or `POD/N` for the pods of a Kubernetes StatefulSet, which differ by their names alone. Pods are numbered from 0.
    /// If there are more pods than shards, those with the same number modulo N are replicas of one shard.
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
        parse().ok_or_else(|| "expected I/N with I from 1 to N, such as 1/3; or POD/N, such as exporter-0/3".to_owned())
    }
}

/// FNV-1a. The standard library's hash may change with a release and would move sources between instances.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_parses_number_or_pod() {
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
    fn each_source_belongs_to_exactly_one_shard() {
        let mut sources_of = [0; 3];
        for source in (0..300).map(|number| format!("source-{number}")) {
            let holders: Vec<u32> = (1..=3).filter(|&number| Shard { number, count: 3 }.holds(&source)).collect();
            assert_eq!(holders.len(), 1, "{source}");
            sources_of[holders[0] as usize - 1] += 1;
        }
        assert!(sources_of.iter().all(|&sources| sources > 60), "spread evenly: {sources_of:?}");
    }

    #[test]
    fn shard_of_a_source_never_changes() {
        let shard = |source| (1..=5).find(|&number| Shard { number, count: 5 }.holds(source));
        assert_eq!([shard("atlassian"), shard("vault"), shard("gitlab")], [Some(1), Some(5), Some(4)]);
    }
}
