//! `AGENTS.md`, which Claude Code's built-in plugin reads.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ctxpin_model::claude_code::NAMES;
use ctxpin_model::resource::Kind;

use super::super::passed_over;
use super::below::{self, Ways};
use super::walk::{Item, Scope, Seen, Walk};
use super::{AGENTS_NAME, FOLDER, Level, NAME};
use crate::ScanError;
use crate::path_text::source_text;

/// The files of a directory, in their order.
const AGENTS_NAMES: [&str; 2] = [AGENTS_NAME, ".claude/AGENTS.md"];

/// The files below the working directory, which count if those of the directories above do.
pub struct Below {
    /// Whether a directory's files count only if it has no file of Claude Code's own name.
    is_fallback: bool,
    /// What the model is given at the start, which it is not given again.
    given: HashSet<String>,
}

/// Adds the files of all directories among the others. As a fallback, they count only if no directory has a
/// file of Claude Code's own name. Returns `None` if they do not count.
pub fn add(
    walk: &mut Walk,
    levels: &[Level],
    is_fallback: bool,
    items: &mut Vec<Item>,
) -> Result<Option<Below>, ScanError> {
    if is_fallback && let Some(own) = own_name(walk, levels, items)? {
        leave_out(walk, levels, &own, items);
        return Ok(None);
    }
    let mut found = of_project(walk, levels, &AGENTS_NAMES)?;
    let mut paths: HashSet<_> = items.iter().map(|item| item.source().to_owned()).collect();
    let of_project = items.iter().filter(|item| item.scope != Scope::User);
    let texts: HashSet<_> = of_project.filter_map(text).collect();
    found.retain(|item| {
        let is_double = text(item).is_some_and(|text| !text.is_empty() && texts.contains(&text));
        !is_double && paths.insert(item.source().to_owned())
    });
    insert(items, found);
    let given = items.iter().filter(|item| item.scope != Scope::User);
    let given = given.filter_map(text).filter(|text| !text.is_empty());
    Ok(Some(Below {
        is_fallback,
        given: given.collect(),
    }))
}

impl Below {
    /// Adds the files of directories below the working directory. `items` has the other files of these directories, to
    /// which the `ways` lead. `due` has the sources of the files that every request holds.
    pub fn add(
        &self,
        walk: &mut Walk,
        directories: &[PathBuf],
        ways: &Ways,
        due: &HashSet<String>,
        items: &mut Vec<Item>,
    ) -> Result<(), ScanError> {
        let own = items.iter().filter(|item| is_own(item));
        let own: HashSet<_> = own.map(|item| item.top.clone()).collect();
        let mut agents_ways = Ways::default();
        for directory in directories {
            let has_own = NAMES.iter().any(|name| own.contains(&directory.join(name)));
            if !(self.is_fallback && has_own) {
                walk.next_directory();
                let mut way = agents_ways.to(directory);
                way.begin_behind(ways.last(directory));
                let mut found = self.files(walk, directory, &mut way.seen)?;
                way.put_in_order(&mut found, due);
                agents_ways.keep(directory, way);
                items.append(&mut found);
            }
        }
        Ok(())
    }

    /// Returns the files of one directory.
    fn files(
        &self,
        walk: &mut Walk,
        directory: &Path,
        seen: &mut Seen,
    ) -> Result<Vec<Item>, ScanError> {
        let mut found = Vec::new();
        for name in AGENTS_NAMES {
            let path = directory.join(name);
            walk.file(&path, Scope::Project, directory, seen, &mut found)?;
        }
        found.retain(|item| text(item).is_none_or(|text| !self.given.contains(&text)));
        below::apply(&mut found, directory);
        Ok(found)
    }
}

/// Returns whether a file has a name of Claude Code's own, and something for the model.
fn is_own(item: &Item) -> bool {
    let is_named = item.scope != Scope::User && NAMES.iter().any(|name| item.top.ends_with(name));
    is_named && item.finding.resource.imported_by.is_none() && item.is_given()
}

/// Reads the files of some names in the project's directories, as if only the person's file had been read before.
fn of_project(walk: &mut Walk, levels: &[Level], names: &[&str]) -> Result<Vec<Item>, ScanError> {
    let mut found = Vec::new();
    let mut seen = Seen::default();
    seen.insert(walk.home().join(NAME));
    for level in levels.iter().filter(|level| level.is_project) {
        for name in names {
            let path = level.directory.join(name);
            walk.file(
                &path,
                Scope::Project,
                &level.directory,
                &mut seen,
                &mut found,
            )?;
        }
    }
    Ok(found)
}

/// Returns the path of a file of Claude Code's own name that is not blank, if a directory has one.
fn own_name(
    walk: &mut Walk,
    levels: &[Level],
    items: &[Item],
) -> Result<Option<String>, ScanError> {
    let own = |items: &[Item]| {
        let mut own = items.iter().filter(|item| is_own(item));
        own.next().map(|item| item.source().to_owned())
    };
    if let Some(own) = own(items) {
        return Ok(Some(own));
    }
    Ok(own(&of_project(walk, levels, &NAMES)?))
}

/// Adds the project's files with the reason why they do not count: the file at `own`.
fn leave_out(walk: &Walk, levels: &[Level], own: &str, items: &mut Vec<Item>) {
    let reason = format!(
        "Claude Code reads it only where no directory has a file of its own, and {own} is one"
    );
    let known: HashSet<_> = items.iter().map(|item| item.source().to_owned()).collect();
    for level in levels
        .iter()
        .filter(|level| walk.is_of_project(&level.directory))
    {
        for name in AGENTS_NAMES {
            let path = level.directory.join(name);
            let source = source_text(&path).0;
            if path.is_file() && !known.contains(&source) {
                let finding =
                    passed_over(Kind::InstructionFile, &source, &level.directory, &reason);
                items.push(Item::unread(finding, Scope::Project, path));
            }
        }
    }
}

/// Puts files where their directories come in the order: before the first file of a directory below, else behind
/// the last file of the project.
fn insert(items: &mut Vec<Item>, found: Vec<Item>) {
    let mut groups: Vec<(PathBuf, Vec<Item>)> = Vec::new();
    for item in found {
        let directory = directory(&item.top);
        match groups.iter_mut().find(|(known, _)| *known == directory) {
            Some((_, group)) => group.push(item),
            None => groups.push((directory, vec![item])),
        }
    }
    for (own, group) in groups {
        let is_of_project = |item: &Item| item.scope != Scope::User;
        let below = items.iter().position(|item| {
            let theirs = directory(&item.top);
            is_of_project(item) && theirs != own && theirs.starts_with(&own)
        });
        let behind = items.iter().rposition(is_of_project).map(|last| last + 1);
        let place = below.or(behind).unwrap_or(items.len());
        items.splice(place..place, group);
    }
}

/// Returns the directory that a file is for: the one around its folder `.claude`, or else its own.
fn directory(path: &Path) -> PathBuf {
    let folders = path.ancestors().skip(1);
    let mut folders = folders.filter(|folder| folder.ends_with(FOLDER));
    let around = folders.next().and_then(Path::parent);
    around.or(path.parent()).unwrap_or(path).to_owned()
}

fn text(item: &Item) -> Option<String> {
    let reading = item.reading.as_ref()?;
    Some(reading.given().to_owned())
}
