//! Links between the pages of this repository: a page that is moved takes its readers along.

use std::collections::BTreeSet;

use super::Breach;
use super::files::File;

/// Reports links in Markdown files to files or folders that are not there. Links to other sites
/// and to headings are not followed.
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
    let pages = files
        .iter()
        .filter(|file| file.path.ends_with(".md") && !file.path.contains("testdata/"));
    pages.flat_map(|page| check_page(page, &known)).collect()
}

fn check_page(page: &File, known: &BTreeSet<&str>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut in_code = false;
    for (index, line) in page.text.as_deref().unwrap_or_default().lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let found = resolve(&page.path, &target)
                .is_some_and(|path| path.is_empty() || known.contains(path.as_str()));
            if !found {
                let says = format!("links to {target}, which is not in this repository");
                breaches.push(Breach::at_line(&page.path, index, says));
            }
        }
    }
    breaches
}

/// The targets of a line's links, `[text](target "title")` and `[name]: target`, that point into
/// this repository, without the heading.
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
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The path of a link's target relative to the repository, or none if it leads out of it.
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
            ("[a](docs/) and [b](./docs/hashing.md#the-encoding)", 0),
            (
                "[a](https://example.com/x.md) [b](#here) [c](mailto:a@b.c)",
                0,
            ),
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
}
