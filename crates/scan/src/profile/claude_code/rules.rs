//! Folders of rules: every file `*.md` in them and below.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ctxpin_model::resource::Applies;

use super::walk::{Item, Scope, Seen, Walk};
use crate::ScanError;
use crate::directory::Directory;
use crate::path_text::source_text;

/// The greatest number of directories of one folder of rules that are looked at.
const DIRECTORIES_MAX: usize = 2_000;

/// A folder of rules.
struct Folder<'f> {
    scope: Scope,
    /// The directory that the folder is for.
    root: &'f Path,
    /// Whether the rules with globs are wanted, and not those without.
    is_conditional: bool,
    visited: HashSet<PathBuf>,
}

/// Adds the rules of a folder: those that are for some files only, or else the others.
pub fn add(
    walk: &mut Walk,
    folder: &Path,
    scope: Scope,
    root: &Path,
    is_conditional: bool,
    seen: &mut Seen,
    items: &mut Vec<Item>,
) -> Result<(), ScanError> {
    walk.gathering.places.awaited(folder);
    if !folder.is_dir() || !is_open(walk, folder, scope) {
        return Ok(());
    }
    let mut rules = Folder {
        scope,
        root,
        is_conditional,
        visited: HashSet::new(),
    };
    rules.directory(walk, folder, folder, seen, items)
}

/// Returns whether a folder of rules may be entered: a link to it, or to the folder around it, may not leave the
/// working directory.
fn is_open(walk: &Walk, folder: &Path, scope: Scope) -> bool {
    let Ok(real) = folder.canonicalize() else {
        return false;
    };
    if walk.allows_external(scope) || real == folder || walk.is_inside(&real) {
        return true;
    }
    let is_link = |path: &Path| {
        path.symlink_metadata()
            .is_ok_and(|metadata| metadata.is_symlink())
    };
    let around = folder.parent().unwrap_or(folder);
    let project = around.parent().unwrap_or(around);
    let leads_out = is_link(folder) || is_link(around) && walk.is_inside(project);
    !leads_out
}

impl Folder<'_> {
    /// Adds the rules of a directory. `named` is the path at which it was found.
    fn directory(
        &mut self,
        walk: &mut Walk,
        path: &Path,
        named: &Path,
        seen: &mut Seen,
        items: &mut Vec<Item>,
    ) -> Result<(), ScanError> {
        walk.gathering.go_on()?;
        let Ok(real) = path.canonicalize() else {
            return Ok(());
        };
        if self.visited.len() >= DIRECTORIES_MAX {
            let root = source_text(self.root).0;
            walk.gathering.remark(format!(
                "only {DIRECTORIES_MAX} directories of the rules of {root} were looked at"
            ));
            return Ok(());
        }
        if !self.visited.insert(real.clone()) {
            return Ok(());
        }
        walk.gathering.places.all(&real);
        let listing = Directory::open(&real).and_then(|directory| directory.list());
        let Ok(listing) = listing else {
            return Ok(());
        };
        for name in &listing.names {
            let named = named.join(name);
            let Ok(target) = path.join(name).canonicalize() else {
                continue;
            };
            let is_elsewhere = target != real.join(name) && !walk.is_inside(&target);
            if is_elsewhere && !walk.allows_external(self.scope) {
                continue;
            }
            if named != target && walk.is_excluded(&named) {
                continue;
            }
            if target.is_dir() {
                self.directory(walk, &target, &named, seen, items)?;
            } else if name.as_encoded_bytes().ends_with(b".md") {
                let start = items.len();
                walk.rule(&named, &target, self.scope, self.root, seen, items)?;
                self.keep(walk, items, start);
            }
        }
        Ok(())
    }

    /// Keeps the wanted ones of the items from `start` on. What a rule imports is wanted by its own globs.
    fn keep(&self, walk: &Walk, items: &mut Vec<Item>, start: usize) {
        let below = match self.scope {
            Scope::User => walk.working(),
            Scope::Project | Scope::Local => self.root,
        };
        let added: Vec<_> = items.drain(start..).collect();
        for mut item in added {
            let reading = item
                .reading
                .as_ref()
                .filter(|reading| !reading.given().is_empty());
            let globs = reading.and_then(|reading| reading.globs.clone());
            if globs.is_some() == self.is_conditional {
                let below = source_text(below).0;
                item.finding.resource.applies = globs.map(|globs| Applies::to(below, globs));
                items.push(item);
            }
        }
    }
}
