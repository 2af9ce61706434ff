//! What the permissions of Claude Code's settings keep from its model: files that it may not read, and the list of
//! skills. A person's own files are given all the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctxpin_model::glob::IgnoreRules;

/// The tool with which a model reads files, and the one with which it uses skills.
const READ: &str = "Read";
const SKILL: &str = "Skill";

/// Why a file that the permissions keep from the model is left out.
pub const UNREAD: &str =
    "`permissions.deny` in Claude Code's settings says that its model may not read it";

/// Why all skills are left out if the permissions take the tool for them.
pub const UNLISTED: &str = "`permissions.deny` in Claude Code's settings takes its model the tool `Skill`, and with it the list of skills";

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
