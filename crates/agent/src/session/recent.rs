//! The snapshots of the last minutes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::LocalSnapshot;
use crate::shared::lock;

/// The greatest number of snapshots besides the newest.
const COUNT_MAX: usize = 16;

/// The greatest size of their bodies together, in bytes.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The newest snapshots of an agent, each with the time from which it was the newest.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Snapshots>);

#[derive(Debug, Default)]
struct Snapshots {
    /// The oldest first.
    kept: VecDeque<(Instant, Arc<LocalSnapshot>)>,
    has_forgotten: bool,
}

impl Recent {
    /// Adds the newest snapshot, unless it is that already. The oldest ones make room.
    pub fn add(&self, at: Instant, snapshot: Arc<LocalSnapshot>) {
        let mut known = lock(&self.0);
        let newest = known.kept.back();
        if newest.is_some_and(|(_, newest)| newest.id == snapshot.id) {
            return;
        }
        known.kept.push_back((at, snapshot));
        let earlier = known.kept.iter().rev().skip(1);
        let kept = earlier.scan((0, 0), |(count, bytes), (_, snapshot)| {
            *count += 1;
            *bytes += snapshot
                .bodies()
                .values()
                .map(|body| body.len())
                .sum::<usize>();
            (*count <= COUNT_MAX && *bytes <= BYTES_MAX).then_some(())
        });
        let surplus = known.kept.len() - 1 - kept.count();
        known.kept.drain(..surplus);
        known.has_forgotten |= surplus > 0;
    }

    /// Returns whether there were snapshots before these.
    pub fn has_forgotten(&self) -> bool {
        lock(&self.0).has_forgotten
    }

    /// Returns all of them, the oldest first.
    pub fn all(&self) -> Vec<Arc<LocalSnapshot>> {
        let known = lock(&self.0);
        let snapshots = known.kept.iter().map(|(_, snapshot)| Arc::clone(snapshot));
        snapshots.collect()
    }

    /// Returns the snapshot that was the newest at a time. `None` if it is not known any more, or was none yet.
    pub fn at(&self, time: Instant) -> Option<Arc<LocalSnapshot>> {
        let known = lock(&self.0);
        let mut until = known.kept.iter().rev();
        let found = until.find(|(since, _)| *since <= time);
        found.map(|(_, snapshot)| Arc::clone(snapshot))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ctxpin_model::hash::BlobHash;
    use ctxpin_model::resource::Bodies;
    use ctxpin_model::snapshot::Snapshot;
    use ctxpin_scan::Scan;

    use super::*;
    use crate::reading::ProjectScan;

    fn snapshot(directory: usize, bytes: usize) -> Arc<LocalSnapshot> {
        let mut snapshot = Snapshot::default();
        snapshot.facts.directory = Some(format!("/{directory}"));
        let body = vec![0; bytes];
        let scan = Scan {
            snapshot,
            bodies: Bodies::from([(BlobHash::of(&body), body.into())]),
            notes: Vec::new(),
            places: Vec::new(),
            unused: [].into(),
            unfollowed: Vec::new(),
        };
        Arc::new(LocalSnapshot::of(Arc::new(ProjectScan::new(scan, None, 0))))
    }

    #[test]
    fn the_newest_at_a_time_is_known_within_bounds() {
        let recent = Recent::default();
        let begin = Instant::now();
        let at = |second: usize| begin + Duration::from_secs(second as u64);
        let found = |time| {
            let found = recent.at(time)?;
            found.snapshot().facts.directory.clone()
        };
        for second in 0..20 {
            recent.add(at(second), snapshot(second, 1));
        }
        assert_eq!(found(at(19)).as_deref(), Some("/19"));
        assert_eq!(
            found(at(19) - Duration::from_millis(1)).as_deref(),
            Some("/18")
        );
        assert_eq!(found(at(3)).as_deref(), Some("/3"));
        assert_eq!(found(at(2)), None, "16 are known besides the newest");
        recent.add(at(20), snapshot(19, 1));
        assert_eq!(found(at(3)).as_deref(), Some("/3"), "it was there already");
        recent.add(at(20), snapshot(20, BYTES_MAX));
        assert_eq!(
            found(at(19)).as_deref(),
            Some("/19"),
            "the newest has no bound"
        );
        recent.add(at(21), snapshot(21, 1));
        assert_eq!(found(at(20)).as_deref(), Some("/20"));
        assert_eq!(found(at(19)), None);
    }
}
