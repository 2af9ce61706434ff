//! The directories below the working directory. Claude Code gives their files when it reads a file in them.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use ctxpin_model::claude_code::LOCAL_NAME;
use ctxpin_model::resource::Applies;

use super::walk::{Item, Scope, Walk};
use super::{FOLDER, NAME, RULES, rules};
use crate::ScanError;
use crate::directory::LISTING_MAX;
use crate::path_text::source_text;

/// The greatest number of directories that are looked at. Claude Code has no limit, because it only looks at
/// the directories of the files that it reads.
const DIRECTORIES_MAX: usize = 50_000;

/// How deep below the working directory the scan looks.
const DEPTH_MAX: usize = 12;

/// The directory of git, in which no model works.
const GIT: &str = ".git";

/// Adds the files of each directory below, those nearest to the working directory first. A file that is
/// there already stays as it is.
pub fn add(
    walk: &mut Walk,
    seen: &mut HashSet<PathBuf>,
    items: &mut Vec<Item>,
) -> Result<(), ScanError> {
    let mut waiting = VecDeque::from([(walk.working().to_owned(), 0)]);
    let mut count = 1;
    while let Some((directory, depth)) = waiting.pop_front() {
        walk.gathering.go_on()?;
        let Some(entries) = Entries::of(&directory) else {
            continue;
        };
        if depth > 0 {
            files(walk, &directory, &entries, seen, items)?;
        }
        if depth == DEPTH_MAX {
            continue;
        }
        for name in entries.directories {
            if count == DIRECTORIES_MAX {
                walk.gathering.remark(format!(
                    "only {DIRECTORIES_MAX} directories were searched for files of Claude Code"
                ));
                return Ok(());
            }
            count += 1;
            waiting.push_back((directory.join(name), depth + 1));
        }
    }
    Ok(())
}

/// What a directory holds, as far as it matters here.
struct Entries {
    /// The names of the directories in it, in their order, without links.
    directories: Vec<String>,
    has_files: bool,
}

impl Entries {
    /// Lists a directory. Returns `None` if it cannot be listed.
    fn of(directory: &Path) -> Option<Self> {
        let mut entries = Self {
            directories: Vec::new(),
            has_files: false,
        };
        for entry in fs::read_dir(directory).ok()?.take(LISTING_MAX).flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            entries.has_files |= [NAME, LOCAL_NAME, FOLDER].contains(&name.as_str());
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && ![GIT, FOLDER].contains(&name.as_str()) {
                entries.directories.push(name);
            }
        }
        entries.directories.sort_unstable();
        Some(entries)
    }
}

/// Adds the files of one directory.
fn files(
    walk: &mut Walk,
    directory: &Path,
    entries: &Entries,
    seen: &mut HashSet<PathBuf>,
    items: &mut Vec<Item>,
) -> Result<(), ScanError> {
    if !entries.has_files {
        return Ok(());
    }
    let start = items.len();
    let inside = directory.join(FOLDER);
    for name in [directory.join(NAME), inside.join(NAME)] {
        walk.file(&name, Scope::Project, directory, seen, items)?;
    }
    let local = directory.join(LOCAL_NAME);
    walk.file(&local, Scope::Local, directory, seen, items)?;
    let folder = inside.join(RULES);
    rules::add(walk, &folder, Scope::Project, directory, false, seen, items)?;
    let mut conditional = HashSet::new();
    rules::add(
        walk,
        &folder,
        Scope::Project,
        directory,
        true,
        &mut conditional,
        items,
    )?;
    for item in &mut items[start..] {
        let resource = &mut item.finding.resource;
        resource.applies.get_or_insert_with(|| Applies {
            below: source_text(directory).0,
            globs: Vec::new(),
        });
    }
    Ok(())
}
