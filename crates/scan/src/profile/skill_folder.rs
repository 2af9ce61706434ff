//! Folders of skills, for tools that look for skills in the directories below them too.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::ScanError;
use crate::boundary::{Boundary, Located};
use crate::directory::{Directory, Listing};
use crate::gather::Gathering;
use crate::path_text::source_text;

/// The greatest number of directories of one folder that are looked at.
const DIRECTORIES_MAX: usize = 2_000;

/// How a tool looks through a folder of skills.
pub(super) struct SkillFolder<'f> {
    pub boundary: &'f Boundary,
    /// How many directories deep the tool looks.
    pub depth_max: usize,
    /// Whether the tool looks into hidden directories.
    pub sees_hidden: bool,
    /// The path by which remarks name the folder.
    pub name: &'f Path,
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
            let Ok(listing) = directory.list() else {
                continue;
            };
            for name in &listing.names {
                let is_hidden = name.as_encoded_bytes().starts_with(b".");
                if (is_hidden && !self.sees_hidden) || depth == self.depth_max {
                    continue;
                }
                let Located::Directory(real) = self.boundary.locate(&directory, name) else {
                    continue;
                };
                if seen.len() == DIRECTORIES_MAX {
                    let folder = source_text(self.name).0;
                    gathering.remark(format!(
                        "only {DIRECTORIES_MAX} directories of the skills of {folder} were looked at"
                    ));
                    break;
                }
                if let (true, Ok(next)) = (seen.insert(real.clone()), self.boundary.descend(&real))
                {
                    waiting.push_back((next, path.join(name), depth + 1));
                }
            }
            visit(directory, &path, &listing, gathering)?;
        }
        Ok(())
    }
}
