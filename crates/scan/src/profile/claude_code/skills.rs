//! The skills of the project and of the person.

use std::path::{Path, PathBuf};

use ctxpin_model::limits::SNAPSHOT_LISTED_MAX;
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::SKILL_FILE_NAME;

use super::super::repository;
use super::super::skill_folder::skill_refused;
use super::super::{
    IN_FOLDER, outside, passed_over, skill as skill_or_reason, skills_folder, unread,
};
use super::ignored::Ignored;
use super::settings::FOLDER;
use super::walk::PERSONAL;
use crate::ScanError;
use crate::boundary::{Boundaries, Boundary, Located, Reach};
use crate::directory::Directory;
use crate::gather::Gathering;
use crate::known_files::SKILLS;
use crate::path_text::source_text;
use crate::roots::{Request, Roots};
use crate::skill;

/// The name of a directory in a folder of skills that Claude Code passes over, in any case of letters.
const PASSED_OVER: &str = "synced";

/// The folder of skills below a directory.
const PATH: [&str; 2] = [FOLDER, SKILLS];

/// Adds the skills of the repository's directories down to the working directory, then those of the person. Of two
/// skills with one name the last one counts, as the person's does in Claude Code.
pub fn find(
    request: &Request,
    roots: &Roots,
    home: &Path,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    let chain: Vec<_> = directories(request, &roots.directory).collect();
    for directory in chain.into_iter().rev() {
        let skills = directory.join(FOLDER).join(SKILLS);
        gathering.places.awaited(&skills);
        let Some((place, reach)) = roots.readable(directory) else {
            if skills.is_dir() {
                let source = source_text(&skills).0;
                let reason = outside(IN_FOLDER, directory);
                gathering.add(unread(Kind::Skill, &source, directory, &reason));
            }
            continue;
        };
        let Ok(boundary) = boundaries.at(&place, reach) else {
            continue;
        };
        let Ok(held) = boundary.descend(directory) else {
            continue;
        };
        if let Some(container) = skills_folder(&boundary, &held, directory, &PATH, gathering) {
            add(&boundary, &container, directory, true, gathering)?;
        }
    }
    gathering.places.awaited(&home.join(SKILLS));
    if let Ok(real) = home.canonicalize()
        && let Ok(boundary) = boundaries.at(&real, Reach::Personal)
        && let Some(container) =
            skills_folder(&boundary, &boundary.directory, home, &[SKILLS], gathering)
    {
        add(&boundary, &container, home, request.user_roots, gathering)?;
    }
    Ok(())
}

/// The greatest number of skills below the working directory that are read. A link can lead to the same ones from each
/// directory, and a snapshot lists no more.
const BELOW_MAX: usize = SNAPSHOT_LISTED_MAX;

/// Adds the skills of directories below the working directory, which Claude Code lists when it reads a file in one of
/// them. It passes over directories that git ignores.
pub fn find_below(
    request: &Request,
    roots: &Roots,
    directories: &[PathBuf],
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    let (project, working) = (roots.project(), roots.directory.as_path());
    let Ok(boundary) = boundaries.at(project, Reach::Project) else {
        return Ok(());
    };
    let mut ignored = Ignored::around(working, &request.trust);
    let mut left = BELOW_MAX;
    for directory in directories {
        gathering.go_on()?;
        let container = directory.join(FOLDER).join(SKILLS);
        gathering.places.awaited(&container);
        if !container.is_dir() || ignored.has(directory, gathering) {
            continue;
        }
        let Ok(below) = directory.strip_prefix(project) else {
            continue;
        };
        let held = boundary.directory.descend(below).ok();
        let container =
            held.and_then(|held| skills_folder(&boundary, &held, directory, &PATH, gathering));
        let Some(container) = container else {
            continue;
        };
        each(
            &boundary,
            &container,
            directory,
            gathering,
            |held, source, gathering| {
                if left == 0 {
                    gathering.remark(format!(
                        "Claude Code lists more skills below the working directory, of which only {BELOW_MAX} were read"
                    ));
                    return Ok(());
                }
                left -= 1;
                skill::read_for(held, source, directory, Some(working), gathering)
            },
        )?;
    }
    Ok(())
}

/// Returns the directories whose skills count, from the working directory up to the repository's root. Without a
/// repository, these are all directories above, up to the home.
pub fn directories<'d>(request: &Request, working: &'d Path) -> impl Iterator<Item = &'d Path> {
    let top = repository::root(working);
    let home = request
        .home
        .canonicalize()
        .unwrap_or_else(|_| request.home.clone());
    working.ancestors().take_while(move |directory| match top {
        Some(top) => directory.starts_with(top),
        None => directory.parent().is_some() && *directory != home,
    })
}

/// Adds the skills in a folder of skills: each directory in it with a `SKILL.md`.
fn add(
    boundary: &Boundary,
    container: &Directory,
    root: &Path,
    is_used: bool,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    each(
        boundary,
        container,
        root,
        gathering,
        |held, source, gathering| {
            let reason = (!is_used).then_some(PERSONAL);
            skill_or_reason(held, source, root, reason, gathering)
        },
    )
}

/// Reads each directory in a folder of skills that has a `SKILL.md`, given with the path of that.
fn each<'c>(
    boundary: &Boundary,
    container: &Directory,
    root: &Path,
    gathering: &mut Gathering<'c>,
    mut read: impl FnMut(Directory, &Path, &mut Gathering<'c>) -> Result<(), ScanError>,
) -> Result<(), ScanError> {
    gathering.places.all(&container.path);
    let Ok(listing) = container.list() else {
        return Ok(());
    };
    for name in &listing.names {
        gathering.go_on()?;
        let path = match boundary.locate(container, name) {
            Located::Directory(path) => path,
            Located::Refused(refused) => {
                skill_refused(&refused, &container.path.join(name), root, gathering);
                continue;
            }
            Located::Absent | Located::File(_) => continue,
        };
        let Ok(directory) = boundary.descend(&path) else {
            continue;
        };
        let own = container.path.join(name).join(SKILL_FILE_NAME);
        if !own.is_file() {
            gathering.places.awaited(&own);
            continue;
        }
        if name.eq_ignore_ascii_case(PASSED_OVER) {
            let source = source_text(&own).0;
            let reason = format!(
                "Claude Code passes over a directory of skills with the name `{PASSED_OVER}`"
            );
            gathering.add(passed_over(Kind::Skill, &source, root, &reason));
            continue;
        }
        read(directory, &own, gathering)?;
    }
    Ok(())
}
