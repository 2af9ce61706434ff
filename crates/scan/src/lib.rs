//! Reads a workspace: finds the instruction files, the skills and the MCP configurations of its
//! roots, and signals when they may have changed.
//!
//! This is the only crate that reads a workspace's files. It knows no network, no async, no wire
//! format and no server. It starts no program and writes nothing. Others wrote the files, so every
//! size and every count has a limit, and the scan reads nothing outside a root.

mod barred_names;
mod boundary;
mod directory;
mod discover;
mod elsewhere;
mod file;
mod file_system;
mod gather;
mod imports;
mod known_files;
pub mod mcp_config;
mod path_text;
pub mod place;
pub mod profile;
mod project;
mod reader;
mod refused;
mod resolve;
pub mod roots;
mod searches;
mod settings;
pub mod signal;
mod skill;
pub mod trust;
mod unused;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::limits::{FACT_BYTES_MAX, cut};
use ctxpin_model::profile::Rules;
use ctxpin_model::resource::{Bodies, Kind};
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_model::warning::Note;

use crate::gather::Gathering;
use crate::place::Place;
use crate::roots::{Request, Roots};

pub use crate::directory::plain_path;
pub use crate::profile::{claude_code_settings, variables};
pub use crate::searches::Searches;
pub use crate::settings::settings;
pub use crate::unused::{Unfollowed, Unused};

/// The result of a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// The resources in their order, admitted under the limits of a snapshot.
    pub snapshot: Snapshot,
    /// The bytes that the snapshot stores, and no others.
    pub bodies: Bodies,
    /// Warnings that belong to no resource, such as ignored entries and files of other tools. At most
    /// [`ctxpin_model::warning::NOTES_MAX`].
    pub notes: Vec<Note>,
    /// The directories to watch for changes.
    pub places: Vec<Place>,
    /// Why resources are not used, by their sources. Of some, only their error says it.
    pub unused: HashMap<(Kind, String), Unused>,
    /// The imports that the profile's tool does not follow.
    pub unfollowed: Vec<Unfollowed>,
}

/// The error of a scan.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The path to scan does not exist.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// The working directory is not a directory.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The path to scan cannot be reached.
    #[error("{} cannot be read: {error}", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// The working directory, or the only root of a scan of one path, belongs to another user who is
    /// not trusted.
    #[error(
        "{} belongs to the user {owner} and not to you, and a model would be given what stands there; {}, or for everyone on this machine with the line `{}` in /etc/ctxpin/agent.toml",
        .path.display(), trust::advice(.path), trust::operator_line(.path)
    )]
    SomebodyElses {
        /// The canonical path.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
    /// The caller cancelled the scan, and must publish nothing of it.
    #[error("the scan was cancelled")]
    Cancelled,
}

/// Scans the roots of a request. Calls `cancelled` before each file. The snapshot lists what cannot be
/// used with the reason.
///
/// # Errors
///
/// Fails if the whole scan cannot start, and with [`ScanError::Cancelled`] if `cancelled` returns true.
pub fn scan(request: &Request, cancelled: &dyn Fn() -> bool) -> Result<Scan, ScanError> {
    scan_again(request, &mut Searches::default(), cancelled)
}

/// Scans as [`scan`] does, but searches the directories below the working directory only if `searches` does not hold
/// the result. It keeps the result of a large search there. Such a scan misses files in directories that had
/// none at the time of the search, until the caller calls [`Searches::forget`].
///
/// # Errors
///
/// Fails as [`scan`] does.
pub fn scan_again(
    request: &Request,
    searches: &mut Searches,
    cancelled: &dyn Fn() -> bool,
) -> Result<Scan, ScanError> {
    let roots = Roots::of(request)?;
    let common = roots.common();
    let mut gathering = Gathering::new(
        cancelled,
        &request.home,
        request.profile,
        Rc::clone(&common),
        searches,
    );
    gathering.places.await_repository(&roots);
    if let Some(left_out) = roots.left_out() {
        gathering.leave_out(left_out);
    }
    let mut boundaries = roots.boundaries(&profile::personal_folders(request), common);
    let rules = profile::find(request, &roots, &mut boundaries, &mut gathering)?;
    let admitting = roots.admitting();
    Ok(gathering.finish(facts(&roots.directory, rules), &admitting))
}

fn facts(directory: &Path, rules: Option<Rules>) -> Facts {
    Facts {
        os: Some(std::env::consts::OS.to_owned()),
        directory: Some(cut(&directory.to_string_lossy(), FACT_BYTES_MAX).to_owned()),
        rules,
    }
}
