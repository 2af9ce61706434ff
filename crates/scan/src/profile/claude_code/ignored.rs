//! The directories that git ignores, as far as the project's own files say it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ctxpin_model::glob::IgnoreRules;

use super::super::worktree;
use crate::gather::Gathering;
use crate::settings::settings;
use crate::trust::Trust;

/// The file with the rules of a directory.
const NAME: &str = ".gitignore";

/// The rules of a repository, which are read as they are needed. A rule of the person's own is not looked at.
pub struct Ignored<'t> {
    /// The root of the worktree. Where git finds none, nothing is ignored.
    root: Option<PathBuf>,
    trust: &'t Trust,
    rules: HashMap<PathBuf, IgnoreRules>,
}

impl<'t> Ignored<'t> {
    /// Begins with the worktree around a directory.
    pub fn around(directory: &Path, trust: &'t Trust) -> Self {
        Self {
            root: worktree::root(directory, trust).map(Path::to_owned),
            trust,
            rules: HashMap::new(),
        }
    }

    /// Returns whether a directory, or one on the way to it, is ignored.
    pub fn has(&mut self, directory: &Path, gathering: &mut Gathering) -> bool {
        let Some(root) = self.root.clone() else {
            return false;
        };
        let above = directory.ancestors().skip(1);
        let mut above = above.take_while(|above| above.starts_with(&root));
        above.any(|above| {
            let rules = self.rules.entry(above.to_owned()).or_insert_with(|| {
                gathering.places.awaited(&above.join(NAME));
                let text = settings(above, NAME, self.trust).ok().flatten();
                let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
                IgnoreRules::of_git(text.unwrap_or_default().lines())
            });
            let below = directory.strip_prefix(above).unwrap_or(directory);
            rules.matches_directory(&below.to_string_lossy())
        })
    }
}
