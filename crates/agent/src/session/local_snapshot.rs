//! What a scan found, ready to be pushed.

use std::collections::BTreeSet;

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::limits::{ERROR_BYTES_MAX, cut};
use ctxpin_model::resource::{Bodies, Resource, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::warning::{Note, notes_to_json};
use ctxpin_protocol::control;
use ctxpin_protocol::convert::resources;
use ctxpin_scan::Scan;

/// What a scan found. It is never changed: the next scan makes another one.
#[derive(Debug)]
pub(crate) struct Found {
    /// The resources in their order.
    pub snapshot: Snapshot,
    /// The snapshot's id.
    pub id: SnapshotId,
    /// The bytes that the snapshot stores.
    pub bodies: Bodies,
    /// What there is to know of the workspace that no resource tells.
    pub notes: Vec<Note>,
    /// The hash of the notes, which are not in the snapshot's.
    pub notes_hash: BlobHash,
    /// The greatest number of a resync that was asked for before the scan began: that one is
    /// answered by the push of this.
    pub demand: u64,
}

impl Found {
    /// Takes over what a scan found. `polling` says why files are not watched, which belongs to
    /// the snapshot's error: what it holds may be two seconds old.
    pub fn new(scan: Scan, polling: Option<&str>, demand: u64) -> Self {
        let mut snapshot = scan.snapshot;
        if let Some(reason) = polling {
            let notice = format!("files are polled, not watched: {reason}");
            let whole = match &snapshot.error {
                Some(error) => format!("{error}; {notice}"),
                None => notice,
            };
            snapshot.error = Some(cut(&whole, ERROR_BYTES_MAX).to_owned());
        }
        Self {
            id: snapshot.addresses().id,
            snapshot,
            bodies: scan.bodies,
            notes_hash: BlobHash::of(notes_to_json(&scan.notes).as_bytes()),
            notes: scan.notes,
            demand,
        }
    }

    /// The hashes of all bytes that the snapshot stores.
    pub fn stored(&self) -> BTreeSet<BlobHash> {
        let resources = self.snapshot.resources.iter();
        resources.flat_map(Resource::stored).collect()
    }

    /// How many resources cannot be used.
    pub fn unusable(&self) -> usize {
        let resources = self.snapshot.resources.iter();
        resources.filter(|r| r.status != Status::Ok).count()
    }

    /// It as the control socket tells it.
    pub fn told(&self) -> control::Found {
        control::Found {
            snapshot: self.id.to_string(),
            resources: self.snapshot.resources.len() as u64,
            unusable: self.unusable() as u64,
            error: self.snapshot.error.clone(),
            notes: self.notes.iter().map(resources::note).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_is_part_of_the_snapshot() {
        let check = |error: Option<&str>, polling, expected: Option<&str>| {
            let snapshot = Snapshot {
                error: error.map(str::to_owned),
                ..Snapshot::default()
            };
            let scan = Scan {
                snapshot,
                bodies: Bodies::new(),
                notes: Vec::new(),
                places: Vec::new(),
            };
            let found = Found::new(scan, polling, 0);
            assert_eq!(found.snapshot.error.as_deref(), expected);
            assert_eq!(found.id, found.snapshot.addresses().id);
        };
        check(None, None, None);
        check(
            None,
            Some("a limit"),
            Some("files are polled, not watched: a limit"),
        );
        check(
            Some("a cap"),
            Some("a limit"),
            Some("a cap; files are polled, not watched: a limit"),
        );
        let long = "x".repeat(ERROR_BYTES_MAX);
        check(Some(&long), Some("a limit"), Some(&long));
    }
}
