//! Finds the `@path` imports in an instruction file. Claude Code replaces an import with the file that it names, and so do
//! agents that learned it there. ctxpin only reports imports, so that a person can declare the files as sources.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use ctxpin_model::claude_code::{Reading, is_text};
use ctxpin_model::markdown::{self, Part};
use ctxpin_model::warning::line_of;

use crate::directory::plain_path;

/// The greatest number of imports that are reported of one file.
const IMPORTS_MAX: usize = 100;

/// An `@path` in an instruction file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// Counted from 1.
    pub line: u64,
    /// The path as the file writes it, without the `@`. Punctuation behind a path belongs to it.
    pub path: String,
}

/// A Markdown text in which the places of paths are looked up.
pub(crate) struct Places {
    text: String,
    /// What of the text is no prose, found when it is first needed.
    parts: OnceCell<Vec<Part>>,
}

impl Places {
    pub fn of(text: &str) -> Self {
        Self {
            text: text.replace("\r\n", "\n").replace('\r', "\n"),
            parts: OnceCell::new(),
        }
    }

    /// Returns the line, counted from 1, at which the text first has an `@path` in prose, or else anywhere.
    pub fn of_import(&self, path: &str) -> Option<u64> {
        self.line(path, |in_prose| in_prose)
    }

    /// Returns the line at which the text first has an `@path` in code or HTML, or else anywhere.
    pub fn in_code(&self, path: &str) -> Option<u64> {
        self.line(path, |in_prose| !in_prose)
    }

    fn line(&self, path: &str, is_meant: impl Fn(bool) -> bool) -> Option<u64> {
        let mark = format!("@{}", path.replace(' ', "\\ "));
        let mut places = self.text.match_indices(&mark).map(|(at, _)| at);
        let first = places.clone().next()?;
        let place = places.find(|at| is_meant(self.is_prose(*at)));
        Some(line_of(&self.text, place.unwrap_or(first)))
    }

    fn is_prose(&self, at: usize) -> bool {
        let parts = self.parts.get_or_init(|| markdown::parts(&self.text));
        let next = parts.partition_point(|part| part.range.end <= at);
        parts.get(next).is_none_or(|part| at < part.range.start)
    }
}

/// Returns the imports in a Markdown text where Claude Code looks for them, in order and each once, and only those that
/// look like a path. `@someone` is a person, and `@scope/name` a package.
pub(crate) fn find(text: &str) -> Vec<Import> {
    let places = Places::of(text);
    let mut found: Vec<Import> = Vec::new();
    for written in Reading::of(places.text.as_bytes()).imports {
        if !is_likely(&written) || found.iter().any(|known| known.path == written) {
            continue;
        }
        found.push(Import {
            line: places.of_import(&written).unwrap_or(1),
            path: written,
        });
        if found.len() == IMPORTS_MAX {
            break;
        }
    }
    found
}

/// Returns the path that an import in the file `from` names. Looks at the text alone.
pub(crate) fn target(path: &str, from: &str, home: &Path) -> PathBuf {
    let joined = match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => Path::new(from)
            .parent()
            .unwrap_or(Path::new("/"))
            .join(path),
    };
    plain_path(&joined)
}

/// Returns whether a path stands for an import, and not for a person, a package or a file that is no text.
pub(crate) fn is_likely(written: &str) -> bool {
    let path = written.trim_end_matches([
        '.', ',', ';', ':', '!', '?', ')', ']', '}', '"', '\'', '*', '`',
    ]);
    let name = path.rsplit('/').next().unwrap_or_default();
    is_path(path) && is_text(name)
}

fn is_path(path: &str) -> bool {
    let is_rooted = ["/", "~/", "./", "../"].iter().any(|start| {
        path.strip_prefix(start)
            .is_some_and(|rest| !rest.is_empty())
    });
    let name = path.rsplit('/').next().unwrap_or_default();
    let has_extension = name.rsplit_once('.').is_some_and(|(_, extension)| {
        !extension.is_empty() && extension.chars().all(char::is_alphanumeric)
    });
    let begins_well =
        path.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
    is_rooted || (begins_well && has_extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = find(text);
        let paths: Vec<_> = found.iter().map(|import| import.path.as_str()).collect();
        assert_eq!(paths, expected, "{text}");
    }

    #[test]
    fn imports_are_named() {
        check(
            "See @docs/style.md, and @README.md or @README.md.",
            &["docs/style.md,", "README.md", "README.md."],
        );
        check(
            "@./a @../b/c @~/x.md @/etc/rules",
            &["./a", "../b/c", "~/x.md", "/etc/rules"],
        );
        check("- item\n    @in/list.md\n", &["in/list.md"]);
        check("@a.md @a.md", &["a.md"]);
        check(
            "(@a.md) **@b.md** [@c.md](d) <b>@e.md</b>",
            &["b.md", "c.md", "e.md"],
        );
        check("- **@b.md**\n- @c.md#part\n", &["b.md", "c.md"]);
        check("<div>\n@a.md\n</div>\n\n[x]: @b.md\n", &[]);
        check("---\ntitle: @a.md\n---\n@b\\ c.md", &["b c.md"]);
        check("@.rules/a.md", &[".rules/a.md"]);
    }

    #[test]
    fn people_packages_and_addresses_are_none() {
        check("ask @alice or mail bob@example.com", &[]);
        check("npm i @anthropic-ai/sdk", &[]);
        check("@ @. @/ @~ @!x.md", &[]);
    }

    #[test]
    fn files_that_are_no_text_are_none() {
        check("@pic.png, @docs/a.PDF and @notes.txt", &["notes.txt"]);
    }

    #[test]
    fn code_is_left_out() {
        check("`@a.md` ``x ` @b.md`` @c.md", &["c.md"]);
        check("`open @a.md", &["a.md"]);
        check("`a\n@b.md` @c.md", &["c.md"]);
        check("`a\n\n@b.md` @c.md", &["b.md`", "c.md"]);
        check("```\n@a.md\n```\n@b.md", &["b.md"]);
        check("~~~ x\n@a.md\n```\n@b.md\n~~~~\n@c.md", &["c.md"]);
        check("text\n\n    @a.md\n    @b.md\n\n@c.md", &["c.md"]);
        check("- a\n  ```\n  @a.md\n  ```\n- @b.md", &["b.md"]);
        check("```never closed\n@a.md", &[]);
    }

    #[test]
    fn lines_are_told() {
        let found = find("`@b.md`\r\n`@x.md`\r\n@b.md  \r\n```\n@y.md\n```\n\n@c.md");
        let lines: Vec<_> = found
            .iter()
            .map(|import| (import.line, import.path.as_str()))
            .collect();
        assert_eq!(lines, [(3, "b.md"), (8, "c.md")]);
    }

    #[test]
    fn targets_are_plain() {
        let check = |path, expected: &str| {
            let found = target(path, "/w/pkg/AGENTS.md", Path::new("/home/u"));
            assert_eq!(found, Path::new(expected));
        };
        check("docs/a.md", "/w/pkg/docs/a.md");
        check("./../a.md", "/w/a.md");
        check("~/a.md", "/home/u/a.md");
        check("/etc/a.md", "/etc/a.md");
        check("../../../../a.md", "/a.md");
    }
}
