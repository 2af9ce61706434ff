//! Folders of skills, for tools that look for skills in the directories below them too.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use ctxpin_model::resource::Kind;
use ctxpin_model::skill::SKILL_FILE_NAME;

use super::{IN_FOLDER, unread};
use crate::ScanError;
use crate::boundary::{Boundary, Located};
use crate::directory::{Directory, Listing};
use crate::gather::{Finding, Gathering};
use crate::path_text::source_text;
use crate::refused::Refused;

/// The greatest number of directories of one folder that are looked at.
const DIRECTORIES_MAX: usize = 2_000;

/// The greatest number of directories behind a link that is not followed in which a skill is looked for.
const REFUSED_DIRECTORIES_MAX: usize = 200;

/// How a tool looks through a folder of skills.
pub(super) struct SkillFolder<'f> {
    pub boundary: &'f Boundary,
    /// How many directories deep the tool looks.
    pub depth_max: usize,
    /// Whether the tool looks into hidden directories.
    pub sees_hidden: bool,
    /// The path by which remarks name the folder.
    pub name: &'f Path,
    pub root: &'f Path,
}

impl SkillFolder<'_> {
    /// Visits the folder and the directories below it, those nearest to it first, and each directory once however many
    /// links lead to it. A visit gets the directory, its path as the tool knows it, and what is in it. `path` is the
    /// folder's own path in this sense.
    ///
    /// # Errors
    ///
    /// Fails if the caller has cancelled the scan, or a visit fails.
    pub fn visit(
        &self,
        folder: Directory,
        path: PathBuf,
        gathering: &mut Gathering,
        mut visit: impl FnMut(Directory, &Path, &Listing, &mut Gathering) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        let mut seen = HashSet::from([folder.path.clone()]);
        let mut waiting = VecDeque::from([(folder, path, 0)]);
        while let Some((directory, path, depth)) = waiting.pop_front() {
            gathering.go_on()?;
            gathering.places.all(&directory.path);
            let listing = match directory.list() {
                Ok(listing) => listing,
                Err(error) => {
                    self.unreadable(&error, &path, depth, gathering);
                    continue;
                }
            };
            for name in &listing.names {
                let is_hidden = name.as_encoded_bytes().starts_with(b".");
                if (is_hidden && !self.sees_hidden) || depth == self.depth_max {
                    continue;
                }
                let real = match self.boundary.locate(&directory, name) {
                    Located::Directory(real) => real,
                    Located::Refused(refused) => {
                        let path = path.join(name);
                        skill_refused(&refused, &path, self.root, gathering);
                        self.folder_refused(&refused, &path, depth + 1, gathering);
                        continue;
                    }
                    Located::Absent | Located::File(_) => continue,
                };
                if seen.len() == DIRECTORIES_MAX {
                    let folder = source_text(self.name).0;
                    gathering.remark(format!(
                        "only {DIRECTORIES_MAX} directories of the skills of {folder} were looked at"
                    ));
                    break;
                }
                if !seen.insert(real.clone()) {
                    continue;
                }
                let path = path.join(name);
                match self.boundary.descend(&real) {
                    Ok(next) => waiting.push_back((next, path, depth + 1)),
                    Err(error) => self.unreadable(&error, &path, depth + 1, gathering),
                }
            }
            visit(directory, &path, &listing, gathering)?;
        }
        Ok(())
    }

    /// Lists what a link leads to that a scan may not follow, but the tool does: a directory with skills in directories
    /// below it. Looks at names alone.
    fn folder_refused(
        &self,
        refused: &Refused,
        path: &Path,
        depth: usize,
        gathering: &mut Gathering,
    ) {
        let target = refused.target.as_deref();
        if target.is_some_and(|target| self.has_skills_below(target, depth)) {
            let source = source_text(path).0;
            let reason = format!("{IN_FOLDER}, but {}", refused.reason);
            gathering.add(unread(Kind::Skill, &source, self.root, &reason));
        }
    }

    /// Returns whether a directory below this one has a `SKILL.md`.
    fn has_skills_below(&self, directory: &Path, depth: usize) -> bool {
        let mut seen = HashSet::from([directory.to_owned()]);
        let mut waiting = VecDeque::from([(directory.to_owned(), depth)]);
        while let Some((directory, depth)) = waiting.pop_front() {
            if depth >= self.depth_max {
                continue;
            }
            for entry in directory.read_dir().into_iter().flatten().flatten() {
                let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                let is_seen = self.sees_hidden || !is_hidden;
                let is_directory = is_seen && entry.path().is_dir();
                let Some(real) = is_directory
                    .then(|| entry.path().canonicalize().ok())
                    .flatten()
                else {
                    continue;
                };
                if real.join(SKILL_FILE_NAME).is_file() {
                    return true;
                }
                if seen.len() < REFUSED_DIRECTORIES_MAX && seen.insert(real.clone()) {
                    waiting.push_back((real, depth + 1));
                }
            }
        }
        false
    }

    /// Lists a directory that cannot be looked into as a skill, because it may be one. The tool finds nothing in it either.
    fn unreadable(&self, error: &io::Error, path: &Path, depth: usize, gathering: &mut Gathering) {
        let refused = Refused::failed(error);
        if depth == 0 {
            let folder = source_text(path).0;
            return gathering.remark(format!("the folder of skills {folder} {}", refused.reason));
        }
        let is_part_of_skill = path.with_file_name(SKILL_FILE_NAME).is_file();
        if !is_part_of_skill {
            let source = path.join(SKILL_FILE_NAME);
            gathering.add(Finding::refused(Kind::Skill, &source, self.root, refused));
        }
    }
}

/// Adds a skill behind a link that a scan may not follow, but the tool does.
pub(super) fn skill_refused(
    refused: &Refused,
    path: &Path,
    root: &Path,
    gathering: &mut Gathering,
) {
    let target = refused.target.as_ref();
    gathering.places.awaited(path);
    if target.is_some_and(|target| target.join(SKILL_FILE_NAME).is_file()) {
        let source = source_text(&path.join(SKILL_FILE_NAME)).0;
        let reason = format!("the tool gives it to its model, but {}", refused.reason);
        gathering.add(unread(Kind::Skill, &source, root, &reason));
    }
}
