//! Where a repository begins, and which of its directories a worktree inside it does not see.

use std::fs;
use std::path::{Path, PathBuf};

use crate::directory::plain_path;

/// The largest file of git's own that is read, in bytes.
const POINTER_BYTES_MAX: u64 = 4_096;

/// Returns the nearest directory at or above another one that has an entry `.git`.
pub fn root(directory: &Path) -> Option<&Path> {
    let mut above = directory.ancestors();
    above.find(|directory| directory.join(".git").symlink_metadata().is_ok())
}

/// A worktree that lies in its own main repository.
pub struct InnerWorktree {
    root: PathBuf,
    main: PathBuf,
}

impl InnerWorktree {
    /// Returns the worktree around a directory, if it lies in its main repository.
    pub fn around(directory: &Path) -> Option<Self> {
        let root = root(directory)?;
        let git = pointer(&root.join(".git"), "gitdir: ", root)?;
        let common = pointer(&git.join("commondir"), "", &git)?;
        let main = common.parent()?.canonicalize().ok()?;
        let is_inside = root != main && root.starts_with(&main);
        is_inside.then(|| Self {
            root: root.to_owned(),
            main,
        })
    }

    /// Returns whether a directory belongs to the main repository alone. Claude Code reads only a person's own
    /// files there.
    pub fn is_around(&self, directory: &Path) -> bool {
        directory.starts_with(&self.main) && !directory.starts_with(&self.root)
    }
}

/// Reads a path from a small file.
fn pointer(file: &Path, begin: &str, from: &Path) -> Option<PathBuf> {
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() || metadata.len() > POINTER_BYTES_MAX {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let path = text.strip_prefix(begin)?.trim();
    Some(plain_path(&from.join(path)))
}
