//! The newest heads that agents had when sessions did something. Evidence is compared with them too, because a person or a
//! tool may have said a text of a head that no client has read.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use ctxpin_model::hash::SnapshotId;
use uuid::Uuid;

use super::pins::Pin;
use crate::session::LocalSnapshot;

/// How many heads of one agent are kept. A conversation seldom has a text that was edited more often since.
const HEADS_MAX: usize = 16;

/// The greatest size of the texts of all heads, in bytes. The oldest heads make room.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The kept heads, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Heads {
    heads: VecDeque<Head>,
    /// The agents of which a head is not kept any more.
    forgotten: HashSet<Uuid>,
}

/// A head of an agent.
#[derive(Debug, Clone)]
pub(super) struct Head {
    agent: Uuid,
    pub id: SnapshotId,
    pub pin: Arc<Pin>,
    bytes: usize,
}

impl Heads {
    /// Keeps the head of an agent. One that is kept already stays where it is, so that an agent whose files change back has
    /// the same heads as before.
    pub fn note(&mut self, agent: Uuid, head: &LocalSnapshot) {
        let mut kept = self.heads.iter();
        if kept.any(|kept| kept.agent == agent && kept.id == head.id) {
            return;
        }
        let pin = Pin::of(head);
        let bytes = pin.bodies.values().map(|body| body.len()).sum();
        self.heads.push_back(Head {
            agent,
            id: head.id,
            pin: Arc::new(pin),
            bytes,
        });
        let is_of_agent = |head: &&Head| head.agent == agent;
        if self.heads.iter().filter(is_of_agent).count() > HEADS_MAX
            && let Some(oldest) = self.heads.iter().position(|head| head.agent == agent)
        {
            self.heads.remove(oldest);
            self.forgotten.insert(agent);
        }
        while self.heads.len() > 1
            && self.heads.iter().map(|head| head.bytes).sum::<usize>() > BYTES_MAX
        {
            let oldest = self.heads.pop_front();
            self.forgotten.extend(oldest.map(|oldest| oldest.agent));
        }
    }

    /// Returns whether an agent had heads that are not kept any more.
    pub fn has_forgotten(&self, agent: Uuid) -> bool {
        self.forgotten.contains(&agent)
    }

    /// Returns what a client gives its model of a head.
    pub fn pin(&self, id: SnapshotId) -> Option<Arc<Pin>> {
        let mut heads = self.heads.iter();
        let head = heads.find(|head| head.id == id)?;
        Some(Arc::clone(&head.pin))
    }

    /// Returns the heads of an agent, the oldest first.
    pub fn of(&self, agent: Uuid) -> Vec<Head> {
        let heads = self.heads.iter().filter(|head| head.agent == agent);
        heads.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_model::resource::Bodies;
    use ctxpin_model::snapshot::Snapshot;
    use ctxpin_scan::Scan;

    use super::*;
    use crate::reading::ProjectScan;

    fn snapshot(directory: usize) -> LocalSnapshot {
        let mut snapshot = Snapshot::default();
        snapshot.facts.directory = Some(format!("/{directory}"));
        let scan = Scan {
            snapshot,
            bodies: Bodies::new(),
            notes: Vec::new(),
            places: Vec::new(),
            unused: [].into(),
            unfollowed: Vec::new(),
        };
        LocalSnapshot::of(Arc::new(ProjectScan::new(scan, None, 0)))
    }

    #[test]
    fn the_newest_heads_of_each_agent_are_kept() {
        let mut heads = Heads::default();
        let [one, two] = [1, 2].map(Uuid::from_u128);
        heads.note(two, &snapshot(0));
        for number in 0..HEADS_MAX + 2 {
            heads.note(one, &snapshot(number));
            heads.note(one, &snapshot(number.saturating_sub(1)));
        }
        let directories = |agent| {
            let heads = heads.of(agent).into_iter();
            let directories = heads.map(|head| head.pin.snapshot.facts.directory.clone().unwrap());
            directories.collect::<Vec<_>>()
        };
        let expected: Vec<_> = (2..HEADS_MAX + 2)
            .map(|number| format!("/{number}"))
            .collect();
        assert_eq!(directories(one), expected);
        assert!(heads.has_forgotten(one) && !heads.has_forgotten(two));
        assert_eq!(directories(two), ["/0"]);
    }
}
