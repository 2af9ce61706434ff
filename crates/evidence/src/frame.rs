//! The frames in which a client puts its files: where one begins and ends, and which path it names.
//!
//! A frame is text among texts, so a file can hold one too. Known texts are therefore found first, and a frame that
//! begins inside of one is part of it.

use std::ops::Range;

use ctxpin_model::profile::Profile;
use ctxpin_model::skill::SKILL_FILE_NAME;

use crate::edited::NOTE;
use crate::record::Role;
pub use crate::record::transcript::SKILL as CLAUDE_SKILL;

/// A file in a string of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'s> {
    pub names: Names<'s>,
    /// Where the file's text stands. Blanks may follow it there.
    pub range: Range<usize>,
    /// Whether the client marks where the text ends.
    pub is_closed: bool,
}

/// What a frame says about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names<'s> {
    Path(&'s str),
    /// A skill that is used, by the path of its `SKILL.md` or of its directory.
    Skill(&'s str),
    /// The file of the client's home.
    Home,
    /// Files of the project, one behind the other.
    Project,
}

/// What a block of Claude Code begins with if it is no text of a person or a tool.
pub const REMINDER: &str = "<system-reminder>\n";
/// What such a block ends with.
pub const REMINDER_END: &str = "</system-reminder>";
const CLAUDE_FILE: &str = "Contents of ";

/// What Claude Code writes before and behind the beginning of a file that it cuts.
const CLAUDE_CUT: &str = "\n\nPreview (first 2KB):\n";
const CLAUDE_REST: &str = "\n\n> Only the start of this file is shown. For the rest, call Read on ";
const CLAUDE_REST_END: &str = " and a limit.";
const CLAUDE_CUT_END: &str = "\n...\n</persisted-output>";
/// What a text of Claude Code with files, skills or notes begins with.
const CLAUDE_OPENINGS: [&str; 10] = [
    "Codebase and user instructions are shown below.",
    "Instruction files were re-read ",
    "These instruction files changed",
    CLAUDE_WITHDRAWN,
    CLAUDE_FILE,
    CLAUDE_SKILLS,
    CLAUDE_SKILL,
    CLAUDE_INVOKED,
    CLAUDE_HOOK,
    NOTE,
];
/// What Claude Code says of a file that it had given and that is gone.
const CLAUDE_WITHDRAWN: &str = "Instructions no longer present: ";
/// What comes before the `AGENTS.md` of directories in which Claude Code reads a file: in a message of the system, or in
/// reminders if the model takes none.
const CLAUDE_HOOK: &str = "tool.call hook additional context: ";
const CLAUDE_HOOK_FILE: &str = "/AGENTS.md";
/// What comes before Claude Code's list of skills.
pub const CLAUDE_SKILLS: &str =
    "The following skills are available for use with the Skill tool:\n\n";
/// What comes before the skills that were used before a compaction.
const CLAUDE_INVOKED: &str = "The following skills were invoked ";
/// What Claude Code puts behind the text of a skill that is used with words, unless the text has a place for them.
const CLAUDE_ARGUMENTS: &str = "\n\nARGUMENTS: ";

const CODEX_BEGIN: &str = "# AGENTS.md instructions";
const CODEX_OPEN: &str = "\n\n<INSTRUCTIONS>\n";
const CODEX_CLOSE: &str = "\n</INSTRUCTIONS>";
const CODEX_REPLACES: &str =
    "These AGENTS.md instructions replace all previously provided AGENTS.md instructions.\n\n";
/// What stands in place of the files once there are none any more.
const CODEX_WITHDRAWN: &str = "The previously provided AGENTS.md instructions no longer apply.";
const CODEX_SEPARATOR: &str = "\n\n--- project-doc ---\n\n";
const CODEX_SKILL: &str = "<skill>\n<name>";
const CODEX_SKILL_END: &str = "\n</skill>";

const OPENCODE_FILE: &str = "Instructions from: ";
/// What opencode's system text has before the files, and what it goes on with behind them.
const OPENCODE_BEFORE: &str = "</env>\n";
const OPENCODE_BEHIND: &str = "\nSkills provide specialized instructions";

/// What opencode puts around the text of a skill that is used: before the name, before the text, and before the directory.
const OPENCODE_SKILL: &str = "<skill_content name=\"";
const OPENCODE_SKILL_BEGIN: &str = "\">\n# Skill: ";
const OPENCODE_SKILL_BASE: &str = "\n\nBase directory for this skill: ";
/// What the directory began with in 1.17.0.
const FILE_URL: &str = "file://";

/// Returns a text of Claude Code without what marks it as a reminder, if it is one.
pub fn reminded(text: &str) -> Option<&str> {
    text.trim()
        .strip_prefix(REMINDER)?
        .strip_suffix(REMINDER_END)
}

/// Returns whether a text of Claude Code begins as one with its files, its skills or its notes does.
pub fn begins_own(text: &str) -> bool {
    let mut begins = CLAUDE_OPENINGS.iter();
    begins.any(|begin| text.starts_with(begin))
}

/// Returns where a text of Claude Code itself may begin in a string of its requests.
pub fn beginnings(role: Role, text: &str) -> impl Iterator<Item = usize> + '_ {
    let (first, mark) = match role {
        Role::User if text.starts_with(CLAUDE_SKILL) => (Some(0), None),
        Role::User => (text.starts_with(REMINDER).then_some(REMINDER.len()), None),
        Role::Beside => (Some(0), Some("\n")),
        Role::Tool => (None, Some(REMINDER)),
        Role::Instruction | Role::Prompt | Role::Assistant => (None, None),
    };
    let marks = mark.into_iter().flat_map(|mark| {
        let marks = text.match_indices(mark);
        marks.map(|(at, _)| at + mark.len())
    });
    let begins = first.into_iter().chain(marks);
    begins.filter(|at| begins_own(&text[*at..]))
}

/// Returns the `SKILL.md` of a skill, by its path or by that of its directory.
pub fn skill_file(path: &str) -> String {
    match path.ends_with(SKILL_FILE_NAME) {
        true => path.to_owned(),
        false => format!("{}/{SKILL_FILE_NAME}", path.trim_end_matches('/')),
    }
}

/// Returns the frames of the client's own text, in its order. `is_file` says of a path whether the text has that file, as far
/// as the client says it.
pub fn frames(client: Profile, text: &str, is_file: impl Fn(&str) -> bool) -> Vec<Frame<'_>> {
    match client {
        Profile::ClaudeCode => claude_code(text, is_file),
        Profile::Codex => codex(text),
        Profile::Opencode => opencode(text),
        Profile::Neutral => Vec::new(),
    }
}

/// Returns the paths of the files that the client's own text says to be gone, each with its place.
pub fn withdrawn(client: Profile, text: &str) -> Vec<(usize, &str)> {
    if client != Profile::ClaudeCode {
        return Vec::new();
    }
    let lines = lines_with(text, CLAUDE_WITHDRAWN);
    let paths = lines.map(|at| {
        let path = text[at + CLAUDE_WITHDRAWN.len()..].lines().next();
        (at, path.unwrap_or_default())
    });
    paths.collect()
}

/// Returns where a string says that all files which the client gave before are gone.
pub fn all_withdrawn(client: Profile, text: &str) -> Option<usize> {
    let range = codex_message(text).filter(|_| client == Profile::Codex)?;
    (text[range.clone()].trim() == CODEX_WITHDRAWN).then_some(range.start)
}

/// Returns whether a string that opencode's plugin hands over beside the system text is what opencode says: the files behind a
/// result, or a used skill.
pub fn is_added(text: &str) -> bool {
    let behind = text.strip_prefix(REMINDER);
    behind.is_some_and(|files| files.starts_with(OPENCODE_FILE)) || text.starts_with(OPENCODE_SKILL)
}

/// Returns a part of a used skill's text without the words behind it with which the skill is used: up to the first place
/// where they may begin, and up to the last one.
pub fn without_arguments(client: Profile, text: &str) -> [&str; 2] {
    let places = [text.find(CLAUDE_ARGUMENTS), text.rfind(CLAUDE_ARGUMENTS)];
    places.map(|at| {
        let at = at.filter(|_| client == Profile::ClaudeCode);
        at.map_or(text, |at| &text[..at])
    })
}

fn claude_code(text: &str, is_file: impl Fn(&str) -> bool) -> Vec<Frame<'_>> {
    if let Some(rest) = text.strip_prefix(CLAUDE_SKILL) {
        let Some((directory, content)) = rest.split_once("\n\n") else {
            return Vec::new();
        };
        return vec![Frame {
            names: Names::Skill(directory),
            range: text.len() - content.len()..text.len(),
            is_closed: true,
        }];
    }
    let withdrawn = format!("\n{CLAUDE_WITHDRAWN}");
    let mut withdraws = Ahead::new(text, &withdrawn);
    let mut cuts = Ahead::new(text, CLAUDE_CUT_END);
    let headers = claude_headers(text, is_file);
    let nexts = headers.iter().skip(1).map(|(header, ..)| Some(*header));
    let frames = headers.iter().zip(nexts.chain([None]));
    let frames = frames.map(|((header, path, begin), next)| {
        let is_cut = text[..*header].ends_with(CLAUDE_CUT);
        let cut = cuts.from(*begin).filter(|_| is_cut);
        let ends = [next, withdraws.from(*begin), cut];
        let end = ends.into_iter().flatten().min();
        let content = &text[*begin..end.unwrap_or(text.len())];
        let end = claude_rest(content).map(|rest| begin + rest).or(end);
        Frame {
            names: Names::Path(path),
            range: *begin..end.unwrap_or(text.len()),
            is_closed: true,
        }
    });
    frames.collect()
}

/// Returns where the line begins that ends a long file and says how to read the rest of it.
fn claude_rest(content: &str) -> Option<usize> {
    let at = content.rfind(CLAUDE_REST)?;
    let line = content[at..].trim();
    (!line.contains('\n') && line.ends_with(CLAUDE_REST_END)).then_some(at)
}

/// Returns each line that names a file: where it begins, the path, and where the file begins.
fn claude_headers(text: &str, is_file: impl Fn(&str) -> bool) -> Vec<(usize, &str, usize)> {
    let is_hook = text.starts_with(CLAUDE_HOOK);
    let first = is_hook.then_some((0, CLAUDE_HOOK.len()));
    let first = first.filter(|(_, behind)| text[*behind..].starts_with(CLAUDE_FILE));
    let lines = lines_with(text, CLAUDE_FILE).map(|at| (at, at));
    let mut headers: Vec<(usize, &str, usize)> = Vec::new();
    for (header, named) in first.into_iter().chain(lines) {
        let line = &text[named + CLAUDE_FILE.len()..];
        let line = line.split('\n').next().unwrap_or_default();
        let behind = named + CLAUDE_FILE.len() + line.len();
        let Some(path) = line.strip_suffix(':') else {
            continue;
        };
        // A file may itself have such a line.
        let is_below = |before: &str| {
            let directory = before.strip_suffix(CLAUDE_HOOK_FILE);
            let below = directory.and_then(|directory| path.strip_prefix(directory));
            below.is_some_and(|below| below.len() > CLAUDE_HOOK_FILE.len())
        };
        let last = headers.last().map(|(_, path, _)| *path);
        let path = match is_hook {
            true => Some(path)
                .filter(|path| path.ends_with(CLAUDE_HOOK_FILE) && last.is_none_or(is_below)),
            false => [path, without_label(path)]
                .into_iter()
                .find(|path| is_file(path)),
        };
        if let Some(path) = path.filter(|_| text[behind..].starts_with("\n\n")) {
            headers.push((header, path, behind + "\n\n".len()));
        }
    }
    headers
}

/// Returns the path of `PATH (label)`.
fn without_label(named: &str) -> &str {
    let label = named.strip_suffix(')').and_then(|named| named.rfind(" ("));
    label.map_or(named, |at| &named[..at])
}

/// Returns where each line begins that begins with a text.
fn lines_with<'s>(text: &'s str, begin: &'s str) -> impl Iterator<Item = usize> + 's {
    let places = text.match_indices(begin).map(|(at, _)| at);
    places.filter(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
}

/// Returns the place of the files in Codex's message.
fn codex_message(text: &str) -> Option<Range<usize>> {
    let head = text.strip_prefix(CODEX_BEGIN)?;
    let (directory, _) = head.split_once(CODEX_OPEN)?;
    if directory.contains('\n') {
        return None;
    }
    let begin = CODEX_BEGIN.len() + directory.len() + CODEX_OPEN.len();
    let end = text.strip_suffix(CODEX_CLOSE)?.len();
    let replaces = text.get(begin..end)?.starts_with(CODEX_REPLACES);
    let begin = begin + if replaces { CODEX_REPLACES.len() } else { 0 };
    (begin <= end).then_some(begin..end)
}

fn codex(text: &str) -> Vec<Frame<'_>> {
    let frame = |names, range| Frame {
        names,
        range,
        is_closed: true,
    };
    if let Some(rest) = text.strip_prefix(CODEX_SKILL) {
        let path = rest.split_once("</name>\n<path>");
        let path = path.and_then(|(_, rest)| rest.split_once("</path>\n"));
        let skill = path.and_then(|(path, rest)| {
            let content = rest.strip_suffix(CODEX_SKILL_END)?;
            let begin = text.len() - rest.len();
            Some(frame(Names::Skill(path), begin..begin + content.len()))
        });
        return skill.into_iter().collect();
    }
    let Some(range) = codex_message(text) else {
        return Vec::new();
    };
    let files = &text[range.clone()];
    if files.trim() == CODEX_WITHDRAWN {
        return Vec::new();
    }
    if let Some(at) = files.find(CODEX_SEPARATOR) {
        let middle = range.start + at;
        let project = middle + CODEX_SEPARATOR.len()..range.end;
        return vec![
            frame(Names::Home, range.start..middle),
            frame(Names::Project, project),
        ];
    }
    // The message names the directory only if the project has a file.
    let is_project = text[CODEX_BEGIN.len()..].starts_with(" for ");
    let names = if is_project {
        Names::Project
    } else {
        Names::Home
    };
    vec![frame(names, range)]
}

/// Returns the text of a skill of opencode that is used. The files of the skill follow its directory.
fn opencode_skill(text: &str) -> Option<Frame<'_>> {
    let named = text.strip_prefix(OPENCODE_SKILL)?;
    let (_, headed) = named.split_once(OPENCODE_SKILL_BEGIN)?;
    let (_, content) = headed.split_once("\n\n")?;
    let begin = text.len() - content.len();
    let (content, base) = content.rsplit_once(OPENCODE_SKILL_BASE)?;
    let directory = base.split('\n').next().unwrap_or_default();
    Some(Frame {
        names: Names::Skill(directory.strip_prefix(FILE_URL).unwrap_or(directory)),
        range: begin..begin + content.len(),
        is_closed: true,
    })
}

fn opencode(text: &str) -> Vec<Frame<'_>> {
    if text.starts_with(OPENCODE_SKILL) {
        return opencode_skill(text).into_iter().collect();
    }
    // A prompt of an agent comes before the files, and texts of a caller come behind the skills.
    let (begin, end) = match text.starts_with(REMINDER) {
        true => (Some(0), text.rfind(REMINDER_END)),
        false => (text.find(OPENCODE_BEFORE), text.rfind(OPENCODE_BEHIND)),
    };
    let begin = begin.unwrap_or(text.len());
    let headers = lines_with(text, OPENCODE_FILE);
    let headers: Vec<_> = headers
        .filter(|at| begin <= *at && end.is_none_or(|end| *at < end))
        .collect();
    let nexts = headers.iter().skip(1).copied().map(Some);
    let frames = headers.iter().zip(nexts.chain([None]));
    let frames = frames.map(|(header, next)| {
        let path = text[header + OPENCODE_FILE.len()..].split('\n').next();
        let path = path.unwrap_or_default();
        let begin = (header + OPENCODE_FILE.len() + path.len() + 1).min(text.len());
        let end = next.or(end);
        Frame {
            names: Names::Path(path),
            range: begin..end.unwrap_or(text.len()).max(begin),
            is_closed: end.is_some(),
        }
    });
    frames.collect()
}

/// The next place of a mark in a text, which is looked for once between two places.
pub struct Ahead<'s> {
    text: &'s str,
    mark: &'s str,
    next: Option<usize>,
}

impl<'s> Ahead<'s> {
    /// Looks for a mark from the beginning on.
    pub fn new(text: &'s str, mark: &'s str) -> Self {
        Self {
            text,
            mark,
            next: text.find(mark),
        }
    }

    /// Returns the first place from `begin` on. `begin` never gets smaller.
    pub fn from(&mut self, begin: usize) -> Option<usize> {
        if self.next.is_some_and(|next| next < begin) {
            self.next = self.text[begin..].find(self.mark).map(|at| begin + at);
        }
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: Profile, text: &str, expected: &[(Names<'_>, &str)]) {
        let frames = frames(client, text, |path| path.ends_with(".md"));
        let found: Vec<_> = frames
            .iter()
            .map(|frame| (frame.names, text[frame.range.clone()].trim()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn claude_code_names_each_file() {
        check(
            Profile::ClaudeCode,
            "Codebase and user instructions are shown below.\n\nContents of /w/A (b).md (project instructions, checked into \
             the codebase):\n\none\nContents of it\n\nContents of /w/quoted.txt:\n\nmore\n\nContents of /w/B.md \
             (x):\n\ntwo",
            &[
                (
                    Names::Path("/w/A (b).md"),
                    "one\nContents of it\n\nContents of /w/quoted.txt:\n\nmore",
                ),
                (Names::Path("/w/B.md"), "two"),
            ],
        );
        check(
            Profile::ClaudeCode,
            "Base directory for this skill: /w/s\n\n# Body",
            &[(Names::Skill("/w/s"), "# Body")],
        );
    }

    #[test]
    fn claude_code_gives_agents_md_with_a_file_in_a_frame_of_its_own() {
        check(
            Profile::ClaudeCode,
            "tool.call hook additional context: Contents of /w/p/AGENTS.md:\n\none\n\nContents of /w/p/a/AGENTS.md:\n\ntwo\n",
            &[
                (Names::Path("/w/p/AGENTS.md"), "one"),
                (Names::Path("/w/p/a/AGENTS.md"), "two"),
            ],
        );
        check(
            Profile::ClaudeCode,
            "tool.call hook additional context: <persisted-output>\nOutput too large (97.7KB). Full output saved to: \
             /h/x.txt\n\nPreview (first 2KB):\nContents of /w/p/AGENTS.md:\n\none\n...\n</persisted-output>\n\
             Contents of /w/p/a/AGENTS.md:\n\ntwo\n...\n</persisted-output>\n",
            &[
                (Names::Path("/w/p/AGENTS.md"), "one"),
                (
                    Names::Path("/w/p/a/AGENTS.md"),
                    "two\n...\n</persisted-output>",
                ),
            ],
        );
        check(
            Profile::ClaudeCode,
            "tool.call hook additional context: more",
            &[],
        );
        // A file may quote such a line.
        check(
            Profile::ClaudeCode,
            "tool.call hook additional context: Contents of /w/p/a/AGENTS.md:\n\none\n\nContents of /w/p/AGENTS.md:\n\ntwo\n",
            &[(
                Names::Path("/w/p/a/AGENTS.md"),
                "one\n\nContents of /w/p/AGENTS.md:\n\ntwo",
            )],
        );
    }

    #[test]
    fn claude_code_gives_the_first_lines_of_a_long_file() {
        let rest = "\n\n> Only the start of this file is shown. For the rest, call Read on /w/p/a b.md with offset=2 and a limit.";
        check(
            Profile::ClaudeCode,
            &format!("Contents of /w/p/a b.md:\n\none{rest}"),
            &[(Names::Path("/w/p/a b.md"), "one")],
        );
        // What stands behind such a line is the file's.
        let more = format!("one{rest}\nmore");
        check(
            Profile::ClaudeCode,
            &format!("Contents of /w/p/a b.md:\n\n{more}"),
            &[(Names::Path("/w/p/a b.md"), &more)],
        );
    }

    #[test]
    fn claude_code_says_which_files_are_gone() {
        let text = "Instruction files were re-read when this session started; these differ.\n\n\
                    Contents of /w/A.md (x):\n\none\n\nInstructions no longer present: /w/B.md\n\n\
                    Instructions no longer present: /w/C.md";
        check(
            Profile::ClaudeCode,
            text,
            &[(Names::Path("/w/A.md"), "one")],
        );
        let gone = withdrawn(Profile::ClaudeCode, text);
        let paths: Vec<_> = gone.iter().map(|(_, path)| *path).collect();
        assert_eq!(paths, ["/w/B.md", "/w/C.md"]);
        assert_eq!(withdrawn(Profile::Codex, text), []);
    }

    #[test]
    fn codex_joins_its_files() {
        let message = |about: &str, files: &str| {
            format!("# AGENTS.md instructions{about}\n\n<INSTRUCTIONS>\n{files}\n</INSTRUCTIONS>")
        };
        check(
            Profile::Codex,
            &message(" for /w", "mine\n\n--- project-doc ---\n\nours"),
            &[(Names::Home, "mine"), (Names::Project, "ours")],
        );
        check(
            Profile::Codex,
            &message(" for /w", &format!("{CODEX_REPLACES}ours")),
            &[(Names::Project, "ours")],
        );
        check(
            Profile::Codex,
            &message("", "mine"),
            &[(Names::Home, "mine")],
        );
        let gone = message("", CODEX_WITHDRAWN);
        check(Profile::Codex, &gone, &[]);
        assert!(all_withdrawn(Profile::Codex, &gone).is_some());
        assert_eq!(all_withdrawn(Profile::ClaudeCode, &gone), None);
        let more = message("", &format!("{CODEX_WITHDRAWN}\nmine"));
        assert_eq!(all_withdrawn(Profile::Codex, &more), None);
        check(
            Profile::Codex,
            "<skill>\n<name>s</name>\n<path>/w/s/SKILL.md</path>\n# Body\n</skill>",
            &[(Names::Skill("/w/s/SKILL.md"), "# Body")],
        );
    }

    #[test]
    fn opencode_ends_a_file_where_the_next_begins() {
        check(
            Profile::Opencode,
            "You are.\nInstructions from: /w/quoted.md\n</env>\nInstructions from: /w/A.md\none\n\nInstructions from: /w/B.md\ntwo\n\nSkills provide \
             specialized instructions\nInstructions from: /w/said.md\nthree",
            &[
                (Names::Path("/w/A.md"), "one"),
                (Names::Path("/w/B.md"), "two"),
            ],
        );
    }
}
