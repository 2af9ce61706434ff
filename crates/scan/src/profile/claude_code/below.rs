//! The directories below the working directory. Claude Code gives their files when it reads a file in them. For each such
//! file, it goes through the directories down to it, and looks at each path once.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::claude_code::LOCAL_NAME;
use ctxpin_model::resource::{Applies, Status};

use super::super::below;
use super::walk::{Item, Scope, Seen, Walk};
use super::{AGENTS_NAME, FOLDER, NAME, RULES, rules};
use crate::ScanError;
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::searches::Wanted;

/// Returns the directories below that have a file, those nearest to the working directory first.
pub fn directories(
    working: &Path,
    has_agents_md: bool,
    gathering: &mut Gathering,
) -> Result<Vec<PathBuf>, ScanError> {
    let mut names = vec![NAME, LOCAL_NAME, FOLDER];
    names.extend(has_agents_md.then_some(AGENTS_NAME));
    let wanted = Wanted {
        working: working.to_owned(),
        names,
        closed: FOLDER,
        tool: "Claude Code",
    };
    below::directories(wanted, gathering)
}

/// How far Claude Code comes on its way down to a directory.
#[derive(Default)]
pub struct Way {
    pub seen: Seen,
    /// The source of the last file that comes with every file there.
    last: Option<String>,
}

impl Way {
    /// Begins behind a file, unless files of the same kind came before.
    pub fn begin_behind(&mut self, last: Option<&String>) {
        self.last = self.last.take().or(last.cloned());
    }

    /// Puts each file behind the one before it. `due` has the sources of the files that every request holds.
    pub fn put_in_order(&mut self, items: &mut [Item], due: &HashSet<String>) {
        // A rule for some files is followed by what it imports, whatever else comes.
        let mut rule: Option<(PathBuf, String)> = None;
        for item in items {
            let importer = rule.take().filter(|(top, _)| *top == item.top);
            let importer = importer.map(|(_, source)| source);
            item.behind = importer.or_else(|| self.last.clone());
            let resource = &item.finding.resource;
            rule = Some((item.top.clone(), resource.source.clone()));
            let is_for_all = resource
                .applies
                .as_ref()
                .is_none_or(|files| files.globs.is_empty());
            let comes = resource.status == Status::Ok && !due.contains(&resource.source);
            if is_for_all && comes {
                self.last = Some(resource.source.clone());
            }
        }
    }
}

/// The ways down to the directories that were looked at.
#[derive(Default)]
pub struct Ways(HashMap<PathBuf, (Rc<Seen>, Option<String>)>);

impl Ways {
    /// Returns the way to a directory, before its own files: that to the nearest directory above it.
    pub fn to(&self, directory: &Path) -> Way {
        let mut above = directory.ancestors().skip(1);
        let above = above.find_map(|above| self.0.get(above));
        Way {
            seen: Seen::below(above.map(|(seen, _)| seen)),
            last: above.and_then(|(_, last)| last.clone()),
        }
    }

    /// Returns the source of the last file that comes with every file in a directory.
    pub fn last(&self, directory: &Path) -> Option<&String> {
        let mut ways = directory.ancestors().filter_map(|above| self.0.get(above));
        ways.next().and_then(|(_, last)| last.as_ref())
    }

    /// Keeps the way to a directory and through its own files.
    pub fn keep(&mut self, directory: &Path, way: Way) {
        self.0
            .insert(directory.to_owned(), (Rc::new(way.seen), way.last));
    }
}

/// Adds the files of directories below. `due` has the sources of the files that every request holds.
pub fn add(
    walk: &mut Walk,
    directories: &[PathBuf],
    due: &HashSet<String>,
    items: &mut Vec<Item>,
) -> Result<Ways, ScanError> {
    let mut ways = Ways::default();
    for directory in directories {
        walk.next_directory();
        let mut way = ways.to(directory);
        let start = items.len();
        files(walk, directory, &mut way.seen, items)?;
        way.put_in_order(&mut items[start..], due);
        ways.keep(directory, way);
    }
    Ok(ways)
}

/// Adds the files of one directory.
fn files(
    walk: &mut Walk,
    directory: &Path,
    seen: &mut Seen,
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
    // Claude Code looks at the rules twice, as if it had seen none of them before.
    let own = Rc::new(std::mem::take(seen));
    let mut looks = [false, true].map(|is_conditional| (is_conditional, Seen::below(Some(&own))));
    for (is_conditional, seen) in &mut looks {
        rules::add(
            walk,
            &folder,
            Scope::Project,
            directory,
            *is_conditional,
            seen,
            items,
        )?;
    }
    *seen = Seen::below(Some(&own));
    looks.into_iter().for_each(|(_, look)| seen.join(look));
    apply(&mut items[start..], directory);
    Ok(())
}

/// Notes that files are for those below a directory, unless they are for fewer.
pub fn apply(items: &mut [Item], directory: &Path) {
    for item in items {
        let resource = &mut item.finding.resource;
        let below = source_text(directory).0;
        resource
            .applies
            .get_or_insert_with(|| Applies::to(below, Vec::new()));
    }
}
