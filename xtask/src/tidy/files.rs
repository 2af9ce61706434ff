//! The files that the rules look at: those that git tracks or would track.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::command;

/// One file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path relative to the repository, with `/` between its parts.
    pub path: String,
    /// Its text, or none if it is not UTF-8 or is a link.
    pub text: Option<String>,
}

impl File {
    /// Returns the text of a Rust file, or `None` for any other file.
    pub fn rust(&self) -> Option<&str> {
        self.text.as_deref().filter(|_| self.path.ends_with(".rs"))
    }
}

/// Reads every file that git tracks, and every new one that it does not ignore. A tracked file
/// that is deleted in the working directory is left out.
pub fn read(root: &Path) -> anyhow::Result<Vec<File>> {
    let list = command::output_of(
        Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others"])
            .arg("--exclude-standard")
            .current_dir(root),
    )
    .context("listing the repository's files")?;
    let mut paths: Vec<&str> = list.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();

    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let full = root.join(path);
        let Ok(metadata) = full.symlink_metadata() else {
            continue;
        };
        let text = if metadata.is_file() {
            let bytes = std::fs::read(&full).with_context(|| format!("reading {path}"))?;
            String::from_utf8(bytes).ok()
        } else {
            None
        };
        files.push(File {
            path: path.to_owned(),
            text,
        });
    }
    Ok(files)
}
