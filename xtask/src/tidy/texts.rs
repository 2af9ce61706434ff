//! Texts that no file contains: leftovers of work in progress, blanks that only a diff shows, and
//! paths that exist on one machine only.

use std::path::Path;

use super::files::File;
use super::{Breach, rust_text};

/// The longest Rust file: past this it has more than one subject.
const RUST_LINES_MAX: usize = 800;

/// Notes to oneself. They are written here in two halves so that this file passes its own rule.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Calls that stand for missing code, or that debug existing code.
const LEFTOVER_CALLS: [&str; 3] = ["todo!(", "unimplemented!(", "dbg!("];

/// The home of root, whose content differs on every machine.
const ROOT_HOME: &str = concat!("/ro", "ot/");

/// A path to a place beside the repository.
const BESIDE: &str = concat!("../sha", "red");

/// Returns the absolute paths that exist on this machine alone: this repository and its siblings. A
/// path in an example may be any other. Examples may name siblings of a clone that is directly in
/// `/` or `/tmp`, so there only the repository itself counts.
pub fn machine_paths(root: &Path) -> Vec<String> {
    let mut paths = vec![ROOT_HOME.to_owned()];
    let shared = [Path::new("/"), Path::new("/tmp"), &std::env::temp_dir()];
    let beside = root.parent().filter(|parent| !shared.contains(parent));
    let entries = beside.and_then(|parent| std::fs::read_dir(parent).ok());
    let siblings = entries.into_iter().flatten().flatten();
    let siblings = siblings.map(|entry| entry.path());
    let all = siblings.chain([root.to_path_buf()]);
    paths.extend(all.filter_map(|path| path.to_str().map(str::to_owned)));
    paths.sort();
    paths.dedup();
    paths
}

/// Reports the texts that a file must not contain. `machine_paths` are those of [`machine_paths`].
pub fn check(file: &File, machine_paths: &[String]) -> Vec<Breach> {
    let Some(text) = file.text.as_deref() else {
        return Vec::new();
    };
    let mut breaches = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let says = notes(line).into_iter().chain(places(line, machine_paths));
        breaches.extend(says.map(|says| Breach::at_line(&file.path, index, says)));
    }
    if !is_verbatim(&file.path) {
        breaches.extend(check_blanks(file, text));
    }
    if let Some(source) = file.rust() {
        breaches.extend(check_rust(&file.path, source));
    }
    breaches
}

/// Returns whether every byte of a file matters: test data, golden files and the fuzzer's corpus.
fn is_verbatim(path: &str) -> bool {
    let in_folder = |name| path.split('/').any(|part| part == name);
    in_folder("testdata")
        || in_folder("snapshots")
        || in_folder("golden")
        || path.starts_with("fuzz/corpus/")
        || path.ends_with(".snap")
}

fn notes(line: &str) -> Option<String> {
    let note = NOTES.iter().find(|note| line.contains(**note))?;
    Some(format!("{note}: do it now, or open an issue"))
}

fn places(line: &str, machine_paths: &[String]) -> Option<String> {
    if line.contains(BESIDE) {
        return Some(format!("{BESIDE} is not in this repository"));
    }
    let found = machine_paths.iter().find(|path| begins_in(line, path))?;
    Some(format!("{found} is a path that exists on one machine only"))
}

/// Returns whether the line contains the absolute path as a whole, and not as a part of another
/// path.
fn begins_in(line: &str, path: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "_-".contains(c);
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        !before.is_some_and(|c| is_name(c) || ".~}".contains(c))
            && (path.ends_with('/') || !after.is_some_and(is_name))
    })
}

fn check_blanks(file: &File, text: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            breaches.push(Breach::at_line(&file.path, index, "ends with a blank"));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        breaches.push(Breach::of_file(
            &file.path,
            "does not end with one line feed",
        ));
    }
    breaches
}

fn check_rust(path: &str, source: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (index, line) in source.lines().enumerate() {
        if line.contains('\t') {
            breaches.push(Breach::at_line(
                path,
                index,
                "has a tab: use spaces, or `\\t`",
            ));
        }
    }
    for (index, line) in rust_text::code_only(source).lines().enumerate() {
        if let Some(call) = LEFTOVER_CALLS.iter().find(|call| line.contains(**call)) {
            let says = format!("{call}..) is left over from work in progress");
            breaches.push(Breach::at_line(path, index, says));
        }
    }
    let count = source.lines().count();
    if count > RUST_LINES_MAX {
        let says = format!("has {count} lines, more than {RUST_LINES_MAX}: split it by subject");
        breaches.push(Breach::of_file(path, says));
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::{BESIDE, Breach, File, NOTES, ROOT_HOME, RUST_LINES_MAX};
    use crate::tidy::{file, lines};

    fn check(file: &File) -> Vec<Breach> {
        super::check(file, &[ROOT_HOME.to_owned(), "/src/ours".to_owned()])
    }

    #[test]
    fn each_leftover_is_found_where_it_stands() {
        let cases: [(&str, String, &[&str]); 19] = [
            ("a.rs", "fn a() {}\n".into(), &[]),
            ("a.rs", format!("\n// {}: later\n", NOTES[0]), &["a.rs:2:"]),
            ("a.md", format!("{} this\n", NOTES[1]), &["a.md:1:"]),
            ("a.rs", "fn a() { todo!() }\n".into(), &["a.rs:1: todo!("]),
            ("a.rs", "fn a() { dbg!(1) }\n".into(), &["a.rs:1: dbg!("]),
            ("a.rs", "// unimplemented!() is not for us\n".into(), &[]),
            ("a.md", "one \ntwo\n".into(), &["a.md:1: ends with a blank"]),
            ("a.md", "one\r\n".into(), &["a.md:1: ends with a blank"]),
            ("testdata/a.md", "one \r\n\n".into(), &[]),
            ("fuzz/corpus/a/b", "one \r\n\n".into(), &[]),
            ("a.md", "one".into(), &["a.md: does not end"]),
            ("a.md", "one\n\n".into(), &["a.md: does not end"]),
            ("a.rs", "fn a() {\n\t1\n}\n".into(), &["a.rs:2: has a tab"]),
            ("a.md", format!("see `{ROOT_HOME}x`\n"), &["a.md:1:"]),
            ("a.md", format!("in home{ROOT_HOME}x\n"), &[]),
            ("a.md", "see /src/ours/x\n".into(), &["a.md:1: /src/ours"]),
            ("a.md", "see /src/ours.\n".into(), &["a.md:1: /src/ours"]),
            ("a.md", "see /src/theirs and /src/ours2\n".into(), &[]),
            ("a.md", format!("see {BESIDE}/x\n"), &["a.md:1:"]),
        ];
        for (path, text, expected) in cases {
            let found = lines(check(&file(path, &text)));
            assert_eq!(found.len(), expected.len(), "{path} {text:?}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{path} {text:?}: {found}");
            }
        }
    }

    #[test]
    fn a_long_rust_file_is_found() {
        let lines_of = |count: usize| "fn a() {}\n".repeat(count);
        assert_eq!(check(&file("a.rs", &lines_of(RUST_LINES_MAX))), []);
        let found = lines(check(&file("a.rs", &lines_of(RUST_LINES_MAX + 1))));
        assert!(found[0].starts_with("a.rs: has 801 lines"), "{found:?}");
        assert_eq!(check(&file("a.sql", &lines_of(RUST_LINES_MAX + 1))), []);
    }

    #[test]
    fn a_file_that_is_no_text_is_left_alone() {
        let bytes = File {
            path: "a.png".to_owned(),
            text: None,
        };
        assert_eq!(check(&bytes), []);
    }
}
