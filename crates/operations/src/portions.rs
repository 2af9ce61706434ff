//! Portions of a list whose items compare snapshots. The snapshots of one portion are in memory at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ctxpin_model::hash::SnapshotId;

/// The most resources and files of snapshots that are in memory at a time: sixteen of the largest snapshots, or
/// hundreds of usual ones.
const ENTRIES_AT_ONCE: u64 = 32_768;

/// Returns the portions of a list, in its order. `entries` is how many resources and files each snapshot has. An
/// item whose snapshots are too large for a portion is one by itself.
pub(crate) fn portions<I>(
    items: impl IntoIterator<Item = I>,
    entries: &BTreeMap<SnapshotId, u64>,
) -> Vec<Range<usize>>
where
    I: IntoIterator<Item = SnapshotId>,
{
    let mut portions: Vec<Range<usize>> = Vec::new();
    let (mut held, mut count) = (BTreeSet::new(), 0);
    for (index, item) in items.into_iter().enumerate() {
        let item: BTreeSet<_> = item.into_iter().collect();
        let sum = |ids: &mut dyn Iterator<Item = &SnapshotId>| -> u64 {
            ids.map(|id| entries.get(id).copied().unwrap_or(0)).sum()
        };
        let more = sum(&mut item.difference(&held));
        match portions.last_mut() {
            Some(portion) if count + more <= ENTRIES_AT_ONCE => {
                portion.end = index + 1;
                count += more;
                held.extend(item);
            }
            _ => {
                portions.push(index..index + 1);
                count = sum(&mut item.iter());
                held = item;
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_of_a_portion_fit_into_memory() {
        let id = |name: &str| SnapshotId::of(name.as_bytes());
        let entries: BTreeMap<_, _> = [
            ("small", 1),
            ("half", ENTRIES_AT_ONCE / 2),
            ("other half", ENTRIES_AT_ONCE / 2),
            ("too large", ENTRIES_AT_ONCE + 1),
        ]
        .map(|(name, count)| (id(name), count))
        .into();
        let check = |items: &[&[&str]], expected: &[Range<usize>]| {
            let items = items
                .iter()
                .map(|item| item.iter().copied().map(id).collect::<Vec<_>>());
            assert_eq!(portions(items, &entries), expected);
        };
        check(&[], &[]);
        check(&[&["small", "half"], &["other half"]], &[0..1, 1..2]);
        check(&[&["half"], &["other half"], &["small"]], &[0..2, 2..3]);
        // A snapshot that several items share is in memory once.
        let shared: Vec<&[&str]> = vec![&["half", "other half"]; 100];
        check(&shared, std::slice::from_ref(&(0..100)));
        check(
            &[&["small"], &["too large"], &[], &["small"]],
            &[0..1, 1..2, 2..4],
        );
    }
}
