//! The cases that a comparison must have met, and how many workspaces had each.

use std::fmt::Write as _;

use crate::workspace::{Entry, HOME, MIB, PROJECT, Workspace};

/// Something that a workspace may have.
pub struct Case {
    pub name: &'static str,
    is_in: fn(&Workspace) -> bool,
}

/// What a comparison meets.
pub const CASES: [Case; 25] = [
    case("files below", |workspace| {
        let below = format!("{}/", workspace.working);
        has_file(workspace, |path, _| {
            let rest = path.strip_prefix(&below);
            rest.is_some_and(|rest| rest.contains('/') && rest.ends_with(".md"))
        })
    }),
    case(RULES, |workspace| {
        has_file(workspace, |path, text| {
            path.contains("/rules/") && text.contains("paths:")
        })
    }),
    case(OVERRIDES, |workspace| {
        has_file(workspace, |path, _| path.ends_with("AGENTS.override.md"))
    }),
    case("two names in one directory", |workspace| {
        let has = |directory: &str, name: &str| workspace.has(&format!("{directory}/{name}"));
        let mut directories = workspace.directories().into_iter();
        directories.any(|directory| has(&directory, "AGENTS.md") && has(&directory, "CLAUDE.md"))
    }),
    case("links", |workspace| {
        let mut entries = workspace.entries();
        entries.any(|(_, entry)| matches!(entry, Entry::Link(_)))
    }),
    case("imports", |workspace| {
        has_file(workspace, |_, text| text.contains("@docs.md"))
    }),
    case("CRLF", |workspace| {
        has_file(workspace, |_, text| text.contains("\r\n"))
    }),
    case("more than 32 KiB", |workspace| {
        has_file(workspace, |_, text| text.len() > 32 * 1024)
    }),
    case("more than 1 MiB", |workspace| {
        has_file(workspace, |_, text| text.len() > MIB)
    }),
    case("more than 4 MiB", |workspace| {
        has_file(workspace, |_, text| text.len() > 4 * MIB)
    }),
    case("node_modules", |workspace| {
        has_file(workspace, |path, _| path.contains("/node_modules/"))
    }),
    case(".gitignore", |workspace| {
        has_file(workspace, |path, _| path.ends_with("/.gitignore"))
    }),
    case("settings of the person", |workspace| {
        has_file(workspace, |path, _| {
            path.starts_with(HOME) && is_setting(path)
        })
    }),
    case("settings of the project", |workspace| {
        has_file(workspace, |path, _| {
            path.starts_with(PROJECT) && is_setting(path)
        })
    }),
    case("files of the person", |workspace| {
        has_file(workspace, |path, _| {
            path.starts_with(HOME) && path.ends_with(".md")
        })
    }),
    case("another start directory", |workspace| {
        workspace.working != PROJECT
    }),
    case("files above the repository", |workspace| {
        has_file(workspace, |path, _| path.starts_with("./"))
    }),
    case("skills", |workspace| {
        has_file(workspace, |path, _| path.ends_with("SKILL.md"))
    }),
    case(PATHS, |workspace| {
        has_file(workspace, |path, text| {
            path.ends_with("SKILL.md") && text.contains("\npaths: ")
        })
    }),
    case("broken frontmatter", |workspace| {
        has_file(workspace, |path, text| {
            let mut broken = BROKEN.iter();
            path.ends_with("SKILL.md") && broken.any(|line| text.contains(line))
        })
    }),
    case(PERMISSIONS, |workspace| {
        has_file(workspace, |path, text| {
            is_setting(path) && text.contains("\"permission")
        })
    }),
    case("plugins", |workspace| {
        has_file(workspace, |path, text| {
            let is_named = text.contains("[plugins.") || text.contains("@market");
            path.contains("/plugin/") || is_setting(path) && is_named
        })
    }),
    case(CONFIGURED_SKILLS, |workspace| {
        has_file(workspace, |_, text| text.contains("[[skills.config]]"))
    }),
    case(OFFERS, |workspace| {
        has_file(workspace, |path, _| path.ends_with("agents/openai.yaml"))
    }),
    case(MANIFESTS, |workspace| {
        let is_skill = |path: &str, _: &str| path.ends_with("SKILL.md");
        let is_manifest = |path: &str, text: &str| {
            path.ends_with("-plugin/plugin.json") && text.contains("team kit")
        };
        has_file(workspace, is_skill) && has_file(workspace, is_manifest)
    }),
];

/// Lines of a frontmatter that are not valid YAML, of which each tool repairs some.
pub const BROKEN: [&str; 8] = [
    "license: a: b\n",
    "argument-hint: [a] [b]\n",
    "foo: {a: [1,\n",
    "foo-bar: x: y\n",
    "foo: @x\n",
    "foo: *x\n",
    "metadata:\n  k: a: b\n",
    "foo: \"x\n",
];

/// The case of rules for some files, which only Claude Code has.
pub const RULES: &str = "rules with paths";
/// The case of skills for some files, which only Claude Code has.
pub const PATHS: &str = "skills with paths";
/// The case of permissions, which Codex has not.
pub const PERMISSIONS: &str = "permissions";
/// The case of rules that turn skills off, which only Codex has.
pub const CONFIGURED_SKILLS: &str = "skills.config";
/// The file beside a `SKILL.md` that says how Codex offers the skill.
pub const OFFERS: &str = "agents/openai.yaml";
/// The case of manifests of plugins, whose names only Codex puts before those of skills.
pub const MANIFESTS: &str = "manifests of plugins";
/// The case of a file that takes the place of the usual one, which only Codex has.
pub const OVERRIDES: &str = "AGENTS.override.md";

const fn case(name: &'static str, is_in: fn(&Workspace) -> bool) -> Case {
    Case { name, is_in }
}

fn has_file(workspace: &Workspace, is_it: impl Fn(&str, &str) -> bool) -> bool {
    workspace.entries().any(|(path, entry)| match entry {
        Entry::File(text) => is_it(path, text),
        Entry::Link(_) | Entry::Directory => false,
    })
}

fn is_setting(path: &str) -> bool {
    let names = [
        "settings.json",
        "settings.local.json",
        "config.toml",
        "opencode.json",
        "opencode.jsonc",
    ];
    names.iter().any(|name| path.ends_with(name))
}

/// How many workspaces had each of [`CASES`].
#[derive(Debug, Default)]
pub struct Counts([usize; CASES.len()]);

impl Counts {
    /// Adds a workspace.
    pub fn add(&mut self, workspace: &Workspace) {
        for (count, case) in self.0.iter_mut().zip(&CASES) {
            *count += usize::from((case.is_in)(workspace));
        }
    }

    /// Returns the numbers, in the order of the cases.
    #[cfg(test)]
    pub fn of_cases(&self) -> [usize; CASES.len()] {
        self.0
    }

    /// Returns a line for each case: its number of workspaces, or that a tool has no such thing. `lacks` names those cases.
    pub fn table(&self, lacks: &[&str]) -> String {
        let mut table = String::new();
        for (count, case) in self.0.iter().zip(&CASES) {
            let is_none = *count == 0 && lacks.contains(&case.name);
            let count = if is_none {
                "none".to_owned()
            } else {
                count.to_string()
            };
            let _ = writeln!(table, "  {count:>5}  {}", case.name);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_tells_what_was_not_met_from_what_a_tool_has_not() {
        let mut workspace = Workspace::default();
        workspace.write("project/AGENTS.override.md", "x\r\n");
        let mut counts = Counts::default();
        counts.add(&workspace);
        counts.add(&Workspace::default());
        let table = counts.table(&[RULES]);
        for line in [
            "      1  AGENTS.override.md",
            "      1  CRLF",
            "   none  rules with paths",
            "      0  links",
        ] {
            assert!(
                table.lines().any(|l| l.trim() == line.trim()),
                "{line} in {table}"
            );
        }
    }
}
