//! The files of checkouts that a model would be given.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Names of instruction files of any tool.
const INSTRUCTION_NAMES: [&str; 6] = [
    "AGENTS.md",
    "CLAUDE.md",
    "CLAUDE.local.md",
    "GEMINI.md",
    "copilot-instructions.md",
    ".cursorrules",
];

/// A file of a checkout.
#[derive(Debug)]
pub struct File {
    pub checkout: PathBuf,
    /// The path of the file.
    pub path: PathBuf,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

impl File {
    /// Returns whether the file is a SKILL.md.
    pub fn is_skill(&self) -> bool {
        self.path.ends_with("SKILL.md")
    }
}

/// Reads every `SKILL.md` and every instruction file below the directories, in the order of their
/// paths. Does not follow links.
pub fn read(directories: &[PathBuf]) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    for checkout in directories {
        let checkout = checkout.canonicalize();
        let checkout = checkout.context("a checkout is not there")?;
        walk(&checkout, &checkout, &mut files)?;
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(checkout: &Path, directory: &Path, files: &mut Vec<File>) -> anyhow::Result<()> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let (kind, path, name) = (entry.file_type()?, entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if kind.is_dir() && name != ".git" && name != "node_modules" {
            walk(checkout, &path, files)?;
        } else if kind.is_file() && (name == "SKILL.md" || INSTRUCTION_NAMES.contains(&&*name)) {
            files.push(File {
                checkout: checkout.to_owned(),
                bytes: fs::read(&path).with_context(|| path.display().to_string())?,
                path,
            });
        }
    }
    Ok(())
}
