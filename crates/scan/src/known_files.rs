//! The names that a scan looks for in a root, and what an entry is by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use ctxpin_model::skill::SKILL_FILE_NAME;

use crate::directory::Directory;

/// The folders in a root in which agents keep their own files.
pub(crate) const AGENT_FOLDERS: [&str; 3] = [".agents", ".claude", ".codex"];

/// The folder of skills, in a root and in each agent's folder.
pub(crate) const SKILLS: &str = "skills";

/// The instruction files of a root, by an agent's folder and a name. If two files are equal, the first in
/// this list is used.
pub(crate) const INSTRUCTION_FILES: [(Option<&str>, &str); 4] = [
    (None, "AGENTS.md"),
    (None, "CLAUDE.md"),
    (Some(".claude"), "CLAUDE.md"),
    (None, ".cursorrules"),
];

/// The name of a file that configures MCP servers.
pub(crate) const MCP_CONFIG_NAME: &str = ".mcp.json";

/// The class of a root that is one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileClass {
    Instruction,
    Skill,
    McpConfig,
    Other,
}

/// Returns the class of a file by its name. The case must be exact, as agents write it.
pub(crate) fn classify(path: &Path) -> FileClass {
    let extension = path.extension().and_then(OsStr::to_str);
    match path.file_name() {
        Some(name) if name == SKILL_FILE_NAME => FileClass::Skill,
        Some(name) if name == MCP_CONFIG_NAME => FileClass::McpConfig,
        _ if matches!(extension, Some("md" | "mdc")) => FileClass::Instruction,
        _ => FileClass::Other,
    }
}

/// The message for a file whose name no source can have.
pub(crate) const UNKNOWN_FILE: &str =
    "a source that is a file must be named .mcp.json, SKILL.md, or end in .md or .mdc";

/// Returns whether an entry of that name belongs to a skill. Hidden entries, caches and the backups of
/// editors do not.
pub(crate) fn is_skill_part(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let is_backup = bytes.ends_with(b"~") || (bytes.starts_with(b"#") && bytes.ends_with(b"#"));
    !bytes.starts_with(b".") && name != "__pycache__" && name != "node_modules" && !is_backup
}

/// Returns whether a directory has a `SKILL.md`.
pub(crate) fn is_skill(directory: &Directory) -> bool {
    let name = OsStr::new(SKILL_FILE_NAME);
    matches!(directory.entry(name), Ok(Some(_))) && directory.spells(name)
}

/// Returns whether a directory contains directories that are skills.
pub(crate) fn holds_skills(directory: &Directory) -> bool {
    let names = directory.list().map(|listing| listing.names);
    let mut names = names.unwrap_or_default().into_iter();
    names.any(|name| {
        let entry = directory.descend(Path::new(&name));
        is_skill_part(&name) && entry.is_ok_and(|entry| is_skill(&entry))
    })
}

/// Returns whether a source at a canonical path would contribute something, judging by names alone.
pub(crate) fn gives_something(path: &Path) -> bool {
    let Ok(directory) = Directory::open(path) else {
        return path.is_file() && classify(path) != FileClass::Other;
    };
    let has = |directory: &Directory, name: &str| {
        matches!(directory.entry(OsStr::new(name)), Ok(Some(_)))
    };
    let has_file = INSTRUCTION_FILES.iter().any(|(folder, name)| {
        let folder = directory.descend(Path::new(folder.unwrap_or_default()));
        folder.is_ok_and(|folder| has(&folder, name))
    });
    let has_folder = AGENT_FOLDERS.iter().any(|folder| {
        let folder = directory.descend(Path::new(folder));
        folder.is_ok_and(|folder| has(&folder, SKILLS))
    });
    has_file
        || has_folder
        || [SKILLS, MCP_CONFIG_NAME]
            .iter()
            .any(|name| has(&directory, name))
        || is_skill(&directory)
        || holds_skills(&directory)
}
