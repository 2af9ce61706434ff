//! The `@path` imports that an instruction file names. Some agents put the named file in their
//! place; ctxpin names them, so that a person can declare what is wanted.

use std::path::{Path, PathBuf};

use ctxpin_model::markdown::{self, PartKind};

use crate::read::plain_path;

/// Most imports of one file that are named.
const IMPORTS_MAX: usize = 100;

/// The imports in a Markdown text, in its order and each once, outside of code: a word that begins
/// with `@` and looks like a path, for `@someone` is a person and `@scope/name` a package.
pub(crate) fn find(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in prose(text).split_whitespace() {
        let Some(path) = word.strip_prefix('@') else {
            continue;
        };
        let path = path.trim_end_matches([
            '.', ',', ';', ':', '!', '?', ')', ']', '}', '"', '\'', '*', '`',
        ]);
        if is_path(path) && !found.iter().any(|known| known == path) {
            found.push(path.to_owned());
        }
        if found.len() == IMPORTS_MAX {
            break;
        }
    }
    found
}

/// The text without its code and without what no reader sees. What is glued to it is no word of its
/// own, so that a backtick stays in its place.
fn prose(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut prose = String::with_capacity(text.len());
    let mut at = 0;
    for part in markdown::parts(&text) {
        prose.push_str(&text[at..part.range.start]);
        prose.push('`');
        at = part.range.end;
        if part.kind == PartKind::HardBreak {
            prose.pop();
            prose.push('\n');
        }
    }
    prose.push_str(&text[at..]);
    prose
}

/// Where an import in the file `from` leads, worked out from the text alone.
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
        assert_eq!(find(text), expected, "{text}");
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
