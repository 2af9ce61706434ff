//! The frames in which a client puts its files: where one begins and ends, and which path it names.
//!
//! A frame is text among texts, so a file can hold one too. Known texts are therefore found first, and a frame that
//! begins inside of one is part of it.

use std::ops::Range;

use ctxpin_model::profile::Profile;

use crate::edited::NOTE;
use crate::record::Role;

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
const REMINDER: &str = "<system-reminder>\n";
const REMINDER_END: &str = "</system-reminder>";
const CLAUDE_FILE: &str = "Contents of ";

/// What Claude Code writes before and behind the beginning of a file that it cuts.
const CLAUDE_CUT: &str = "\n\nPreview (first 2KB):\n";
const CLAUDE_REST: &str = "\n\n> Only the start of this file is shown. For the rest, call Read on ";
const CLAUDE_REST_END: &str = " and a limit.";
const CLAUDE_CUT_END: &str = "\n...\n</persisted-output>";
/// What stands between a reminder's beginning and its first file.
const CLAUDE_OPENINGS: [&str; 8] = [
    "Codebase and user instructions are shown below.",
    "Instruction files were re-read ",
    "These instruction files changed",
    CLAUDE_WITHDRAWN,
    CLAUDE_FILE,
    CLAUDE_SKILLS,
    CLAUDE_HOOK,
    NOTE,
];
/// What Claude Code says of a file that it had given and that is gone.
const CLAUDE_WITHDRAWN: &str = "Instructions no longer present: ";
/// What comes before the `AGENTS.md` of directories in which Claude Code reads a file: in a message of the system, or in
/// reminders if the model takes none.
const CLAUDE_HOOK: &str = "tool.call hook additional context: ";
/// What stands behind the name of a hook whose words Claude Code brings, and what follows it.
const HOOK: &str = " hook ";
const HOOK_KINDS: [&str; 3] = ["additional context: ", "success: ", "blocking error"];
/// What comes before Claude Code's list of skills.
pub const CLAUDE_SKILLS: &str =
    "The following skills are available for use with the Skill tool:\n\n";
const CLAUDE_SKILL: &str = "Base directory for this skill: ";
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
/// What opencode's system text goes on with behind the files.
const OPENCODE_BEHIND: &str = "\nSkills provide specialized instructions";

/// What opencode puts around the text of a skill that is used: before the name, before the text, and before the directory.
const OPENCODE_SKILL: &str = "<skill_content name=\"";
const OPENCODE_SKILL_BEGIN: &str = "\">\n# Skill: ";
const OPENCODE_SKILL_BASE: &str = "\n\nBase directory for this skill: ";
/// What the directory began with in 1.17.0.
const FILE_URL: &str = "file://";

/// Returns the role of a string, by the role that the request gives it and by the frame that it begins with.
pub fn role(client: Profile, given: Role, text: &str) -> Role {
    let is_frame = given == Role::User
        && match client {
            Profile::ClaudeCode => {
                let opening = text.strip_prefix(REMINDER);
                let mut begins = CLAUDE_OPENINGS.iter();
                opening.is_some_and(|opening| begins.any(|begin| opening.starts_with(begin)))
                    || text.starts_with(CLAUDE_SKILL)
            }
            Profile::Codex => codex_message(text).is_some() || text.starts_with(CODEX_SKILL),
            Profile::Opencode | Profile::Neutral => false,
        };
    if is_frame { Role::Instruction } else { given }
}

/// Returns the frames of a string at an instruction place, in its order.
pub fn frames(client: Profile, text: &str) -> Vec<Frame<'_>> {
    match client {
        Profile::ClaudeCode => claude_code(text),
        Profile::Codex => codex(text),
        Profile::Opencode => opencode(text),
        Profile::Neutral => Vec::new(),
    }
}

/// Returns the paths of the files that a string at an instruction place says to be gone, each with its place.
pub fn withdrawn(client: Profile, text: &str) -> Vec<(usize, &str)> {
    if client != Profile::ClaudeCode || !text.starts_with(REMINDER) {
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

/// Returns where the words begin that a client puts behind the result of a tool, in one string with it.
pub fn behind_result(client: Profile, text: &str) -> Option<usize> {
    let openings: &[&str] = match client {
        Profile::ClaudeCode => &CLAUDE_OPENINGS,
        Profile::Opencode if text.starts_with(OPENCODE_SKILL) => return Some(0),
        Profile::Opencode => &[OPENCODE_FILE],
        Profile::Codex | Profile::Neutral => return None,
    };
    // Reminders stand one behind the other at the end.
    let mut begin = text.len();
    while let Some(before) = text[..begin].trim_end().strip_suffix(REMINDER_END)
        && let Some(at) = before.rfind(REMINDER)
    {
        begin = at;
    }
    let own = openings.iter().filter_map(|opening| {
        let opening = format!("{REMINDER}{opening}");
        text[begin..].find(&opening)
    });
    own.min().map(|first| begin + first)
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

/// Returns the frames of a string from where the client's own words begin.
pub fn frames_from(client: Profile, text: &str, own: usize) -> Vec<Frame<'_>> {
    let mut frames = frames(client, &text[own..]);
    for frame in &mut frames {
        frame.range = frame.range.start + own..frame.range.end + own;
    }
    frames
}

fn claude_code(text: &str) -> Vec<Frame<'_>> {
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
    let mut closes = Ahead::new(text, REMINDER_END);
    let withdrawn = format!("\n{CLAUDE_WITHDRAWN}");
    let mut withdraws = Ahead::new(text, &withdrawn);
    let mut cuts = Ahead::new(text, CLAUDE_CUT_END);
    let hooks: Vec<_> = claude_hooks(text).collect();
    let headers = claude_headers(text);
    let nexts = headers.iter().skip(1).map(|(header, ..)| Some(*header));
    let frames = headers.iter().zip(nexts.chain([None]));
    let frames = frames.map(|((header, path, begin), next)| {
        let is_cut = text[..*header].ends_with(CLAUDE_CUT);
        let cut = cuts.from(*begin).filter(|_| is_cut);
        let hook = hooks.partition_point(|hook| hook < begin);
        let hook = hooks.get(hook).copied();
        let ends = [next, closes.from(*begin), withdraws.from(*begin), cut, hook];
        let end = ends.into_iter().flatten().min();
        let content = &text[*begin..end.unwrap_or(text.len())];
        let end = claude_rest(content).map(|rest| begin + rest).or(end);
        Frame {
            names: Names::Path(path),
            range: *begin..end.unwrap_or(text.len()),
            is_closed: end.is_some(),
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

/// Returns where what hooks print begins in a string at an instruction place. The client's files have frames behind that.
pub fn hook_output(client: Profile, text: &str) -> Option<usize> {
    let mut hooks = claude_hooks(text).filter(|at| !text[*at..].starts_with(CLAUDE_HOOK));
    hooks.next().filter(|_| client == Profile::ClaudeCode)
}

/// Returns where each line begins with which a message of the system brings the words of a hook.
fn claude_hooks(text: &str) -> impl Iterator<Item = usize> {
    let is_system = !text.starts_with(REMINDER);
    let words = text.match_indices(HOOK).filter(move |_| is_system);
    words.filter_map(|(at, _)| {
        let mut kinds = HOOK_KINDS.iter();
        let begin = text[..at].rfind(char::is_whitespace);
        let begin = begin.map_or(0, |before| before + 1);
        let is_line = begin == 0 || text.as_bytes()[begin - 1] == b'\n';
        let is_hook = begin < at && kinds.any(|kind| text[at + HOOK.len()..].starts_with(kind));
        (is_line && is_hook).then_some(begin)
    })
}

/// Returns each line that names a file: where it begins, the path, and where the file begins. Files of several directories
/// come one behind the other, each behind the words of the hook that brings it.
fn claude_headers(text: &str) -> Vec<(usize, &str, usize)> {
    let is_system = !text.starts_with(REMINDER);
    let hooks =
        lines_with(text, CLAUDE_HOOK).filter(|at| is_system || text[..*at].ends_with(REMINDER));
    let hooks = hooks.map(|at| (at, at + CLAUDE_HOOK.len()));
    let hooks = hooks.filter(|(_, behind)| text[*behind..].starts_with(CLAUDE_FILE));
    let mut lines: Vec<_> = lines_with(text, CLAUDE_FILE)
        .map(|at| (at, at))
        .chain(hooks)
        .collect();
    lines.sort_unstable();
    let headers = lines.into_iter().filter_map(|(header, named)| {
        let line = text[named + CLAUDE_FILE.len()..].split('\n').next()?;
        let path = line.strip_suffix(':')?;
        let behind = named + CLAUDE_FILE.len() + line.len();
        let begin = behind + "\n\n".len();
        text[behind..]
            .starts_with("\n\n")
            .then_some((header, without_label(path), begin))
    });
    headers.collect()
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
    let mut ends = [OPENCODE_BEHIND, REMINDER_END].map(|end| Ahead::new(text, end));
    let headers: Vec<_> = lines_with(text, OPENCODE_FILE).collect();
    let nexts = headers.iter().skip(1).copied().map(Some);
    let frames = headers.iter().zip(nexts.chain([None]));
    let frames = frames.map(|(header, next)| {
        let path = text[header + OPENCODE_FILE.len()..].split('\n').next();
        let path = path.unwrap_or_default();
        let begin = (header + OPENCODE_FILE.len() + path.len() + 1).min(text.len());
        let ends = ends.iter_mut().map(|end| end.from(begin));
        let end = ends.chain([next]).flatten().min();
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
        let frames = frames(client, text);
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
            "<system-reminder>\nCodebase and user instructions are shown below.\n\nContents of /w/A (b).md (project \
             instructions, checked into the codebase):\n\none\nContents of it\n\nContents of /w/B.md (x):\n\ntwo\n\
             </system-reminder>",
            &[
                (Names::Path("/w/A (b).md"), "one\nContents of it"),
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
    }

    #[test]
    fn claude_code_gives_the_first_lines_of_a_long_file() {
        let rest = "\n\n> Only the start of this file is shown. For the rest, call Read on /w/p/a b.md with offset=2 and a limit.";
        check(
            Profile::ClaudeCode,
            &format!(
                "<system-reminder>\nContents of /w/p/a b.md:\n\none{rest}\n</system-reminder>"
            ),
            &[(Names::Path("/w/p/a b.md"), "one")],
        );
        // What stands behind such a line is the file's.
        let more = format!("one{rest}\nmore");
        check(
            Profile::ClaudeCode,
            &format!("<system-reminder>\nContents of /w/p/a b.md:\n\n{more}\n</system-reminder>"),
            &[(Names::Path("/w/p/a b.md"), &more)],
        );
    }

    #[test]
    fn claude_code_gives_agents_md_of_several_directories_one_behind_the_other() {
        check(
            Profile::ClaudeCode,
            "tool.call hook additional context: Contents of /w/p/a/AGENTS.md:\n\none\n\n\ntool.call hook additional \
             context: Contents of /w/p/b/AGENTS.md:\n\ntwo\n\n\ntool.call hook additional context: \
             <persisted-output>\nOutput too large (97.7KB). Full output saved to: /h/x.txt\n\nPreview (first 2KB):\n\
             Contents of /w/p/c/AGENTS.md:\n\nthree\n...\n</persisted-output>\n\ntool.call hook additional context: \
             Contents of /w/p/d/AGENTS.md:\n\nfour\n",
            &[
                (Names::Path("/w/p/a/AGENTS.md"), "one"),
                (Names::Path("/w/p/b/AGENTS.md"), "two"),
                (Names::Path("/w/p/c/AGENTS.md"), "three"),
                (Names::Path("/w/p/d/AGENTS.md"), "four"),
            ],
        );
    }

    #[test]
    fn what_a_hook_prints_ends_a_file() {
        let text = "PostToolUse:Read hook additional context: one\n\ntool.call hook additional context: Contents of \
                    /w/p/AGENTS.md:\n\ntwo\n\n\nPostToolUse:Read hook additional context: three";
        check(
            Profile::ClaudeCode,
            text,
            &[(Names::Path("/w/p/AGENTS.md"), "two")],
        );
        assert_eq!(hook_output(Profile::ClaudeCode, text), Some(0));
        let output = |text: &str| hook_output(Profile::ClaudeCode, text);
        let behind = "# Environment\nIt is.\n\nSessionStart:startup hook success: # Root";
        assert_eq!(output(behind), behind.find("SessionStart"));
        for none in [
            "my own hook success: b",
            " hook success: b",
            "Stop hook fails",
            &text[47..80],
        ] {
            assert_eq!(output(none), None, "{none}");
        }
        assert_eq!(hook_output(Profile::Codex, behind), None);
    }

    #[test]
    fn claude_code_says_which_files_are_gone() {
        let text = "<system-reminder>\nInstruction files were re-read when this session started; these differ.\n\n\
                    Contents of /w/A.md (x):\n\none\n\nInstructions no longer present: /w/B.md\n\n\
                    Instructions no longer present: /w/C.md\n</system-reminder>";
        check(
            Profile::ClaudeCode,
            text,
            &[(Names::Path("/w/A.md"), "one")],
        );
        let gone = withdrawn(Profile::ClaudeCode, text);
        let paths: Vec<_> = gone.iter().map(|(_, path)| *path).collect();
        assert_eq!(paths, ["/w/B.md", "/w/C.md"]);
        assert_eq!(withdrawn(Profile::ClaudeCode, &text[1..]), []);
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
            "You are.\nInstructions from: /w/A.md\none\n\nInstructions from: /w/B.md\ntwo\n\nSkills provide \
             specialized instructions",
            &[
                (Names::Path("/w/A.md"), "one"),
                (Names::Path("/w/B.md"), "two"),
            ],
        );
    }

    #[test]
    fn only_a_frame_of_the_client_makes_an_instruction() {
        let check = |given, text: &str, expected| {
            assert_eq!(role(Profile::ClaudeCode, given, text), expected, "{text}");
        };
        let files = "<system-reminder>\nContents of /w/A.md:\n\none\n</system-reminder>";
        check(Role::User, files, Role::Instruction);
        check(Role::User, &format!("See {files}"), Role::User);
        check(
            Role::User,
            "<system-reminder>\nThe date is today.",
            Role::User,
        );
        check(Role::Tool, files, Role::Tool);
        check(Role::Assistant, files, Role::Assistant);
    }

    #[test]
    fn a_result_is_followed_by_frames_at_its_end_alone() {
        let check = |text: &str, expected: &[&str]| {
            let own = behind_result(Profile::ClaudeCode, text);
            let frames = own.map(|own| frames_from(Profile::ClaudeCode, text, own));
            let frames = frames.unwrap_or_default();
            let found: Vec<_> = frames
                .iter()
                .map(|frame| text[frame.range.clone()].trim())
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        let files = "<system-reminder>\nContents of /w/A.md:\n\none\n\n</system-reminder>";
        let more = "<system-reminder>\nmore\n</system-reminder>";
        check(&format!("1\thello\n\n{files}\n\n{more}"), &["one"]);
        check(&format!("1\thello\n\n{more}\n\n{files}\n"), &["one"]);
        check(&format!("{files}\nand more"), &[]);
        // What Claude Code has read anew at a resumption stands behind the last result.
        let anew = "<system-reminder>\nInstruction files were re-read when this session started; these differ:\n\n\
                    Contents of /w/A.md:\n\none\n</system-reminder>";
        check(&format!("1\thello\n\n{anew}"), &["one"]);
        let hook = |name: &str| {
            let file = format!(
                "tool.call hook additional context: Contents of /w/{name}/AGENTS.md:\n\n{name}\n"
            );
            format!("<system-reminder>\n{file}\n</system-reminder>")
        };
        let both = format!("1\thello\n\n{}\n\n{}\n\n{more}", hook("one"), hook("two"));
        check(&both, &["one", "two"]);
        check("nothing", &[]);
    }
}
