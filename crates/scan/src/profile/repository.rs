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

/// Returns the root of the repository around a directory: of a worktree, that of the main repository, if that knows the
/// worktree.
pub fn main_root(directory: &Path) -> Option<PathBuf> {
    let root = root(directory)?;
    let main = linked(root).filter(|linked| {
        let back = pointer(&linked.git.join("gitdir"), "", &linked.git);
        back.and_then(|back| back.canonicalize().ok()) == root.join(".git").canonicalize().ok()
    });
    Some(main.map_or_else(|| root.to_owned(), |linked| linked.main))
}

/// Where git keeps what belongs to a worktree, and the root of its main repository.
struct Linked {
    git: PathBuf,
    main: PathBuf,
}

/// Returns what a worktree is linked to.
fn linked(root: &Path) -> Option<Linked> {
    let git = pointer(&root.join(".git"), "gitdir: ", root)?;
    let common = pointer(&git.join("commondir"), "", &git)?;
    let main = common.parent()?.canonicalize().ok()?;
    Some(Linked { git, main })
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
        let main = linked(root)?.main;
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
