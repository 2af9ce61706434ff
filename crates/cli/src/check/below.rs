//! The skills below a directory that a person names: what lies in it is checked, whether or not a tool finds it there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ctxpin_model::skill::SKILL_FILE_NAME;
use ctxpin_model::warning::{Code, Warning};

use super::{Finding, finding};

/// The greatest number of directories that are looked at.
const DIRECTORIES_MAX: usize = 20_000;

/// What was found below a directory.
#[derive(Debug, Default)]
pub struct Below {
    /// Each `SKILL.md`, in the order of their paths.
    pub skills: Vec<PathBuf>,
    /// Why there may be more.
    pub cut: Option<Finding>,
}

/// Looks for skills in a directory and in all below it, except those that git ignores. Follows no link.
pub fn skills(directory: &Path, ignored: &HashSet<PathBuf>) -> Below {
    let mut below = Below::default();
    let mut waiting = vec![directory.to_owned()];
    let mut looked_at = 0;
    while let Some(directory) = waiting.pop() {
        looked_at += 1;
        if looked_at > DIRECTORIES_MAX {
            let detail = format!("only {DIRECTORIES_MAX} directories were searched for skills");
            let warning = Warning::new(Code::SearchCut).about(detail);
            below.cut = Some(finding(&directory.to_string_lossy(), &warning));
            break;
        }
        // The scan reports what it may not read.
        let Ok(entries) = directory.read_dir() else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && entry.file_name() != ".git" && !ignored.contains(&path) {
                waiting.push(path);
            } else if !is_directory && entry.file_name() == SKILL_FILE_NAME {
                below.skills.push(path);
            }
        }
    }
    below.skills.sort();
    below
}
