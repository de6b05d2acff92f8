//! Which sources share their compressed parts.
//!
//! Each part costs some 200 bytes and starts without a dictionary, so a thousand sources with one token each must not have a
//! thousand parts. A large source has parts of its own; small ones share them with their neighbours, and are rendered again
//! when one of them changes. A source whose size changes a little must not change the groups of all others.

/// A source with at least this many tokens is alone, and a group of smaller ones has about as many.
const LARGE: usize = 500;

/// A group of several sources is divided when it has more tokens than this.
const MAX_SHARED: usize = 2 * LARGE;

/// Divides sources, ordered by name and each with its number of tokens, into groups of neighbours. `previous` are the first
/// names of the previous groups, in order: a group is kept unless it is too large or too small.
pub(super) fn divide(previous: &[String], sources: Vec<(String, usize)>) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<(String, usize)>> = Vec::new();
    for group in by_first_names(previous, sources) {
        let is_large = group.iter().any(|(_, tokens)| *tokens >= LARGE) || size(&group) > MAX_SHARED;
        let parts = if is_large { split(group) } else { vec![group] };
        for part in parts {
            match groups.last_mut() {
                Some(last) if size(last) + size(&part) < LARGE => last.extend(part),
                _ => groups.push(part),
            }
        }
    }
    groups.into_iter().map(|group| group.into_iter().map(|(name, _)| name).collect()).collect()
}

fn size(group: &[(String, usize)]) -> usize {
    group.iter().map(|(_, tokens)| tokens).sum()
}

/// The previous groups: a new source is added to the one that precedes it.
fn by_first_names(previous: &[String], sources: Vec<(String, usize)>) -> Vec<Vec<(String, usize)>> {
    let mut groups: Vec<Vec<(String, usize)>> = Vec::new();
    let mut first_names = previous.iter().peekable();
    for source in sources {
        let mut starts = groups.is_empty();
        while first_names.next_if(|first| **first <= source.0).is_some() {
            starts = true;
        }
        match groups.last_mut() {
            Some(last) if !starts => last.push(source),
            _ => groups.push(vec![source]),
        }
    }
    groups
}

/// Divides a group into large sources and groups of `LARGE` tokens.
fn split(group: Vec<(String, usize)>) -> Vec<Vec<(String, usize)>> {
    let mut parts: Vec<Vec<(String, usize)>> = Vec::new();
    for source in group {
        match parts.last_mut() {
            Some(last) if source.1 < LARGE && size(last) < LARGE => last.push(source),
            _ => parts.push(vec![source]),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn named(sizes: &[usize]) -> Vec<(String, usize)> {
        sizes.iter().enumerate().map(|(number, size)| (format!("s{number:04}"), *size)).collect()
    }

    fn first_names(groups: &[Vec<String>]) -> Vec<String> {
        groups.iter().map(|group| group[0].clone()).collect()
    }

    fn lengths(groups: &[Vec<String>]) -> Vec<usize> {
        groups.iter().map(Vec::len).collect()
    }

    #[test]
    fn large_sources_are_alone_and_small_ones_share() {
        for (sizes, expected) in [
            (&[][..], &[][..]),
            (&[0], &[1]),
            (&[100_000], &[1]),
            (&[3, 4, 5], &[3]),
            (&[600, 1, 1, 600, 1], &[1, 2, 1, 1]),
            (&[250, 250, 250, 250], &[4]),
            (&[250, 250, 250, 250, 250], &[2, 2, 1]),
            (&[0, 0, 0, 500], &[3, 1]),
        ] {
            assert_eq!(lengths(&divide(&[], named(sizes))), expected, "{sizes:?}");
        }
        assert_eq!(divide(&[], named(&[1; 1_000])).len(), 1);
        assert_eq!(divide(&[], named(&[1_000; 100])).len(), 100);
    }

    #[test]
    fn other_groups_stay_when_a_source_grows_appears_or_disappears() {
        let sources = named(&[100; 100]);
        let before = divide(&[], sources.clone());
        assert_eq!(before.len(), 20);
        let changed = |sources: Vec<(String, usize)>| {
            let after = divide(&first_names(&before), sources);
            before.iter().filter(|group| !after.contains(group)).count()
        };
        assert_eq!(changed(sources.clone()), 0);
        for (size, expected) in [(101, 0), (99, 0), (5_000, 1), (0, 0)] {
            let mut other = sources.clone();
            other[52].1 = size;
            assert_eq!(changed(other), expected, "{size}");
        }
        let mut fewer = sources.clone();
        fewer.remove(50);
        assert_eq!(changed(fewer), 1, "the first of its group");
        let mut more = sources.clone();
        more.insert(53, ("s0052a".to_owned(), 10));
        assert_eq!(changed(more), 1);
    }

    proptest! {
        #[test]
        fn groups_have_every_source_once_in_order_and_do_not_change_again(
            changes in prop::collection::vec(prop::collection::btree_map("[a-d]{1,3}", 0_usize..1_500, 0..40), 1..5),
        ) {
            let mut previous = Vec::new();
            for sources in changes {
                let listed: Vec<_> = sources.clone().into_iter().collect();
                let groups = divide(&first_names(&previous), listed.clone());
                prop_assert_eq!(groups.concat(), sources.keys().cloned().collect::<Vec<_>>());
                prop_assert_eq!(&divide(&first_names(&groups), listed), &groups);
                let size = |group: &Vec<String>| group.iter().map(|name| sources[name]).sum::<usize>();
                for group in &groups {
                    prop_assert!(group.len() == 1 || size(group) <= MAX_SHARED, "{group:?}");
                }
                for pair in groups.windows(2) {
                    prop_assert!(size(&pair[0]) + size(&pair[1]) >= LARGE, "{pair:?}");
                }
                previous = groups;
            }
        }
    }
}
