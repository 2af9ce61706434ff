//! Missing files that a text names: relative targets of links and images, and inline code that begins with
//! a folder of a skill.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use ctxpin_model::markdown;
use ctxpin_model::resource::{Kind, Resource};
use ctxpin_model::warning::{Code, LineStarts, Warning};

use super::git::Project;
use super::lookalike::Lookalikes;
use super::template::without_templates;
use super::{Finding, finding};

/// The folders of a skill that the specification names.
const FOLDERS: [&str; 3] = ["scripts/", "references/", "assets/"];

/// Words that mark a paragraph as an example or a plan, whose files may be missing.
const OTHER_WORDS: [&str; 14] = [
    "example",
    "e.g.",
    "such as",
    "for instance",
    "like ",
    "template",
    "would ",
    "could ",
    "save",
    "mirrored",
    // What other projects must have.
    "must have",
    "must contain",
    "should have",
    "should contain",
];

/// Words that say that a file is not on each machine.
const LOCAL_WORDS: [&str; 7] = [
    "gitignored",
    "git-ignored",
    "local-only",
    "local only",
    "not committed",
    "not checked in",
    "untracked",
];

/// Names of files that stand for any.
const ANY_NAMES: [&str; 9] = [
    "x",
    "y",
    "z",
    "foo",
    "bar",
    "baz",
    "filename",
    "file-name",
    "file_name",
];

/// Words that mark a list as one, in the line that introduces it.
const LIST_WORDS: [&str; 8] = [
    "example",
    "e.g.",
    "such as",
    "for instance",
    "like ",
    "would ",
    "could ",
    "move ",
];

/// Words before a path that a model is to make.
const MAKING_WORDS: [&str; 6] = ["add", "create", "generate", "make", "save", "write"];

/// Words that may stand between these and the path.
const SMALL_WORDS: [&str; 6] = ["a", "an", "the", "to", "into", "as"];

/// How many entries beside a skill are looked at.
const NEIGHBOURS_MAX: usize = 1_000;

/// Maximum number of findings about one file.
const FINDINGS_MAX: usize = 50;

/// Returns a finding for each file that a resource names and that does not exist. Paths are relative to the
/// resource's directory, or to any directory above it, up to the project's root. A link that begins with a point is
/// relative to the resource's directory alone.
pub fn missing(resource: &Resource, body: &[u8], project: &Project) -> Vec<Finding> {
    let text = String::from_utf8_lossy(body);
    let text = without_templates(&text.replace("\r\n", "\n").replace('\r', "\n"));
    let Some(directory) = Path::new(&resource.source).parent() else {
        return Vec::new();
    };
    let mentions = markdown::mentions(&text);
    let lines = LineStarts::of(&text);
    let mut found = Vec::new();
    let tell = |found: &mut Vec<Finding>, at: usize, path: &str, elsewhere: Option<String>| {
        let warning = match elsewhere {
            Some(other) => Warning::new(Code::FileElsewhere).about(format!(
                "{path}, which does not exist here, but {other} does"
            )),
            None => Warning::new(Code::FileMissing).about(path),
        };
        let warning = warning.at_line(lines.line_of(at));
        let told = finding(&resource.source, &warning);
        if !found.contains(&told) {
            found.push(told);
        }
    };
    let directories: Vec<_> = directory
        .ancestors()
        .take_while(|above| above.starts_with(&project.root))
        .chain([directory])
        .collect();
    let is_in = |directories: &[&Path], path: &str| {
        let mut directories = directories.iter();
        directories.any(|above| may_exist(&above.join(path), project))
    };
    // The file of one machine may be missing on another.
    let is_local = |directories: &[&Path], path: &str, block: &Block| {
        let places = directories.iter().map(|above| above.join(path));
        let places: Vec<_> = places.collect();
        // What is committed below an ignored directory is there with its files.
        block.is_local() || project.ignores(&places) && !project.ignores(&[directory.to_owned()])
    };
    let lookalikes = Lookalikes::of(directory, &text, project);
    for link in &mentions.links {
        if found.len() == FINDINGS_MAX {
            break;
        }
        let Some(path) = link_path(&link.text) else {
            continue;
        };
        let is_exact = path.starts_with("./") || path.starts_with("../");
        let directories = match is_exact {
            true => &[directory][..],
            false => &directories,
        };
        let block = Block::around(&text, link.at);
        if !is_in(directories, &path) && !is_local(directories, &path, &block) {
            let other = lookalikes.find(&path).filter(|_| !is_exact);
            tell(&mut found, link.at, &link.text, other);
        }
    }
    let made: HashSet<&str> = mentions
        .spans
        .iter()
        .filter(|span| is_to_be_made(&text[..span.at]))
        .filter_map(|span| code_path(&span.text))
        .collect();
    for span in &mentions.spans {
        if found.len() == FINDINGS_MAX {
            break;
        }
        let Some(path) = code_path(&span.text).filter(|path| !made.contains(path)) else {
            continue;
        };
        // Of a project that has no such folder, an instruction file speaks of those of its skills, and a skill that names
        // a folder in it of those of other projects.
        let folder = path.split('/').next().unwrap_or_default();
        let names_file = Path::new(path).extension().is_some();
        let is_own = resource.kind == Kind::Skill && names_file;
        if !is_own && !is_in(&directories, folder) {
            continue;
        }
        // The name of a Markdown file is often written without its ending.
        let with_ending = Path::new(path).with_extension("md");
        let with_ending = with_ending.to_string_lossy();
        let block = Block::around(&text, span.at);
        let is_fine = is_in(&directories, path)
            || is_in(&directories, &with_ending)
            || block.is_example()
            || block.names_neighbour(directory, path)
            || is_local(&directories, path, &block);
        if !is_fine {
            let other = lookalikes.find(path);
            let other = other.or_else(|| lookalikes.find(&with_ending));
            tell(&mut found, span.at, path, other);
        }
    }
    found.sort_by(Finding::cmp_by_place);
    found
}

/// Returns whether the text before a path says that it is to be made.
fn is_to_be_made(before: &str) -> bool {
    let line = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let mut words = line.split_whitespace().rev();
    let word = words.find(|word| !SMALL_WORDS.contains(word));
    word.is_some_and(|word| MAKING_WORDS.contains(&word.trim_matches(['*', '_'])))
}

/// Returns whether a path exists, or may exist in a directory that this process may not read. The scan
/// reports such a directory itself. What a sparse checkout leaves out exists.
fn may_exist(path: &Path, project: &Project) -> bool {
    match path.metadata() {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => true,
        Err(_) => project.leaves_out(path),
    }
}

/// Returns the path that the target of a link names, if it names a file of the workspace.
fn link_path(target: &str) -> Option<String> {
    let path = target.split(['#', '?']).next()?;
    let begins_elsewhere = path.starts_with(['/', '~', '\\', '$', '@']) || path.starts_with("www.");
    let scheme = path.split_once(':').map(|(scheme, _)| scheme);
    let has_scheme = scheme.is_some_and(|scheme| !scheme.contains('/'));
    // A bare word is a placeholder in an explanation: `[title](url)`.
    let is_path = path.contains('/') || path.contains('.');
    // A target has blanks only between `<` and `>`, where they belong to the name.
    let solid: String = path.split_whitespace().collect();
    if path.is_empty() || begins_elsewhere || has_scheme || !is_path || is_pattern(&solid) {
        return None;
    }
    let first = path.split('/').next().unwrap_or_default();
    if is_host(first) {
        return None;
    }
    Some(unescaped(without_line(path)))
}

/// Returns a path without the number of a line behind it, as in `a.md:12`, `a.md:12:3` and `a.md:12-20`.
fn without_line(path: &str) -> &str {
    let is_number = |text: &str| {
        let mut ends = text.split('-');
        ends.all(|end| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut rest = path;
    while let Some((before, _)) = rest.rsplit_once(':').filter(|(_, line)| is_number(line)) {
        rest = before;
    }
    rest
}

/// Returns the path at the start of inline code, if the path lies in a folder of a skill.
fn code_path(code: &str) -> Option<&str> {
    let word = code.split_whitespace().next()?;
    let word = word.split(['#', ':']).next()?;
    let word = word.trim_end_matches(['.', ',', ';', ')', '"', '\'']);
    let path = word.strip_prefix("./").unwrap_or(word);
    let below = FOLDERS
        .iter()
        .find_map(|folder| path.strip_prefix(folder))?;
    (!below.is_empty() && !is_pattern(path)).then_some(path)
}

/// Returns whether a path contains a placeholder.
fn is_pattern(path: &str) -> bool {
    let is_sign = |c: char| c.is_whitespace() || "<>{}*[]$|%…".contains(c) && c != '%';
    path.contains(is_sign)
        || path.contains("...")
        || path.contains("path/to")
        || path.to_lowercase().contains("example")
        || path.contains("xxx")
        || ANY_NAMES
            .iter()
            .any(|name| Path::new(path).file_stem() == Some(OsStr::new(name)))
}

fn is_host(name: &str) -> bool {
    let domain = name.rsplit_once('.').map(|(_, domain)| domain);
    let is_known = |domain| ["com", "org", "net", "io", "dev", "ai", "app"].contains(&domain);
    domain.is_some_and(is_known)
}

/// The paragraph, the entry of a list or the row of a table around a position of a text.
struct Block<'t> {
    own: &'t str,
    /// The line that introduces the list, the table or the block.
    introduction: &'t str,
}

impl<'t> Block<'t> {
    fn around(text: &'t str, at: usize) -> Self {
        let mut begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let mut end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let above = |begin: usize| {
            let end = begin.checked_sub(1)?;
            let begin = text[..end].rfind('\n').map_or(0, |end| end + 1);
            Some((begin, &text[begin..end]))
        };
        while !begins_block(&text[begin..])
            && let Some((begin_above, line)) = above(begin)
            && !line.trim().is_empty()
            && !line.starts_with('#')
        {
            begin = begin_above;
        }
        while let Some(rest) = text.get(end + 1..)
            && let line = rest.split('\n').next().unwrap_or_default()
            && !line.trim().is_empty()
            && !begins_block(line)
        {
            end += 1 + line.len();
        }
        let of_list = |line: &str| line.starts_with([' ', '\t']) || begins_block(line);
        // A paragraph behind a list does not belong to it.
        let is_of_list = of_list(&text[begin..]);
        let mut introduction = "";
        let mut at = begin;
        while let Some((begin, line)) = above(at) {
            let is_passed_over = line.trim().is_empty() || is_of_list && of_list(line);
            if !is_passed_over {
                introduction = line;
                break;
            }
            at = begin;
        }
        Self {
            own: &text[begin..end],
            introduction,
        }
    }

    /// Returns whether its files may be missing.
    fn is_example(&self) -> bool {
        let own = self.own.to_lowercase();
        let introduction = self.introduction.to_lowercase();
        let introduces = introduction
            .trim_end_matches(['*', '_', ' '])
            .ends_with(':');
        OTHER_WORDS.iter().any(|word| own.contains(word))
            || introduces && LIST_WORDS.iter().any(|word| introduction.contains(word))
    }

    /// Returns whether it says of its files that git does not have them.
    fn is_local(&self) -> bool {
        let own = self.own.to_lowercase();
        LOCAL_WORDS.iter().any(|word| own.contains(word))
    }

    /// Returns whether it names another skill beside the one in `directory`, and that one has the file.
    fn names_neighbour(&self, directory: &Path, path: &str) -> bool {
        let entries = directory.parent().and_then(|skills| skills.read_dir().ok());
        let entries = entries.into_iter().flatten().take(NEIGHBOURS_MAX).flatten();
        let mut named = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| self.own.contains(name))
        });
        named.any(|entry| entry.path().join(path).exists())
    }
}

/// Returns whether a line begins a heading, an entry of a list or a row of a table.
fn begins_block(line: &str) -> bool {
    let line = line.trim_start();
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = number.len() < line.len() && number.starts_with([')', '.']);
    let is_listed = line.starts_with(['-', '*', '+']) && line[1..].starts_with([' ', '\t']);
    is_numbered || is_listed || line.starts_with(['#', '|'])
}

/// Returns a path with its percent escapes decoded (RFC 3986, section 2.1). Invalid escapes stay.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| tail.get(..2)).flatten();
        let escape = escape.and_then(|digits| str::from_utf8(digits).ok());
        let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_in_an_unreadable_directory_is_not_missing() {
        let root = tempfile::tempdir().unwrap();
        let project = Project::at(root.path().to_owned());
        let may_exist = |path: &Path| may_exist(path, &project);
        let closed = root.path().join("references");
        fs::create_dir(&closed).unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        assert!(!may_exist(&closed.join("api.md")));
        assert!(!may_exist(&root.path().join("file/api.md")));
        // Root may look into everything.
        if !rustix::process::geteuid().is_root() {
            fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
            assert!(may_exist(&closed.join("api.md")));
            fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }

    #[test]
    fn targets_that_name_a_file() {
        let check = |target: &str, expected: Option<&str>| {
            assert_eq!(link_path(target).as_deref(), expected, "{target}");
        };
        check("docs/a.md", Some("docs/a.md"));
        check("./a.md#top", Some("./a.md"));
        check("../b/c.png?raw=true", Some("../b/c.png"));
        check("a%20b.md", Some("a b.md"));
        check("100%.md", Some("100%.md"));
        check("user guide.md", Some("user guide.md"));
        check("docs/a.md:12", Some("docs/a.md"));
        check("./a.md:12:3", Some("./a.md"));
        check("docs/a.md:12-20", Some("docs/a.md"));
        check("docs/a.md:x", Some("docs/a.md:x"));
        for other in [
            "",
            "#top",
            "https://example.com/a.md",
            "mailto:a@b.c",
            "/docs/a.md",
            "~/a.md",
            "url",
            "path/to/file.md",
            "docs/<name>.md",
            "{{ link }}",
            "docs/*.md",
            "www.example.org/a",
            "github.com/a/b",
            "$HOME/a.md",
            "...",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn files_of_examples_may_be_missing() {
        let check = |text: &str, expected: bool| {
            let at = text.find("`x`").unwrap();
            let is_example = Block::around(text, at).is_example();
            assert_eq!(is_example, expected, "{text}");
        };
        check("Run `x`.", false);
        check("Run `x`, for example.", true);
        check("Run `x`,\nfor example.", true);
        check("For example:\n\nRun `x`.", true);
        check("An example.\n\nRun `x`.", false);
        check("Example:\n- `a` (right)\n- `x` (wrong)\n", true);
        check("**Example:**\n\n1. `a`\n   more\n2. `x`\n", true);
        check("Example layout:\n\n- `skill/`\n  - `x`\n", true);
        check("Example:\n\n| `a` | b |\n|---|---|\n| `x` | c |\n", true);
        check("Example:\n- `a`\n\nRun `x`.", false);
        check("- an example:\n- `x`\n", false);
        check("## Examples\n\nRead `x`.", false);
        check("Move details there:\n- Rubrics: `x`\n", true);
        check("These files:\n- `x`\n", false);
        check("- `x` is for a company,\n  such as yours\n- b\n", true);
        check("- `x`\n- for example b\n", false);
    }

    #[test]
    fn a_path_can_be_one_that_is_to_be_made() {
        assert!(is_to_be_made("Some text.\n- Add "));
        assert!(is_to_be_made("then **create** the "));
        assert!(is_to_be_made("write to "));
        assert!(!is_to_be_made("run "));
        assert!(!is_to_be_made("add\n"));
        assert!(!is_to_be_made(""));
    }

    #[test]
    fn code_that_names_a_file_of_a_skill() {
        let check = |code: &str, expected: Option<&str>| {
            assert_eq!(code_path(code), expected, "{code}");
        };
        check("scripts/run.py", Some("scripts/run.py"));
        check("scripts/run.py --all <file>", Some("scripts/run.py"));
        check("./references/api.md#auth", Some("references/api.md"));
        check("assets/logo.png,", Some("assets/logo.png"));
        check("scripts/run.py:12", Some("scripts/run.py"));
        for other in [
            "scripts/",
            "scripts/*.py",
            "scripts/<name>.py",
            "references/{topic}.md",
            "python scripts/run.py",
            "myscripts/run.py",
            "scripts/example.py",
            "",
        ] {
            check(other, None);
        }
    }
}
