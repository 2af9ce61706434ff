//! What a check says of folders that are no skills, although they lie in a folder of skills.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_model::skill::SKILL_FILE_NAME;
use ctxpin_model::warning::{Code, Warning};

use super::{Finding, finding};

/// The folders whose skills a tool reads.
const FOLDERS_OF_TOOLS: [&str; 4] = [".agents", CLAUDE_FOLDER, ".codex", ".opencode"];

/// The one of Claude Code, which other tools read too.
const CLAUDE_FOLDER: &str = ".claude";

/// A skill that a tool lists, and the tool.
pub struct Listed {
    pub profile: Profile,
    pub source: PathBuf,
}

/// Says of a folder which tools list the skills in it. Removes the finding about one that no tool takes for a skill, and
/// that has nothing of one: a folder named `skills` may hold anything.
pub fn settle(findings: &mut Vec<Finding>, listed: &[Listed]) {
    findings.retain_mut(|found| {
        if found.code != Code::SkillAbsent {
            return true;
        }
        let below = listed.iter();
        let mut below = below.filter(|skill| skill.source.starts_with(&found.path));
        let Some(first) = below.next() else {
            return is_of_tool(&found.path) || is_like_skill(&found.path);
        };
        let mut tools = vec![name(first.profile)];
        tools.extend(below.map(|skill| name(skill.profile)));
        tools.dedup();
        let verb = if tools.len() == 1 { "lists" } else { "list" };
        let is_of_claude = folder(&found.path).is_some_and(|folder| folder == CLAUDE_FOLDER);
        let others = match is_of_claude && !tools.contains(&name(Profile::ClaudeCode)) {
            true => "Claude Code and ctxpin by its own rules look",
            false => "ctxpin by its own rules looks",
        };
        let detail = format!(
            "it has no {SKILL_FILE_NAME}; {} {verb} the skills in it, and {others} no deeper",
            tools.join(" and ")
        );
        let warning = Warning::new(Code::SkillAbsent).about(detail);
        *found = finding(&found.path.to_string_lossy(), &warning);
        true
    });
}

fn name(profile: Profile) -> &'static str {
    profile.tool().unwrap_or("ctxpin")
}

/// Returns the name of the folder that holds the folder of skills of an entry.
fn folder(entry: &Path) -> Option<&OsStr> {
    entry.parent()?.parent()?.file_name()
}

/// Returns whether an entry lies in a folder of skills that a tool reads.
fn is_of_tool(entry: &Path) -> bool {
    let name = folder(entry);
    name.is_some_and(|name| FOLDERS_OF_TOOLS.iter().any(|folder| name == *folder))
}

/// Returns whether an entry is a file, or has a `SKILL.md` in any case, also in one of its folders.
fn is_like_skill(entry: &Path) -> bool {
    let entries = |directory: &Path| directory.read_dir().into_iter().flatten().flatten();
    let has_file = |directory: &Path| {
        entries(directory).any(|entry| entry.file_name().eq_ignore_ascii_case(SKILL_FILE_NAME))
    };
    !entry.is_dir() || has_file(entry) || entries(entry).any(|child| has_file(&child.path()))
}
