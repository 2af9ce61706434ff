//! Reads a workspace: finds the instruction files, the skills and the MCP configurations of its
//! roots, and says when they may have changed.
//!
//! This is the only crate that reads a workspace's files. It knows no network, no async, no wire
//! format and no server; it starts no program and writes nothing. Whatever it reads was written by
//! others, so every size and every count is bounded, and nothing outside a root is ever read.

mod boundary;
mod directory;
mod discover;
mod elsewhere;
mod file;
mod file_system;
mod gather;
mod imports;
mod layout;
pub mod mcp_config;
mod names;
mod path_text;
pub mod place;
mod project;
mod reader;
mod refused;
mod resolve;
pub mod roots;
mod settings;
pub mod signal;
mod skill;
pub mod trust;

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::limits::{FACT_BYTES_MAX, cut};
use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_model::warning::Note;

use crate::gather::Gathering;
use crate::place::Place;
use crate::roots::{Request, Roots};

pub use crate::settings::settings;

/// What a scan found.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// The resources in their order, admitted under the limits of a snapshot.
    pub snapshot: Snapshot,
    /// The bytes that the snapshot stores, and no others.
    pub bodies: Bodies,
    /// What there is to know of the workspace that no resource tells: imports that lead nowhere, entries
    /// that were passed over, files of other tools. At most [`ctxpin_model::warning::NOTES_MAX`].
    pub notes: Vec<Note>,
    /// The directories to watch, so that no change goes unseen.
    pub places: Vec<Place>,
}

/// Why there is no scan.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// What should be scanned is not there.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A working directory that is something else.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// What should be scanned cannot be reached.
    #[error("{} cannot be read: {error}", .path.display())]
    Unreadable {
        /// What should be scanned.
        path: PathBuf,
        /// Why it cannot be reached.
        #[source]
        error: io::Error,
    },
    /// The working directory, or the one root, is somebody else's, and nobody said that it is trusted.
    #[error(
        "{} belongs to the user {owner} and not to you, and a model would be given what stands there; {}, or for everyone on this machine with the line `{}` in /etc/ctxpin/agent.toml",
        .path.display(), trust::advice(.path), trust::operator_line(.path)
    )]
    SomebodyElses {
        /// The canonical path.
        path: PathBuf,
        /// The number of that user.
        owner: u32,
    },
    /// The caller no longer wants it. Nothing of it may be published.
    #[error("the scan was cancelled")]
    Cancelled,
}

/// Scans the roots of a request. What cannot be used is listed with its reason; only what keeps
/// the whole scan from starting is an error. `cancelled` is asked before each file.
pub fn scan(request: &Request, cancelled: &dyn Fn() -> bool) -> Result<Scan, ScanError> {
    let roots = Roots::of(request)?;
    let common = roots.common();
    let mut gathering = Gathering::new(cancelled, &request.home, Rc::clone(&common));
    gathering.places.await_repository(&roots);
    if let Some(left_out) = roots.left_out() {
        gathering.leave_out(left_out);
    }
    let mut boundaries = roots.boundaries(common);
    for root in &roots.list {
        discover::root(root, &mut boundaries, &mut gathering)?;
    }
    let admitting = roots.admitting();
    Ok(gathering.finish(facts(&roots.directory), &admitting))
}

fn facts(directory: &Path) -> Facts {
    Facts {
        os: Some(std::env::consts::OS.to_owned()),
        directory: Some(cut(&directory.to_string_lossy(), FACT_BYTES_MAX).to_owned()),
    }
}
