//! What a session's client has read, and what its person was told. It outlives the process.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ctxpin_model::hash::BlobHash;
use ctxpin_private_files::file;
use ctxpin_protocol::convert::resources;
use serde::{Deserialize, Serialize};

use super::state_files::StateFiles;
use crate::session::LocalSnapshot;

/// What is kept of sessions: those of some weeks.
const FILES: StateFiles = StateFiles {
    count_max: 256,
    bytes_max: 64 * 1024 * 1024,
};

/// The greatest size of what is kept of one session, in bytes. Two listings of as many resources as a snapshot has fit.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What the client has read, and what its person was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Read {
    /// The snapshot at the session's last start.
    pub snapshot: Option<Listing>,
    /// The snapshot of which the person was told last that it differs.
    pub told: Option<Listing>,
}

/// What a snapshot lists, as far as a change is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    pub snapshot: String,
    /// A hash of each resource, by its kind and its source.
    pub resources: BTreeMap<String, BTreeMap<String, String>>,
}

impl Listing {
    /// Lists the resources of a snapshot.
    pub fn of(local: &LocalSnapshot) -> Self {
        let mut listed: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for resource in &local.snapshot().resources {
            let shape = resources::resource(resource, None);
            let json = serde_json::to_vec(&shape).unwrap_or_default();
            let of_kind = listed.entry(shape.kind).or_default();
            of_kind.insert(shape.source, BlobHash::of(&json).hex());
        }
        Self {
            snapshot: local.id.to_string(),
            resources: listed,
        }
    }
}

/// The directory with what is kept of sessions.
#[derive(Debug)]
pub(super) struct KeptReads {
    directory: PathBuf,
}

impl KeptReads {
    /// Returns what is kept in a state directory.
    pub fn of(state_directory: &Path) -> Self {
        Self {
            directory: state_directory.join("sessions"),
        }
    }

    /// Returns what is kept of a session. What another release or somebody else has written counts as nothing.
    pub fn read(&self, session: &str) -> Read {
        let read = file::read(&self.path(session), FILE_BYTES_MAX).ok();
        let read = read.and_then(|(json, _)| serde_json::from_slice(&json).ok());
        read.unwrap_or_default()
    }

    /// Keeps what a session has read.
    pub fn keep(&self, session: &str, read: &Read) -> io::Result<()> {
        let json = serde_json::to_vec(read)?;
        match json.len() as u64 <= FILE_BYTES_MAX {
            true => FILES.write(&self.path(session), &json),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn path(&self, session: &str) -> PathBuf {
        let name = BlobHash::of(session.as_bytes()).hex();
        self.directory.join(format!("{name}.json"))
    }
}
