//! Notes what a scan ignores in a root: files of other tools, entries of a folder of skills that are no
//! skills, and files that replace a link which git could not create. The notes tell people why the files
//! have no effect.

use std::ffi::OsStr;
use std::path::Path;

use ctxpin_model::skill::SKILL_FILE_NAME;
use ctxpin_model::warning::{Code, Warning};
use rustix::fs::FileType;

use crate::boundary::{Boundary, Located};
use crate::directory::{Directory, plain_path};
use crate::gather::Gathering;
use crate::known_files::is_skill_part;

/// The files and folders that other tools read in a project, according to their documentation.
const OTHER_TOOLS: [&str; 34] = [
    "AGENT.md",
    "AGENTS.override.md",
    "CLAUDE.local.md",
    ".claude/AGENTS.md",
    ".claude/rules",
    "GEMINI.md",
    "QWEN.md",
    "CRUSH.md",
    "WARP.md",
    ".rules",
    ".goosehints",
    ".windsurfrules",
    ".windsurf/rules",
    ".clinerules",
    ".roorules",
    ".roo/rules",
    ".cursor/rules",
    ".cursor/skills",
    ".cursor/mcp.json",
    ".vscode/mcp.json",
    ".github/copilot-instructions.md",
    ".github/instructions",
    ".github/skills",
    ".gemini/skills",
    ".opencode/skills",
    "opencode.json",
    "opencode.jsonc",
    ".continue/rules",
    ".junie/guidelines.md",
    ".kiro/steering",
    ".amazonq/rules",
    ".augment/rules",
    ".kimi-code/AGENTS.md",
    ".pi/SYSTEM.md",
];

/// Misspelt names of instruction files, with the correct spelling.
const MISSPELT: [(&str, &str); 8] = [
    ("agents.md", "AGENTS.md"),
    ("Agents.md", "AGENTS.md"),
    ("AGENTS.MD", "AGENTS.md"),
    ("agents.MD", "AGENTS.md"),
    ("claude.md", "CLAUDE.md"),
    ("Claude.md", "CLAUDE.md"),
    ("CLAUDE.MD", "CLAUDE.md"),
    ("claude.MD", "CLAUDE.md"),
];

/// The greatest length of a link's text, in bytes.
const LINK_BYTES_MAX: u64 = 1_024;

/// Returns the names at the top of a root that can change the notes.
pub(crate) fn top_names() -> Vec<&'static str> {
    let names = OTHER_TOOLS
        .iter()
        .map(|path| path.split('/').next().unwrap_or(path));
    names.chain(MISSPELT.map(|(name, _)| name)).collect()
}

/// Notes the files of a root that would be instruction files if their names were spelt correctly.
pub(crate) fn misspelt(directory: &Directory, gathering: &mut Gathering) {
    for (name, spelt) in MISSPELT {
        let other = OsStr::new(name);
        if matches!(directory.entry(other), Ok(Some(_))) && directory.spells(other) {
            let warning = Warning::new(Code::NameCase).about(spelt);
            gathering.note(&directory.path.join(name), warning);
        }
    }
}

/// Notes the files of other tools in a root.
pub(crate) fn other_tools(directory: &Directory, gathering: &mut Gathering) {
    let is_there = |path: &&str| {
        let path = Path::new(path);
        let parent = directory.descend(path.parent().unwrap_or(Path::new("")));
        let name = path.file_name().unwrap_or_default();
        parent.is_ok_and(|parent| matches!(parent.entry(name), Ok(Some(_))) && parent.spells(name))
    };
    let found: Vec<_> = OTHER_TOOLS
        .iter()
        .filter(|path| is_there(path))
        .copied()
        .collect();
    gathering.other_tools(&directory.path, &found);
}

/// Notes an entry of a folder of skills that is no skill, if people could take it for one.
pub(crate) fn no_skill(
    boundary: &Boundary,
    container: &Directory,
    name: &OsStr,
    gathering: &mut Gathering,
) {
    let path = container.path.join(name);
    if !is_skill_part(name) {
        return;
    }
    let reason = match boundary.locate(container, name) {
        Located::File(_) => {
            link_as_text(boundary, container, name, gathering);
            if !is_flat_skill(boundary, container, name, gathering) {
                return;
            }
            format!("it is a file; a skill is a folder with a {SKILL_FILE_NAME}")
        }
        Located::Directory(path) => match (gathering.no_skills.get(&path), boundary.descend(&path))
        {
            (Some(known), _) => known.clone(),
            (None, Ok(directory)) => {
                let reason = missing_file(&directory);
                gathering.no_skills.insert(path, reason.clone());
                reason
            }
            (None, Err(_)) => return,
        },
        Located::Absent | Located::Refused(_) => return,
    };
    gathering.note(&path, Warning::new(Code::SkillAbsent).about(reason));
}

/// Returns what a folder has instead of a `SKILL.md`.
fn missing_file(directory: &Directory) -> String {
    let names = directory
        .list()
        .map(|listing| listing.names)
        .unwrap_or_default();
    let other_case = names.iter().find(|name| {
        let name = name.to_string_lossy();
        name.eq_ignore_ascii_case(SKILL_FILE_NAME)
    });
    if let Some(other) = other_case {
        return format!("it has no {SKILL_FILE_NAME}, but {}", other.display());
    }
    let is_skill = |name: &&std::ffi::OsString| {
        let child = directory.descend(Path::new(name));
        child.is_ok_and(|child| matches!(child.entry(OsStr::new(SKILL_FILE_NAME)), Ok(Some(_))))
    };
    let deeper = names
        .iter()
        .filter(|name| is_skill_part(name))
        .find(is_skill);
    match deeper {
        Some(deeper) => format!(
            "it has no {SKILL_FILE_NAME}; {}/{SKILL_FILE_NAME} is there, and ctxpin by its own rules looks no deeper",
            deeper.display()
        ),
        None => format!("it has no {SKILL_FILE_NAME}"),
    }
}

/// Returns whether a Markdown file begins like a `SKILL.md`.
fn is_flat_skill(
    boundary: &Boundary,
    container: &Directory,
    name: &OsStr,
    gathering: &mut Gathering,
) -> bool {
    let is_markdown = Path::new(name).extension() == Some(OsStr::new("md"));
    let begins = |bytes: &[u8]| bytes.starts_with(b"---\n") || bytes.starts_with(b"---\r\n");
    is_markdown && begins(&gathering.begin_of(boundary, container, name, 8))
}

/// Notes a regular file that contains only the path of an existing file. Git writes such a file if it
/// cannot create a link.
pub(crate) fn link_as_text(
    boundary: &Boundary,
    directory: &Directory,
    name: &OsStr,
    gathering: &mut Gathering,
) {
    let is_short = matches!(directory.entry(name), Ok(Some(stat))
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && u64::try_from(stat.st_size).is_ok_and(|size| (1..=LINK_BYTES_MAX).contains(&size)));
    if !is_short {
        return;
    }
    let bytes = gathering.begin_of(boundary, directory, name, LINK_BYTES_MAX);
    let Some(target) = link_text(&bytes) else {
        return;
    };
    let path = directory.path.join(name);
    let led_to = plain_path(&directory.path.join(target));
    let is_inside = led_to.starts_with(&boundary.directory.path) && led_to != path;
    if is_inside && led_to.exists() {
        let warning = Warning::new(Code::LinkAsText).about(target);
        gathering.note(&path, warning);
    }
}

/// Returns the path that a file consists of. Returns `None` if it contains anything else.
fn link_text(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    let is_path = !text.is_empty()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && (text.contains('/') || text.contains('.'))
        && !text.starts_with(['/', '@', '#']);
    is_path.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_one_relative_path_and_nothing_else() {
        let check = |text: &str, expected: bool| {
            assert_eq!(link_text(text.as_bytes()).is_some(), expected, "{text:?}");
        };
        check("AGENTS.md", true);
        check("../.agents/skills", true);
        check("./a.md", true);
        for other in [
            "",
            "AGENTS.md\n",
            "See AGENTS.md",
            "@AGENTS.md",
            "/etc/passwd",
            "agents",
        ] {
            check(other, false);
        }
    }
}
