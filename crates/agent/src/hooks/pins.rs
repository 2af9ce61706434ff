//! The snapshots that clients have read here. Evidence is compared with them, also after a restart.

use std::borrow::Borrow;
use std::io;
use std::path::{Path, PathBuf};

use ctxpin_model::hash::SnapshotId;
use ctxpin_model::manifest::agent_blobs::AgentBlobs;
use ctxpin_model::manifest::judge::judge;
use ctxpin_model::resource::{Bodies, Kind};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_private_files::file;
use ctxpin_protocol::convert::manifest;

use super::state_files::StateFiles;
use crate::session::LocalSnapshot;

/// The snapshots that are kept: more than a person reads in the sessions of some weeks.
const FILES: StateFiles = StateFiles {
    count_max: 128,
    bytes_max: 256 * 1024 * 1024,
};

/// The greatest size of one file. Skills can make a snapshot larger; evidence about it then is not made.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The directory with the kept snapshots.
#[derive(Debug)]
pub(super) struct Pins {
    directory: PathBuf,
}

/// The instruction files and the `SKILL.md` files of a snapshot.
#[derive(Debug)]
pub(super) struct Pin {
    pub snapshot: Snapshot,
    pub bodies: Bodies,
}

impl Pin {
    /// Takes from a snapshot what a client gives its model.
    pub fn of(local: &LocalSnapshot) -> Self {
        let mut snapshot = local.snapshot().clone();
        snapshot
            .resources
            .retain(|resource| matches!(resource.kind, Kind::InstructionFile | Kind::Skill));
        for resource in &mut snapshot.resources {
            resource.files.clear();
        }
        let stored = snapshot.stored();
        let mut bodies = local.bodies().clone();
        bodies.retain(|hash, _| stored.contains(hash));
        Self { snapshot, bodies }
    }
}

impl Pins {
    /// Returns the snapshots in a directory.
    pub fn of(state_directory: &Path) -> Self {
        Self {
            directory: state_directory.join("pins"),
        }
    }

    /// Keeps a snapshot. The ones that were needed least recently make room.
    pub fn keep(&self, local: &LocalSnapshot) -> io::Result<()> {
        self.keep_pin(local.id, || Pin::of(local))
    }

    /// Keeps what a client gives its model of a snapshot.
    pub fn keep_pin<P: Borrow<Pin>>(
        &self,
        id: SnapshotId,
        pin: impl FnOnce() -> P,
    ) -> io::Result<()> {
        let path = self.path(id);
        if file::touch(&path).is_ok() {
            return Ok(());
        }
        let pin = pin();
        let Pin { snapshot, bodies } = pin.borrow();
        // The shape of a push holds it all; the numbers of a push say nothing here.
        let shape = manifest::push(1, 1, true, snapshot, &[], bodies);
        let json = serde_json::to_vec(&shape)?;
        if json.len() as u64 > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        FILES.write(&path, &json)
    }

    /// Returns a kept snapshot.
    pub fn read(&self, id: SnapshotId) -> Option<Pin> {
        let path = self.path(id);
        let (json, _) = file::read(&path, FILE_BYTES_MAX).ok()?;
        // The next snapshot takes the place of others than this one.
        let _ = file::touch(&path);
        let push = manifest::read(serde_json::from_slice(&json).ok()?).ok()?;
        let mut blobs = AgentBlobs::default();
        blobs.add(push.manifest.blobs());
        let snapshot = judge(&push.manifest, None, &blobs);
        Some(Pin {
            bodies: blobs.read().clone(),
            snapshot,
        })
    }

    fn path(&self, id: SnapshotId) -> PathBuf {
        self.directory.join(format!("{}.json", id.hex()))
    }
}
