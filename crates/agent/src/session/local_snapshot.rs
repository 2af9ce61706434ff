//! The snapshot of a scan, before it is pushed.

use std::collections::BTreeSet;
use std::sync::Arc;

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::warning::{Note, notes_to_json};
use ctxpin_protocol::control::ScanSummary;
use ctxpin_protocol::convert::resources;

use crate::reading::ProjectScan;

/// The snapshot of a scan with its hashes, to compare with the server's head.
#[derive(Debug)]
pub(crate) struct LocalSnapshot {
    scan: Arc<ProjectScan>,
    pub id: SnapshotId,
    /// The hash of the notes, which the snapshot's id does not cover.
    pub notes_hash: BlobHash,
}

impl LocalSnapshot {
    /// Returns the snapshot of a scan, with its hashes.
    pub fn of(scan: Arc<ProjectScan>) -> Self {
        Self {
            id: scan.snapshot.addresses().id,
            notes_hash: BlobHash::of(notes_to_json(&scan.notes).as_bytes()),
            scan,
        }
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.scan.snapshot
    }

    /// Returns the bytes that the snapshot stores.
    pub fn bodies(&self) -> &Bodies {
        &self.scan.bodies
    }

    /// Returns the notes on the workspace that concern no single resource.
    pub fn notes(&self) -> &[Note] {
        &self.scan.notes
    }

    /// Returns why files are polled, unless they are watched.
    pub fn polling(&self) -> Option<&str> {
        self.scan.polling.as_deref()
    }

    /// Returns the number of the last resync that a push of this snapshot answers.
    pub fn resync(&self) -> u64 {
        self.scan.resync
    }

    /// Returns the hashes of all bytes that the snapshot stores.
    pub fn stored(&self) -> BTreeSet<BlobHash> {
        self.snapshot().stored()
    }

    /// Returns how many resources cannot be used.
    pub fn unusable(&self) -> usize {
        self.scan.unusable()
    }

    /// Returns the summary for the control socket.
    pub fn to_wire(&self) -> ScanSummary {
        ScanSummary {
            snapshot: self.id.to_string(),
            resources: self.snapshot().resources.len() as u64,
            unusable: self.unusable() as u64,
            error: self.snapshot().error.clone(),
            notes: self.notes().iter().map(resources::note).collect(),
        }
    }
}
