//! Where a project begins: how far above the working directory a scan looks for instruction files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ctxpin_model::warning::{Code, Note, Warning};

use crate::path_text::source_text;
use crate::trust::{Doubt, Trust, advice};

/// The entry that makes a directory the root of a project.
pub(crate) const REPOSITORY_NAME: &str = ".git";

/// The greatest number of directories above the working directory that are looked at. People work a few
/// levels below the root of their project, and every scan reads each of these directories.
const ANCESTORS_MAX: usize = 100;

/// The project of a working directory.
#[derive(Debug)]
pub(crate) struct Project {
    /// The nearest trusted repository, at the working directory or above it. Without one, the working
    /// directory.
    pub root: PathBuf,
    /// The directory above that would be the root but is not used.
    pub left_out: Option<LeftOut>,
}

/// A repository above the working directory that is not used as its project.
#[derive(Debug, Clone)]
pub(crate) struct LeftOut {
    directory: PathBuf,
    why: String,
    /// What to do. `None` if the context is complete without the repository.
    advice: Option<String>,
}

impl Project {
    /// Finds the project of a canonical working directory. The search stops at the home, which is never a
    /// project, and at a directory that `trust` does not trust.
    pub fn of(directory: &Path, home: &Path, trust: &Trust) -> Self {
        let alone = |left_out| Self {
            root: directory.to_owned(),
            left_out,
        };
        let device = fs::symlink_metadata(directory).map_or(0, |metadata| metadata.dev());
        for (above, ancestor) in directory.ancestors().enumerate() {
            if ancestor == home {
                return alone(is_repository(home).then(|| LeftOut::home(home)));
            }
            if above > ANCESTORS_MAX {
                return alone(repository(ancestor, home).map(LeftOut::far));
            }
            // The caller has checked the working directory itself.
            let doubt = match above {
                0 => None,
                _ => trust.doubt_of_ancestor(ancestor, device),
            };
            if let Some(doubt) = doubt {
                let root = repository(ancestor, home);
                return alone(root.map(|root| LeftOut::doubted(root, ancestor, &doubt)));
            }
            let Ok(git) = fs::symlink_metadata(ancestor.join(REPOSITORY_NAME)) else {
                continue;
            };
            if above > 0 && !trust.is_own(&git) && !trust.covers(ancestor) {
                let doubt = Doubt::Repository(git.uid());
                return alone(Some(LeftOut::doubted(ancestor, ancestor, &doubt)));
            }
            return Self {
                root: ancestor.to_owned(),
                left_out: None,
            };
        }
        alone(None)
    }
}

impl LeftOut {
    fn home(home: &Path) -> Self {
        Self {
            directory: home.to_owned(),
            why: "a home directory is no project".to_owned(),
            advice: None,
        }
    }

    fn far(root: &Path) -> Self {
        Self {
            directory: root.to_owned(),
            why: format!("it lies more than {ANCESTORS_MAX} directories above"),
            advice: Some("start in a directory that is nearer to it".to_owned()),
        }
    }

    /// Returns the repository at `root`, if the search stops at `ancestor`.
    fn doubted(root: &Path, ancestor: &Path, doubt: &Doubt) -> Self {
        let why = match root == ancestor {
            true => doubt.to_string(),
            false => format!("{} lies below it, and {doubt}", source_text(ancestor).0),
        };
        Self {
            directory: root.to_owned(),
            why,
            advice: Some(advice(root)),
        }
    }

    /// Returns the note for people who see the workspace.
    pub fn note(&self) -> Note {
        Note {
            source: Some(source_text(&self.directory).0),
            warning: Warning::new(Code::RootLeftOut).about(&self.why),
        }
    }

    /// Returns the sentence for the snapshot's error: which directory is left out, why, and what to do. Returns
    /// `None` if nothing can be done about it.
    pub fn remark(&self) -> Option<String> {
        let directory = source_text(&self.directory).0;
        let advice = self.advice.as_ref()?;
        Some(format!("{directory} is left out: {}; {advice}", self.why))
    }
}

/// Returns the nearest repository at a directory or above it, and below the home.
fn repository<'a>(directory: &'a Path, home: &Path) -> Option<&'a Path> {
    let mut ancestors = directory
        .ancestors()
        .take_while(|ancestor| *ancestor != home);
    ancestors.find(|ancestor| is_repository(ancestor))
}

fn is_repository(directory: &Path) -> bool {
    fs::symlink_metadata(directory.join(REPOSITORY_NAME)).is_ok()
}
