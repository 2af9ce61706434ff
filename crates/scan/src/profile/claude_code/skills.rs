//! The skills of the project and of the person.

use std::path::Path;

use ctxpin_model::resource::Kind;
use ctxpin_model::skill::SKILL_FILE_NAME;

use super::super::{excluded, skill, step};
use super::repository;
use super::settings::FOLDER;
use super::walk::PERSONAL;
use crate::ScanError;
use crate::boundary::{Boundaries, Boundary, Located, Reach};
use crate::directory::Directory;
use crate::gather::Gathering;
use crate::known_files::SKILLS;
use crate::path_text::source_text;
use crate::roots::{Request, Roots};

/// Why a folder of skills outside of the project is left out.
const OUTSIDE: &str =
    "the tool lists the skills in it to its model, but it lies outside of what ctxpin reads";

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
    let project = roots.project();
    for directory in chain.into_iter().rev() {
        let skills = directory.join(FOLDER).join(SKILLS);
        gathering.places.awaited(&skills);
        let Ok(below) = directory.strip_prefix(project) else {
            if skills.is_dir() {
                let source = source_text(&skills).0;
                gathering.add(excluded(Kind::Skill, &source, directory, OUTSIDE));
            }
            continue;
        };
        let Ok(boundary) = boundaries.at(project, Reach::Project) else {
            continue;
        };
        let held = boundary.directory.descend(below).ok();
        let folder = held.and_then(|held| step(&boundary, &held, FOLDER));
        if let Some(container) = folder.and_then(|folder| step(&boundary, &folder, SKILLS)) {
            add(&boundary, &container, directory, true, gathering)?;
        }
    }
    gathering.places.awaited(&home.join(SKILLS));
    if let Ok(real) = home.canonicalize()
        && let Ok(boundary) = boundaries.at(&real, Reach::Personal)
        && let Some(container) = step(&boundary, &boundary.directory, SKILLS)
    {
        add(&boundary, &container, home, request.user_roots, gathering)?;
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
    gathering.places.all(&container.path);
    let Ok(listing) = container.list() else {
        return Ok(());
    };
    for name in &listing.names {
        gathering.go_on()?;
        let Located::Directory(path) = boundary.locate(container, name) else {
            continue;
        };
        let Ok(directory) = boundary.descend(&path) else {
            continue;
        };
        let own = container.path.join(name).join(SKILL_FILE_NAME);
        if !own.is_file() {
            gathering.places.awaited(&own);
            continue;
        }
        let reason = (!is_used).then_some(PERSONAL);
        skill(directory, &own, root, reason, gathering)?;
    }
    Ok(())
}
