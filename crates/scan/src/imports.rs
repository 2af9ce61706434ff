//! Finds the `@path` imports in an instruction file. Some agents replace an import with the file that it
//! names. ctxpin only reports imports, so that a person can declare the files as sources.

use std::path::{Path, PathBuf};

use ctxpin_model::markdown::{self, PartKind};
use ctxpin_model::warning::line_of;

use crate::directory::plain_path;

/// The greatest number of imports that are reported of one file.
const IMPORTS_MAX: usize = 100;

/// An `@path` in an instruction file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// Counted from 1.
    pub line: u64,
    /// The path as the file writes it, without the `@`.
    pub path: String,
}

/// Returns the imports in a Markdown text outside of code, in order and each once. An import is a word that
/// begins with `@` and looks like a path. `@someone` is a person, and `@scope/name` a package.
pub(crate) fn find(text: &str) -> Vec<Import> {
    let text = &text.replace("\r\n", "\n").replace('\r', "\n");
    let mut found: Vec<Import> = Vec::new();
    let mut is_glued = false;
    let mut at = 0;
    // Prose lies between the parts. A word that touches a part is no word of its own.
    let parts = markdown::parts(text);
    let ends = parts.iter().map(|part| (part.range.clone(), part.kind));
    for (part, kind) in ends.chain([(text.len()..text.len(), PartKind::HardBreak)]) {
        let prose = &text[at..part.start];
        for word in prose.split_whitespace() {
            let begin = word.as_ptr() as usize - text.as_ptr() as usize;
            if begin == at && is_glued {
                continue;
            }
            let Some(path) = word.strip_prefix('@') else {
                continue;
            };
            let path = path.trim_end_matches([
                '.', ',', ';', ':', '!', '?', ')', ']', '}', '"', '\'', '*', '`',
            ]);
            if is_path(path) && !found.iter().any(|known| known.path == path) {
                let line = line_of(text, begin);
                let path = path.to_owned();
                found.push(Import { line, path });
            }
            if found.len() == IMPORTS_MAX {
                return found;
            }
        }
        at = part.end;
        is_glued = kind != PartKind::HardBreak;
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
            "See @docs/style.md, and @README.md.",
            &["docs/style.md", "README.md"],
        );
        check(
            "@./a @../b/c @~/x.md @/etc/rules",
            &["./a", "../b/c", "~/x.md", "/etc/rules"],
        );
        check("- item\n    @in/list.md\n", &["in/list.md"]);
        check("@a.md @a.md", &["a.md"]);
        check("(@a.md) **@b.md**", &[]);
        check("@.rules/a.md", &[".rules/a.md"]);
    }

    #[test]
    fn people_packages_and_addresses_are_none() {
        check("ask @alice or mail bob@example.com", &[]);
        check("npm i @anthropic-ai/sdk", &[]);
        check("@ @. @/ @~ @!x.md", &[]);
    }

    #[test]
    fn code_is_left_out() {
        check("`@a.md` ``x ` @b.md`` @c.md", &["c.md"]);
        check("`open @a.md", &["a.md"]);
        check("`a\n@b.md` @c.md", &["c.md"]);
        check("`a\n\n@b.md` @c.md", &["b.md", "c.md"]);
        check("```\n@a.md\n```\n@b.md", &["b.md"]);
        check("~~~ x\n@a.md\n```\n@b.md\n~~~~\n@c.md", &["c.md"]);
        check("text\n\n    @a.md\n    @b.md\n\n@c.md", &["c.md"]);
        check("- a\n  ```\n  @a.md\n  ```\n- @b.md", &["b.md"]);
        check("```never closed\n@a.md", &[]);
    }

    #[test]
    fn lines_are_told() {
        let found = find("a\r\n`@x.md`\r\n@b.md  \r\n```\n@y.md\n```\n\n@c.md");
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
