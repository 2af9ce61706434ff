//! What the permissions of Claude Code's settings keep from its model: files that it may not read, and the list of
//! skills. A person's own files are given all the same.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctxpin_model::glob::IgnoreRules;
use ctxpin_model::limits::cut;

use crate::directory::plain_path;

/// The tool with which a model reads files, and the one with which it uses skills.
const READ: &str = "Read";
const SKILL: &str = "Skill";

/// The tool with which a model starts agents, by its names.
const AGENT: [&str; 2] = ["Agent", "Task"];

/// How many agents a reason names.
const AGENTS_SHOWN_MAX: usize = 3;

/// How much of the name of an agent a reason shows, in bytes.
const AGENT_SHOWN_BYTES_MAX: usize = 100;

/// How many links one file may lead through. Linux follows no more either.
const LINKS_MAX: usize = 40;

/// Why a file that the permissions keep from the model is left out.
pub const UNREAD: &str =
    "`permissions.deny` in Claude Code's settings says that its model may not read it";

/// Why all skills are left out if the permissions take the tool for them.
pub const UNLISTED: &str = "`permissions.deny` in Claude Code's settings takes its model the tool `Skill`, and with it the list of skills";

/// Why the agents are left out if the permissions take the tool for them.
const UNTOLD: &str = "`permissions.deny` in Claude Code's settings takes its model the tool `Agent`, and with it the agents";

/// A rule of `permissions.deny`.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub text: String,
    /// The directory to which a path belongs that begins with one `/`.
    pub root: PathBuf,
}

/// What the rules of all settings deny together.
#[derive(Debug, Default)]
pub struct Denied {
    /// The files that may not be read, by the directory that the patterns start at.
    files: BTreeMap<PathBuf, IgnoreRules>,
    has_no_files: bool,
    pub has_no_skills: bool,
    pub has_no_agents: bool,
    /// The agents of which the model is not told.
    agents: Vec<String>,
}

impl Denied {
    /// Reads rules in their order, which counts. Other paths than those with a `/` at their beginning start at the working
    /// directory or at the home.
    pub fn by(rules: &[Rule], working: &Path, home: &Path) -> Self {
        let mut denied = Self::default();
        let mut lines: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for Rule { text, root } in rules {
            match parts(text) {
                (tool, None) => {
                    denied.has_no_files |= is_tool(tool, READ);
                    denied.has_no_skills |= is_tool(tool, SKILL);
                    denied.has_no_agents |= AGENT.iter().any(|agent| is_tool(tool, agent));
                }
                (tool, Some(agent)) if AGENT.contains(&tool) => {
                    let agent = cut(agent, AGENT_SHOWN_BYTES_MAX).to_owned();
                    denied.agents.push(agent);
                }
                (READ, Some(pattern)) => {
                    let pattern = unescaped(pattern);
                    let (directory, line) = start(&pattern, root, working, home);
                    lines.entry(directory.to_owned()).or_default().push(line);
                }
                _ => {}
            }
        }
        let files = lines.into_iter().map(|(directory, lines)| {
            let rules = IgnoreRules::new(lines.iter().map(String::as_str));
            (directory, rules)
        });
        denied.files = files.collect();
        denied
    }

    /// Returns why no pin holds a folder of agents, of which the model is told.
    pub fn of_agents(&self) -> Cow<'static, str> {
        const REASON: &str = "Claude Code tells its model of the agents in it";
        if self.has_no_agents {
            return UNTOLD.into();
        }
        let shown: Vec<_> = self.agents.iter().take(AGENTS_SHOWN_MAX).cloned().collect();
        let more = self.agents.len() - shown.len();
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match shown.is_empty() {
            true => format!("{REASON}, but no pin holds them"),
            false => format!(
                "{REASON}, but for those that `permissions.deny` names (`{}`{more}), and no pin holds them",
                shown.join("`, `")
            ),
        }
        .into()
    }

    /// Returns whether the model may not read a file under its path, or under that of a link on the way to it.
    pub fn has_on_the_way(&self, path: &Path) -> bool {
        let has_rules = self.has_no_files || !self.files.is_empty();
        has_rules && way(path).any(|path| self.has(&path))
    }

    /// Returns whether the model may not read the file at a path.
    pub fn has(&self, path: &Path) -> bool {
        let mut files = self.files.iter();
        self.has_no_files
            || files.any(|(directory, rules)| {
                let below = path.strip_prefix(directory).ok();
                below.is_some_and(|below| rules.matches(&below.to_string_lossy()))
            })
    }
}

/// Returns the path, and then where it leads, one link after the other.
fn way(path: &Path) -> impl Iterator<Item = PathBuf> {
    let next = |from: &PathBuf| {
        let target = from.read_link().ok()?;
        Some(plain_path(&from.parent()?.join(target)))
    };
    std::iter::successors(Some(path.to_owned()), next).take(LINKS_MAX)
}

/// Returns the tool that a rule names, and what it says of the tool's use. All uses are meant if it says nothing, or `*`.
fn parts(rule: &str) -> (&str, Option<&str>) {
    let inside = rule.strip_suffix(')').and_then(|rule| rule.split_once('('));
    match inside {
        Some((tool, "*")) => (tool, None),
        Some((tool, what)) => (tool, Some(what)),
        None => (rule, None),
    }
}

/// Returns a text in which brackets are written with a backslash, as it is meant.
fn unescaped(text: &str) -> String {
    text.replace("\\(", "(").replace("\\)", ")")
}

/// Returns whether the name of tools in a rule, in which `*` stands for any text, is that of a tool.
fn is_tool(name: &str, tool: &str) -> bool {
    let Some((begin, rest)) = name.split_once('*') else {
        return name == tool;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let left = tool.strip_prefix(begin);
    let Some(mut left) = left.and_then(|left| left.strip_suffix(end)) else {
        return false;
    };
    middle.split('*').all(|part| {
        let behind = left.split_once(part).map(|(_, behind)| behind);
        left = behind.unwrap_or_default();
        behind.is_some()
    })
}

/// Returns the directory at which a pattern starts, and the pattern as a line of a `.gitignore` there. The pattern of
/// everything below a directory is that of the directory.
fn start<'d>(
    pattern: &str,
    root: &'d Path,
    working: &'d Path,
    home: &'d Path,
) -> (&'d Path, String) {
    let at_home = pattern
        .strip_prefix('~')
        .filter(|rest| rest.starts_with('/'));
    let (directory, line) = match at_home {
        Some(rest) => (home, rest),
        None if pattern.starts_with("//") => (Path::new("/"), &pattern[1..]),
        None if pattern.starts_with('/') => (root, pattern),
        None => (working, pattern.strip_prefix("./").unwrap_or(pattern)),
    };
    let above = line.strip_suffix("/**").filter(|line| !line.is_empty());
    (directory, above.unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks which files a rule of the settings of a project denies, and whether of a person.
    fn check(rule: &str, denied: &[&str]) {
        let files = [
            "/w/CLAUDE.md",
            "/w/.claude/CLAUDE.md",
            "/w/.claude/rules/d/r1.md",
            "/w/sub/CLAUDE.local.md",
            "/w/x(1).md",
            "/CLAUDE.md",
            "/home/CLAUDE.md",
        ];
        let rules = [Rule {
            text: rule.to_owned(),
            root: "/w".into(),
        }];
        let by = Denied::by(&rules, Path::new("/w"), Path::new("/home"));
        let found = files.into_iter().filter(|file| by.has(Path::new(file)));
        assert_eq!(found.collect::<Vec<_>>(), denied, "{rule}");
    }

    #[test]
    fn a_pattern_denies_files() {
        // Each was seen in the requests of Claude Code 2.1.332.
        check("Read(CLAUDE.md)", &["/w/CLAUDE.md", "/w/.claude/CLAUDE.md"]);
        check(
            "Read(./claude.md)",
            &["/w/CLAUDE.md", "/w/.claude/CLAUDE.md"],
        );
        check("Read(/CLAUDE.md)", &["/w/CLAUDE.md"]);
        check("Read(//w/CLAUDE.md)", &["/w/CLAUDE.md"]);
        check("Read(~/CLAUDE.md)", &["/home/CLAUDE.md"]);
        check("Read(~/**)", &["/home/CLAUDE.md"]);
        check(
            "Read(CLAUDE.md/**)",
            &["/w/CLAUDE.md", "/w/.claude/CLAUDE.md"],
        );
        check(
            "Read(CLAUDE.md )",
            &["/w/CLAUDE.md", "/w/.claude/CLAUDE.md"],
        );
        check("Read(rules/**)", &["/w/.claude/rules/d/r1.md"]);
        check("Read(**/rules/**)", &["/w/.claude/rules/d/r1.md"]);
        check(
            "Read(.claude)",
            &["/w/.claude/CLAUDE.md", "/w/.claude/rules/d/r1.md"],
        );
        check("Read(r[12].md)", &["/w/.claude/rules/d/r1.md"]);
        check("Read(*.local.md)", &["/w/sub/CLAUDE.local.md"]);
        check("Read(x\\(1\\).md)", &["/w/x(1).md"]);
        check(
            "Read(//**/CLAUDE.md)",
            &[
                "/w/CLAUDE.md",
                "/w/.claude/CLAUDE.md",
                "/CLAUDE.md",
                "/home/CLAUDE.md",
            ],
        );
        check(
            "Read(**)",
            &[
                "/w/CLAUDE.md",
                "/w/.claude/CLAUDE.md",
                "/w/.claude/rules/d/r1.md",
                "/w/sub/CLAUDE.local.md",
                "/w/x(1).md",
            ],
        );
        for rule in [
            "Read()",
            "Read(.)",
            "Read(/)",
            "Read(~)",
            "Read(../CLAUDE.md)",
            "Read(/../CLAUDE.md)",
            "Read(CLAUDE.md/)",
            "Read( CLAUDE.md)",
            "Read(!CLAUDE.md)",
            "Read(#CLAUDE.md)",
            "Read(CLAUDE.{md,local.md})",
            "Read(CLAUDE.md) ",
            "Read(CLAUDE.md",
            "Read ",
            "R?ad",
            "read(CLAUDE.md)",
            "Re*(CLAUDE.md)",
            "Edit(CLAUDE.md)",
            "NotebookRead",
        ] {
            check(rule, &[]);
        }
    }

    #[test]
    fn the_last_pattern_of_a_directory_counts() {
        let check = |rules: &[&str], expected| {
            let rules = rules.iter().map(|text| Rule {
                text: (*text).to_owned(),
                root: "/w".into(),
            });
            let rules: Vec<_> = rules.collect();
            let by = Denied::by(&rules, Path::new("/w"), Path::new("/home"));
            assert_eq!(by.has(Path::new("/w/CLAUDE.md")), expected, "{rules:?}");
        };
        check(&["Read(*.md)", "Read(!CLAUDE.md)"], false);
        check(&["Read(!CLAUDE.md)", "Read(*.md)"], true);
    }

    #[test]
    fn agents_are_denied_by_either_name_of_the_tool() {
        let check = |rules: &[&str], expected: &str| {
            let rules = rules.iter().map(|text| Rule {
                text: (*text).to_owned(),
                root: "/w".into(),
            });
            let rules: Vec<_> = rules.collect();
            let denied = Denied::by(&rules, Path::new("/w"), Path::new("/home"));
            let reason = denied.of_agents();
            assert!(reason.contains(expected), "{rules:?}: {reason}");
        };
        for rule in ["Task", "Agent", "Agent(*)", "Ta*", "*"] {
            check(&[rule], "the tool `Agent`, and with it the agents");
        }
        check(&["Task(a)", "Agent(b)"], "names (`a`, `b`), and no pin");
        let many = ["Agent(a)", "Agent(b)", "Agent(c)", "Agent(d)"];
        check(&many, "(`a`, `b`, `c` and 1 more)");
        check(&["Skill", "task"], "in it, but no pin holds them");
    }

    #[test]
    fn a_name_alone_denies_a_tool() {
        for (name, has_no_files, has_no_skills) in [
            ("Read", true, false),
            ("Read(*)", true, false),
            ("Re*", true, false),
            ("Read*", true, false),
            ("*", true, true),
            ("**", true, true),
            ("*e*d*", true, false),
            ("Skill", false, true),
            ("Skill(*)", false, true),
            ("S*", false, true),
            ("*kill", false, true),
            ("Skill()", false, false),
            ("Skill(s1)", false, false),
            ("Skill(**)", false, false),
            ("skill", false, false),
            ("mcp__*", false, false),
            ("Skills*", false, false),
        ] {
            let rules = [Rule {
                text: name.to_owned(),
                root: "/w".into(),
            }];
            let denied = Denied::by(&rules, Path::new("/w"), Path::new("/home"));
            let is_read = denied.has(Path::new("/w/any"));
            assert_eq!(
                (is_read, denied.has_no_skills),
                (has_no_files, has_no_skills),
                "{name}"
            );
        }
    }
}
