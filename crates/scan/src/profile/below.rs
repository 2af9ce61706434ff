//! The directories below the working directory, for tools that give the files there when they read a file beside
//! them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use crate::ScanError;
use crate::directory::LISTING_MAX;
use crate::gather::Gathering;

/// The greatest number of directories that are looked at. The tools have no limit, because they only look at the
/// directories of the files that they read.
const DIRECTORIES_MAX: usize = 50_000;

/// How deep below the working directory the scan looks.
const DEPTH_MAX: usize = 12;

/// The directory of git, in which no model works.
const GIT: &str = ".git";

/// Returns the directories below the working directory that have an entry of one of the names, those nearest to it
/// first. Follows no link, and does not look into directories called `closed`. `tool` is the tool's name for people.
///
/// # Errors
///
/// Fails if the caller has cancelled the scan.
pub(super) fn directories(
    working: &Path,
    names: &[&str],
    closed: &str,
    tool: &str,
    gathering: &mut Gathering,
) -> Result<Vec<PathBuf>, ScanError> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([(working.to_owned(), 0)]);
    let mut count = 1;
    while let Some((directory, depth)) = waiting.pop_front() {
        gathering.go_on()?;
        let Some(entries) = Entries::of(&directory, names, closed) else {
            continue;
        };
        if depth > 0 && entries.has_names {
            found.push(directory.clone());
        }
        if depth == DEPTH_MAX {
            continue;
        }
        for name in entries.directories {
            if count == DIRECTORIES_MAX {
                gathering.remark(format!(
                    "only {DIRECTORIES_MAX} directories were searched for files of {tool}"
                ));
                return Ok(found);
            }
            count += 1;
            waiting.push_back((directory.join(name), depth + 1));
        }
    }
    Ok(found)
}

/// What a directory holds, as far as it matters here.
struct Entries {
    /// The names of the directories in it, in their order, without links.
    directories: Vec<String>,
    /// Whether it has an entry of one of the names.
    has_names: bool,
}

impl Entries {
    /// Lists a directory. Returns `None` if it cannot be listed.
    fn of(directory: &Path, names: &[&str], closed: &str) -> Option<Self> {
        let mut entries = Self {
            directories: Vec::new(),
            has_names: false,
        };
        for entry in fs::read_dir(directory).ok()?.take(LISTING_MAX).flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            entries.has_names |= names.contains(&name.as_str());
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && ![GIT, closed].contains(&name.as_str()) {
                entries.directories.push(name);
            }
        }
        entries.directories.sort_unstable();
        Some(entries)
    }
}
