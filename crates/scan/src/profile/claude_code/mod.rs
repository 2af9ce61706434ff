//! Claude Code: the instruction files and rules of the machine, the person and each directory from the file system's
//! root down to the working directory, what they import, and the skills of the person and the project.
//!
//! These rules were read off Claude Code 2.1.332 as it ran. Version 2.1.277 differs in one thing: it reads no
//! `AGENTS.md`. The files of one folder of rules have the order of their names here; Claude Code takes them in the
//! order in which the file system lists them.

mod agents_md;
mod below;
mod commands;
mod ignored;
mod permissions;
mod rules;
mod settings;
mod skills;
mod unpinned;
mod walk;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use ctxpin_model::claude_code::{LOCAL_NAME, is_skill_hidden, skill_globs};
use ctxpin_model::profile::{InstructionFiles, Rules, Settings};
use ctxpin_model::resource::{Kind, Status};

use self::agents_md::Below;
use self::commands::Judge;
use self::settings::{FOLDER, MACHINE};
pub(super) use self::settings::{VARIABLES, files as settings_files};
use self::walk::{Item, Scope, Seen, Walk};
use super::excluded;
use super::repository::InnerWorktree;
use crate::ScanError;
use crate::boundary::Boundaries;
use crate::gather::{Gathering, SkillRank};
use crate::path_text::source_text;
use crate::roots::{Request, Roots};

const NAME: &str = "CLAUDE.md";

/// The name of the file that counts where there is none of Claude Code's own.
const AGENTS_NAME: &str = "AGENTS.md";

/// Why the files of the project and of the person are left out if only the machine's counts.
const MANAGED_ONLY: &str =
    "`instructionFiles` in Claude Code's settings lets only the machine's file count";

/// The folder of rules in [`FOLDER`].
const RULES: &str = "rules";

/// Adds what Claude Code reads to a gathering: first what every request holds, in its order, then the rules that
/// are for some files only, then the skills.
pub(super) fn find(
    request: &Request,
    roots: &Roots,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<Rules, ScanError> {
    let home = home(request);
    let working = &roots.directory;
    let (settings, unpinned, denied) = settings::read(request, &home, working, gathering);
    let mut walk = Walk::new(
        request, roots, &home, &settings, &denied, boundaries, gathering,
    );
    let (items, below) = instruction_files(&mut walk, settings.instruction_files)?;
    for item in items {
        gathering.add(item.finding);
    }
    if !settings.is_disabled {
        unpinned::instruction_files(&home, working, unpinned.has_memory, gathering);
    }
    if let Some(name) = &unpinned.output_style {
        let directories = skills::directories(request, working);
        unpinned::output_style(&home, directories, name, gathering);
    }
    skills::find(request, roots, &home, boundaries, gathering)?;
    let rank = |skill_md: &[u8]| match skill_globs(skill_md) {
        Some(_) => SkillRank::ForFiles,
        None if is_skill_hidden(skill_md) => SkillRank::Hidden,
        None => SkillRank::Listed,
    };
    let judge = Judge {
        settings: &settings,
        trust: &request.trust,
        skills: gathering.listed_skills(rank),
    };
    gathering.give_way(
        rank,
        "Claude Code uses another skill of its name, because the frontmatter of this one keeps it out of the list at the start",
    );
    skills::find_below(request, roots, &below, boundaries, gathering)?;
    unpinned::skills(
        &home,
        skills::directories(request, working),
        &unpinned,
        &denied,
        &judge,
        gathering,
    );
    if denied.has_no_skills {
        gathering.leave_out_skills(|_| Some(permissions::UNLISTED));
    }
    Ok(Rules::newest(Settings::ClaudeCode(settings)))
}

/// Returns whether Claude Code's home exists, or a file in the working directory that only Claude Code reads.
pub(super) fn is_used(request: &Request) -> bool {
    let directory = &request.directory;
    home(request).is_dir() || directory.join(FOLDER).is_dir() || directory.join(NAME).is_file()
}

/// Returns the path of Claude Code's home, under which its model knows the files there.
fn home(request: &Request) -> PathBuf {
    match &request.tool.home {
        Some(home) => home.clone(),
        None => request.home.join(FOLDER),
    }
}

/// A directory whose own files are read, from the file system's root down to the working directory.
struct Level {
    directory: PathBuf,
    /// Whether its files of the project count, and not only the person's own.
    is_project: bool,
}

fn levels(working: &Path) -> Vec<Level> {
    let worktree = InnerWorktree::around(working);
    let directories = working
        .ancestors()
        .filter(|directory| directory.parent().is_some());
    let mut levels: Vec<_> = directories
        .map(|directory| Level {
            directory: directory.to_owned(),
            is_project: !worktree
                .as_ref()
                .is_some_and(|worktree| worktree.is_around(directory)),
        })
        .collect();
    levels.reverse();
    levels
}

/// Returns the instruction files, and the directories below the working directory that were looked at.
fn instruction_files(
    walk: &mut Walk,
    names: InstructionFiles,
) -> Result<(Vec<Item>, Vec<PathBuf>), ScanError> {
    let levels = levels(walk.working());
    let mut items = match walk.off {
        Some(_) => Vec::new(),
        None => managed(),
    };
    let off = walk.off;
    if names == InstructionFiles::ManagedOnly {
        walk.off = off.or(Some(MANAGED_ONLY));
    }
    at_start(walk, &levels, &mut items)?;
    walk.off = off;
    let agents_md = match names {
        InstructionFiles::ClaudeMdOrAgentsMd => agents_md::add(walk, &levels, true, &mut items)?,
        InstructionFiles::ClaudeMdAndAgentsMd => agents_md::add(walk, &levels, false, &mut items)?,
        InstructionFiles::ClaudeMd | InstructionFiles::ManagedOnly => None,
    };
    let below = on_demand(walk, &levels, agents_md, &mut items)?;
    Ok((once_each(items), below))
}

/// Returns each file once, with all that it is for. A file for the whole work is for every file.
fn once_each(items: Vec<Item>) -> Vec<Item> {
    let is_counted = |item: &Item| item.finding.resource.status != Status::Excluded;
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut once: Vec<Option<Item>> = Vec::with_capacity(items.len());
    for item in items {
        let place = places.get(item.source()).copied();
        let present = place.and_then(|place| once[place].as_mut());
        match present {
            Some(present) if is_counted(present) || !is_counted(&item) => {
                present.share(item);
            }
            // One that counts nowhere else is given where it counts.
            _ => {
                places.insert(item.source().to_owned(), once.len());
                if let Some(place) = place {
                    once[place] = None;
                }
                once.push(Some(item));
            }
        }
    }
    once.into_iter().flatten().collect()
}

/// Adds what every request holds: the files of the person, then those of each directory.
fn at_start(walk: &mut Walk, levels: &[Level], items: &mut Vec<Item>) -> Result<(), ScanError> {
    let seen = &mut Seen::default();
    let home = walk.home().to_owned();
    walk.file(&home.join(NAME), Scope::User, &home, seen, items)?;
    let folder = home.join(RULES);
    rules::add(walk, &folder, Scope::User, &home, false, seen, items)?;
    for level in levels {
        let directory = &level.directory;
        if level.is_project {
            for name in [directory.join(NAME), directory.join(FOLDER).join(NAME)] {
                walk.file(&name, Scope::Project, directory, seen, items)?;
            }
            let folder = directory.join(FOLDER).join(RULES);
            rules::add(walk, &folder, Scope::Project, directory, false, seen, items)?;
        }
        let local = directory.join(LOCAL_NAME);
        walk.file(&local, Scope::Local, directory, seen, items)?;
    }
    Ok(())
}

/// Adds what is for some files only, in the order in which Claude Code gives it. It looks for rules anew, as if it had
/// read nothing yet. Returns the directories below the working directory that it looked at.
fn on_demand(
    walk: &mut Walk,
    levels: &[Level],
    agents_md: Option<Below>,
    items: &mut Vec<Item>,
) -> Result<Vec<PathBuf>, ScanError> {
    let home = walk.home().to_owned();
    let due = items
        .iter()
        .filter(|item| item.finding.resource.status == Status::Ok);
    let due: HashSet<_> = due.map(|item| item.source().to_owned()).collect();
    let mut seen = Seen::default();
    walk.is_on_demand = true;
    walk.follows_approved = false;
    rules::add(
        walk,
        &home.join(RULES),
        Scope::User,
        &home,
        true,
        &mut seen,
        items,
    )?;
    let below = below::directories(walk.working(), agents_md.is_some(), walk.gathering)?;
    let ways = below::add(walk, &below, &due, items)?;
    walk.next_directory();
    for level in levels.iter().filter(|level| level.is_project) {
        let folder = level.directory.join(FOLDER).join(RULES);
        rules::add(
            walk,
            &folder,
            Scope::Project,
            &level.directory,
            true,
            &mut seen,
            items,
        )?;
    }
    if let Some(agents_md) = agents_md {
        walk.follows_approved = true;
        agents_md.add(walk, &below, &ways, &due, items)?;
    }
    Ok(below)
}

/// Returns the machine's file, which stays out of the snapshot.
fn managed() -> Vec<Item> {
    let path = Path::new(MACHINE).join(NAME);
    if !path.is_file() {
        return Vec::new();
    }
    let reason = "Claude Code gives the machine's file to its model, but it belongs to no project";
    let source = source_text(&path).0;
    let finding = excluded(Kind::InstructionFile, &source, Path::new(MACHINE), reason);
    vec![Item::unread(finding, Scope::User, path)]
}
