//! Missing files that a text names: relative targets of links and images, and inline code that begins with
//! a folder of a skill.

use std::io;
use std::ops::Range;
use std::path::Path;

use ctxpin_model::markdown;
use ctxpin_model::resource::Resource;
use ctxpin_model::warning::{Code, LineStarts, Warning};

use super::git::Project;
use super::{Finding, finding};

/// The folders of a skill that the specification names.
const FOLDERS: [&str; 3] = ["scripts/", "references/", "assets/"];

/// Words that mark a line as an example or a plan, whose files may be missing.
const OTHER_WORDS: [&str; 10] = [
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
];

/// Maximum number of findings about one file.
const FINDINGS_MAX: usize = 50;

/// Returns a finding for each file that a resource names and that does not exist. Paths are relative to the
/// resource's directory. Paths in code may also be relative to any directory above it, up to the project's
/// root.
pub fn missing(resource: &Resource, body: &[u8], project: &Project) -> Vec<Finding> {
    let text = String::from_utf8_lossy(body);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let Some(directory) = Path::new(&resource.source).parent() else {
        return Vec::new();
    };
    let mentions = markdown::mentions(&text);
    let lines = LineStarts::of(&text);
    let mut found = Vec::new();
    let tell = |found: &mut Vec<Finding>, at: usize, path: &str| {
        let line = lines.line_of(at);
        let warning = Warning::new(Code::FileMissing).at_line(line).about(path);
        let told = finding(&resource.source, &warning);
        if !found.contains(&told) {
            found.push(told);
        }
    };
    for link in &mentions.links {
        if found.len() == FINDINGS_MAX {
            break;
        }
        let Some(path) = link_path(&link.text) else {
            continue;
        };
        if !may_exist(&directory.join(&path), project) {
            tell(&mut found, link.at, &link.text);
        }
    }
    let mut others = Others::default();
    for span in &mentions.spans {
        if found.len() == FINDINGS_MAX {
            break;
        }
        let Some(path) = code_path(&span.text) else {
            continue;
        };
        let above = directory
            .ancestors()
            .take_while(|above| above.starts_with(&project.root));
        let is_there = above.chain([directory]).any(|above| {
            let path = above.join(path);
            // The name of a Markdown file is often written without its ending.
            may_exist(&path, project) || may_exist(&path.with_extension("md"), project)
        });
        if !is_there && !others.are_meant(&text, span.at) {
            tell(&mut found, span.at, path);
        }
    }
    found.sort_by(Finding::cmp_by_place);
    found
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
}

fn is_host(name: &str) -> bool {
    let domain = name.rsplit_once('.').map(|(_, domain)| domain);
    let is_known = |domain| ["com", "org", "net", "io", "dev", "ai", "app"].contains(&domain);
    domain.is_some_and(is_known)
}

/// Finds the lines whose files may be missing. Callers ask about positions in rising order.
#[derive(Default)]
struct Others {
    /// The line of the last call, and its result.
    last: Option<(Range<usize>, bool)>,
}

impl Others {
    /// Returns whether the line at the position `at` is such a line.
    fn are_meant(&mut self, text: &str, at: usize) -> bool {
        if let Some((line, are_meant)) = &self.last
            && line.contains(&at)
        {
            return *are_meant;
        }
        let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let line = text[begin..end].to_lowercase();
        let are_meant = OTHER_WORDS.iter().any(|word| line.contains(word));
        self.last = Some((begin..end, are_meant));
        are_meant
    }
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
