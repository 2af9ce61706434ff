//! Links between the pages of this repository lead to pages and headings that exist.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Breach;
use super::files::File;

/// Reports links in Markdown files to files, folders or headings that do not exist. Links to other sites
/// are not followed.
pub fn check(files: &[File]) -> Vec<Breach> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        known.insert(path);
        while let Some((folder, _)) = path.rsplit_once('/') {
            known.insert(folder);
            path = folder;
        }
    }
    let pages = files.iter().filter(|file| file.path.ends_with(".md"));
    let headings: BTreeMap<&str, BTreeSet<String>> = pages
        .clone()
        .map(|page| (page.path.as_str(), heading_ids(text_of(page))))
        .collect();
    pages
        .filter(|page| !page.path.contains("testdata/"))
        .flat_map(|page| check_page(page, &known, &headings))
        .collect()
}

fn check_page(
    page: &File,
    known: &BTreeSet<&str>,
    headings: &BTreeMap<&str, BTreeSet<String>>,
) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (index, line) in lines_outside_code(text_of(page)) {
        for target in targets(line) {
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = match path {
                "" => Some(page.path.clone()),
                path => resolve(&page.path, path),
            };
            let found = path.filter(|path| path.is_empty() || known.contains(path.as_str()));
            let says = match found {
                None => format!("links to {target}, which is not in this repository"),
                Some(path) => match headings.get(path.as_str()) {
                    Some(ids) if !heading.is_empty() && !ids.contains(heading) => {
                        format!("links to {target}, but {path} has no heading of that id")
                    }
                    _ => continue,
                },
            };
            breaches.push(Breach::at_line(&page.path, index, says));
        }
    }
    breaches
}

fn text_of(page: &File) -> &str {
    page.text.as_deref().unwrap_or_default()
}

/// Returns the lines that are in no fenced code, with their index.
fn lines_outside_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// Returns the ids of a page's headings as GitHub gives them. The second heading of an id gets `-1` behind
/// it, the third one `-2`.
fn heading_ids(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut repeats: HashMap<String, usize> = HashMap::new();
    for (_, line) in lines_outside_code(text) {
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if !(1..=6).contains(&level) || !title.starts_with([' ', '\t']) {
            continue;
        }
        let plain = heading_id(title);
        let count = repeats.entry(plain.clone()).or_default();
        let mut id = plain.clone();
        while ids.contains(&id) {
            *count += 1;
            id = format!("{plain}-{count}");
        }
        ids.insert(id);
    }
    ids
}

/// Returns a heading in lower case, without punctuation and the targets of links, and with `-` for each
/// space.
fn heading_id(title: &str) -> String {
    let mut text = String::new();
    let mut rest = title.trim().trim_end_matches('#').trim_end();
    while let Some((before, behind)) = rest.split_once("](") {
        text.push_str(before);
        rest = behind.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let kept = text.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c => c.is_alphanumeric().then_some(c),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// Returns the targets of a line's links, `[text](target "title")` and `[name]: target`, that point into
/// this repository.
fn targets(line: &str) -> Vec<String> {
    let line = without_code(line);
    let inline = line
        .match_indices("](")
        .filter_map(|(at, opening)| line[at + opening.len()..].split(')').next());
    let definition = line
        .trim_start()
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"))
        .map(|(_, target)| target);
    inline
        .chain(definition)
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| target.trim_matches(['<', '>']))
        .filter(|target| !target.contains(':') && !target.starts_with("//"))
        .map(str::to_owned)
        .collect()
}

/// Returns the line without inline code.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Returns the path of a link's target relative to the repository, or `None` if it leads out of it.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = if target.starts_with('/') {
        Vec::new()
    } else {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        folder.split('/').filter(|part| !part.is_empty()).collect()
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{file, lines};

    #[test]
    fn a_link_leads_to_a_file_that_is_there() {
        let cases = [
            ("[a](docs/hashing.md)", 0),
            ("[a](docs/) and [b](./docs/hashing.md)", 0),
            ("[a](https://example.com/x.md#y) [c](mailto:a@b.c)", 0),
            ("[a](docs/hashing.md \"the title\")", 0),
            ("`[a](nowhere.md)`", 0),
            ("[a](nowhere.md)", 1),
            ("[a](docs/none.md#x) and [b](none/)", 2),
            ("[name]: docs/none.md", 1),
            ("[a](../outside.md)", 1),
            ("```text\n[a](nowhere.md)\n```\n[b](nowhere.md)", 1),
        ];
        for (text, expected) in cases {
            let files = [file("README.md", text), file("docs/hashing.md", "")];
            let found = lines(check(&files));
            assert_eq!(found.len(), expected, "{text}: {found:?}");
        }
    }

    #[test]
    fn a_link_is_relative_to_its_page() {
        let files = [
            file("docs/hashing.md", "[up](../README.md)\n[lost](README.md)\n"),
            file("README.md", ""),
        ];
        assert_eq!(
            lines(check(&files)),
            ["docs/hashing.md:2: links to README.md, which is not in this repository"]
        );
    }

    #[test]
    fn a_link_leads_to_a_heading_that_is_there() {
        let page = "# A page\n\n## Used twice\n## Used twice\n```sh\n# no heading\n```\n";
        let cases = [
            ("[a](docs/page.md#a-page) [b](docs/page.md#used-twice-1)", 0),
            ("# Here\n[a](#here)", 0),
            ("[a](#here)", 1),
            ("[a](docs/page.md#A-page)", 1),
            ("[a](docs/page.md#used-twice-2)", 1),
            ("[a](docs/page.md#no-heading)", 1),
            ("[a](docs/code.rs#L3)", 0),
            ("[name]: docs/page.md#gone", 1),
        ];
        for (text, expected) in cases {
            let files = [
                file("README.md", text),
                file("docs/page.md", page),
                file("docs/code.rs", ""),
            ];
            let found = lines(check(&files));
            assert_eq!(found.len(), expected, "{text}: {found:?}");
        }
        let files = [
            file("README.md", "[a](docs/page.md#x)"),
            file("docs/page.md", page),
        ];
        assert_eq!(
            lines(check(&files)),
            ["README.md:1: links to docs/page.md#x, but docs/page.md has no heading of that id"]
        );
    }

    #[test]
    fn headings_have_the_ids_of_github() {
        let cases = [
            (
                "# The canonical encoding",
                &["the-canonical-encoding"] as &[&str],
            ),
            (
                "### The snapshot: `ctxpin-snapshot-1`",
                &["the-snapshot-ctxpin-snapshot-1"],
            ),
            ("## What's *new*, and why?  ##", &["whats-new-and-why"]),
            ("## A [link](x.md#y) & a_name", &["a-link--a_name"]),
            ("## Größe", &["größe"]),
            ("# a\n# a\n# a-1\n# a", &["a", "a-1", "a-1-1", "a-2"]),
            ("#hash\n####### seven\ntext", &[]),
        ];
        for (text, expected) in cases {
            let expected: BTreeSet<String> = expected.iter().map(|id| (*id).into()).collect();
            assert_eq!(heading_ids(text), expected, "{text}");
        }
    }
}
