//! What scans found below the working directory, kept for later scans of the same project.
//!
//! In a large project the search for these directories takes longer than everything else that a scan does. A
//! change of a known file needs no search, so it shows sooner without one.

use std::collections::HashMap;
use std::path::PathBuf;

use ctxpin_model::warning::Note;

/// The number of directories from which on a search is kept. Searching fewer takes less time than a person notices.
const DIRECTORIES_KEPT_MIN: usize = 1_000;

/// The searches of earlier scans, for [`crate::scan_again`].
#[derive(Debug, Default)]
pub struct Searches(HashMap<Wanted, Found>);

/// What to search for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    /// The canonical path of the working directory.
    pub working: PathBuf,
    /// The names of which a directory must have one.
    pub names: Vec<&'static str>,
    /// The name of directories that are not looked into.
    pub closed: &'static str,
    /// The tool's name for people.
    pub tool: &'static str,
}

/// The result of a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// The directories that have one of the names, those nearest to the working directory first.
    pub directories: Vec<PathBuf>,
    /// The number of directories that were looked at, with the working directory.
    pub searched: usize,
    /// Why the search ended early.
    pub remark: Option<String>,
    /// The directories that were not searched.
    pub notes: Vec<Note>,
}

impl Searches {
    /// Lets the next scan search anew.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Returns whether the next scan searches anew.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what an earlier scan found.
    pub(crate) fn kept(&self, wanted: &Wanted) -> Option<&Found> {
        self.0.get(wanted)
    }

    /// Keeps what a scan found, if the search was large.
    pub(crate) fn keep(&mut self, wanted: Wanted, found: &Found) {
        if found.searched >= DIRECTORIES_KEPT_MIN {
            self.0.insert(wanted, found.clone());
        }
    }
}
