//! What scans found below the working directory, kept for later scans of the same project.
//!
//! In a large project the search for these directories takes longer than everything else that a scan does. A
//! change of a known file needs no search, so it shows sooner without one.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use ctxpin_model::warning::Note;

/// The number of directories from which on a search is kept. Searching fewer takes less time than a person notices.
const DIRECTORIES_KEPT_MIN: usize = 1_000;

/// The searches of earlier scans, for [`crate::scan_again`].
#[derive(Debug, Default)]
pub struct Searches {
    kept: HashMap<Wanted, Found>,
    /// The canonical paths of directories that no search looks into.
    passed_over: HashSet<PathBuf>,
}

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
    /// Makes searches that look into none of these directories, which have canonical paths.
    pub fn without(passed_over: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            kept: HashMap::new(),
            passed_over: passed_over.into_iter().collect(),
        }
    }

    /// Lets the next scan search anew.
    pub fn forget(&mut self) {
        self.kept.clear();
    }

    /// Returns whether the next scan searches anew.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Returns the directories that no search looks into.
    pub(crate) fn passed_over(&self) -> &HashSet<PathBuf> {
        &self.passed_over
    }

    /// Returns what an earlier scan found.
    pub(crate) fn kept(&self, wanted: &Wanted) -> Option<&Found> {
        self.kept.get(wanted)
    }

    /// Keeps what a scan found, if the search was large.
    pub(crate) fn keep(&mut self, wanted: Wanted, found: &Found) {
        if found.searched >= DIRECTORIES_KEPT_MIN {
            self.kept.insert(wanted, found.clone());
        }
    }
}
