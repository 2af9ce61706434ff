//! Files of the project that a text may mean by a path which leads nowhere from where it stands.

use std::collections::BTreeSet;
use std::path::Path;

use ctxpin_model::skill::SKILL_FILE_NAME;

use super::git::Project;

/// The files that the paths of one text may mean.
pub struct Lookalikes<'t> {
    /// The name of the directory that holds the text.
    own_name: &'t str,
    text: &'t str,
    project: &'t Project,
}

impl<'t> Lookalikes<'t> {
    /// Begins without reading anything. `directory` holds the text.
    pub fn of(directory: &'t Path, text: &'t str, project: &'t Project) -> Self {
        let own_name = directory.file_name().and_then(|name| name.to_str());
        Self {
            own_name: own_name.unwrap_or_default(),
            text,
            project,
        }
    }

    /// Returns the first file or directory of the project whose path ends with this one, relative to the root. A bare
    /// name says too little. That of another skill counts only if the text names the skill: most skills have files of
    /// the same names.
    pub fn find(&self, path: &str) -> Option<String> {
        let path = path.trim_matches('/');
        if !path.contains('/') || path.split('/').any(|part| matches!(part, "." | "..")) {
            return None;
        }
        let files = self.project.files();
        let places = files.iter().filter_map(|file| {
            let at = file.match_indices(path).map(|(at, _)| at).find(|at| {
                let behind = &file[at + path.len()..];
                file[..*at].ends_with('/') && (behind.is_empty() || behind.starts_with('/'))
            })?;
            Some((&file[..at], &file[..at + path.len()]))
        });
        let mut known = BTreeSet::new();
        let mut places = places.filter(|(_, place)| known.insert(*place));
        let (_, place) = places.find(|(above, _)| self.may_mean(above))?;
        // A submodule or a sparse checkout may lack what the index has.
        self.project
            .root
            .join(place)
            .exists()
            .then(|| place.to_owned())
    }

    /// Returns whether the text may mean a file below this directory, whose path ends with a slash.
    fn may_mean(&self, above: &str) -> bool {
        let above = Path::new(above.trim_end_matches('/'));
        let skill = above
            .ancestors()
            .find(|above| self.project.root.join(above).join(SKILL_FILE_NAME).exists());
        let name = skill
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        name.is_none_or(|name| name != self.own_name && self.text.contains(name))
    }
}
