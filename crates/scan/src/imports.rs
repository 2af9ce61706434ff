//! The `@path` imports that an instruction file names. Some agents put the named file in their
//! place; ctxpin names them, so that a person can declare what is wanted.

use std::path::{Path, PathBuf};

use crate::read::plain_path;

/// Most imports of one file that are named.
const IMPORTS_MAX: usize = 100;

/// The imports in a Markdown text, in its order and each once, outside of code: a word that begins
/// with `@` and looks like a path, for `@someone` is a person and `@scope/name` a package.
pub(crate) fn find(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in without_code(text).split_whitespace() {
        let Some(path) = word.strip_prefix('@') else {
            continue;
        };
        let path =
            path.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '"', '\'', '*']);
        if is_path(path) && !found.iter().any(|known| known == path) {
            found.push(path.to_owned());
        }
        if found.len() == IMPORTS_MAX {
            break;
        }
    }
    found
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

/// The text with its code left out: fenced and indented blocks, and spans.
fn without_code(text: &str) -> String {
    let mut prose = String::new();
    let mut fence: Option<(char, usize)> = None;
    let (mut after_blank, mut in_list, mut in_indented) = (true, false, false);
    for line in text.lines() {
        let body = line.trim_start_matches(' ');
        let is_indented = line.len() - body.len() >= 4 || line.starts_with('\t');
        if let Some((mark, length)) = fence {
            if !is_indented && closes(body, mark, length) {
                fence = None;
            }
            continue;
        }
        // In a list, an indented line continues an item, and a fence may be indented too.
        if let Some(opened) = opens(line.trim_start()).filter(|_| !is_indented || in_list) {
            fence = Some(opened);
            continue;
        }
        let is_blank = body.trim().is_empty();
        in_indented = is_indented && !in_list && !is_blank && (after_blank || in_indented);
        if !is_indented && !is_blank {
            in_list = is_list_item(body) || (in_list && !after_blank);
        }
        after_blank = is_blank;
        if !in_indented {
            prose.push_str(line);
        }
        prose.push('\n');
    }
    without_spans(&prose)
}

fn opens(body: &str) -> Option<(char, usize)> {
    let mark = body
        .chars()
        .next()
        .filter(|mark| matches!(mark, '`' | '~'))?;
    let length = body.chars().take_while(|c| *c == mark).count();
    let info = &body[length..];
    (length >= 3 && !(mark == '`' && info.contains('`'))).then_some((mark, length))
}

fn closes(body: &str, mark: char, length: usize) -> bool {
    let closing = body.trim_end();
    closing.chars().count() >= length && closing.chars().all(|c| c == mark)
}

fn is_list_item(body: &str) -> bool {
    let digits = body.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered =
        digits.len() < body.len() && (digits.starts_with(". ") || digits.starts_with(") "));
    numbered || ["- ", "* ", "+ "].iter().any(|mark| body.starts_with(mark))
}

/// Leaves out what stands between two equal runs of backticks of one paragraph.
fn without_spans(prose: &str) -> String {
    let paragraphs = prose.split("\n\n").map(|paragraph| {
        let mut kept = String::new();
        let mut rest = paragraph;
        while let Some(start) = rest.find('`') {
            let run = rest[start..].chars().take_while(|c| *c == '`').count();
            let inside = &rest[start + run..];
            kept.push_str(&rest[..start]);
            match closing_run(inside, run) {
                Some(end) => {
                    // What is glued to a span is no word of its own.
                    kept.push('`');
                    rest = &inside[end + run..];
                }
                None => rest = inside,
            }
        }
        kept + rest
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Where a run of exactly `run` backticks begins.
fn closing_run(text: &str, run: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let length = text[start..].chars().take_while(|c| *c == '`').count();
        if length == run {
            return Some(start);
        }
        at = start + length;
    }
    None
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
