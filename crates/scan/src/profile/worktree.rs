//! The worktree around a directory, for tools that ask git for it.

use std::path::Path;

use crate::settings::settings;
use crate::trust::Trust;

/// Returns the root of the worktree, as git finds it from the nearest entry `.git`: it passes over a directory that
/// is no repository, and gives up at a file that leads to none.
pub(super) fn root<'w>(working: &'w Path, trust: &Trust) -> Option<&'w Path> {
    for directory in working.ancestors() {
        let git = directory.join(".git");
        if git.is_dir() && is_repository(&git, trust) {
            return Some(directory);
        }
        if git.is_file() {
            let text = settings(directory, ".git", trust).ok().flatten()?;
            let text = str::from_utf8(&text).ok()?;
            let target = directory.join(text.strip_prefix("gitdir:")?.trim());
            return is_repository(&target, trust).then_some(directory);
        }
    }
    None
}

/// Returns whether a directory holds what git demands of a repository.
fn is_repository(git: &Path, trust: &Trust) -> bool {
    let text = |name: &str| {
        let text = settings(git, name, trust).ok().flatten();
        text.map(|text| String::from_utf8_lossy(&text).trim().to_owned())
    };
    let is_head = |head: &str| {
        head.starts_with("ref:")
            || (head.len() >= 40 && head.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let common = text("commondir").map_or_else(|| git.to_owned(), |common| git.join(common));
    text("HEAD").is_some_and(|head| is_head(&head))
        && common.join("objects").is_dir()
        && common.join("refs").is_dir()
}
