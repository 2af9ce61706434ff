//! The directories below the working directory. Claude Code gives their files when it reads a file in them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ctxpin_model::claude_code::LOCAL_NAME;
use ctxpin_model::resource::Applies;

use super::super::below;
use super::walk::{Item, Scope, Walk};
use super::{AGENTS_NAME, FOLDER, NAME, RULES, rules};
use crate::ScanError;
use crate::path_text::source_text;
use crate::searches::Wanted;

/// Returns the directories below that have a file, those nearest to the working directory first.
pub fn directories(walk: &mut Walk, has_agents_md: bool) -> Result<Vec<PathBuf>, ScanError> {
    let mut names = vec![NAME, LOCAL_NAME, FOLDER];
    names.extend(has_agents_md.then_some(AGENTS_NAME));
    let wanted = Wanted {
        working: walk.working().to_owned(),
        names,
        closed: FOLDER,
        tool: "Claude Code",
    };
    below::directories(wanted, walk.gathering)
}

/// Adds the files of directories below. A file that is there already stays as it is.
pub fn add(
    walk: &mut Walk,
    directories: &[PathBuf],
    seen: &mut HashSet<PathBuf>,
    items: &mut Vec<Item>,
) -> Result<(), ScanError> {
    for directory in directories {
        files(walk, directory, seen, items)?;
    }
    Ok(())
}

/// Adds the files of one directory.
fn files(
    walk: &mut Walk,
    directory: &Path,
    seen: &mut HashSet<PathBuf>,
    items: &mut Vec<Item>,
) -> Result<(), ScanError> {
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
    apply(&mut items[start..], directory);
    Ok(())
}

/// Notes that files are for those below a directory, unless they are for fewer.
pub fn apply(items: &mut [Item], directory: &Path) {
    for item in items {
        let resource = &mut item.finding.resource;
        resource.applies.get_or_insert_with(|| Applies {
            below: source_text(directory).0,
            globs: Vec::new(),
        });
    }
}
