//! Modules and their names. The compiler does not report a Rust file that no module declares; it
//! does not compile the file, and the tests in it do not run. A module with a meaningless name
//! collects everything.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::Package;
use super::files::File;
use super::{Breach, rust_text};

/// Names that say nothing about the content.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helpers", "core", "misc"];

/// Reports files, folders, modules and crates whose name says nothing.
pub fn check_names(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files {
        let mut parts = file.path.split('/');
        if let Some(empty) = parts.find(|part| is_empty_name(stem(part))) {
            let says = format!("`{empty}` does not say what is inside: find a better name");
            breaches.push(Breach::of_file(&file.path, says));
        }
        let Some(source) = file.rust() else { continue };
        for declared in declarations(source) {
            if is_empty_name(&declared.name) {
                let says = format!("module `{}` does not say what is inside", declared.name);
                breaches.push(Breach::at_line(&file.path, declared.line, says));
            }
        }
    }
    breaches
}

fn stem(part: &str) -> &str {
    part.split_once('.').map_or(part, |(stem, _)| stem)
}

fn is_empty_name(name: &str) -> bool {
    EMPTY_NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// Reports Rust files of packages that no `mod` leads to, from any library, binary or test. A
/// declaration in a `mod { .. }` block or with `#[path]` is not followed: neither is our custom.
pub fn check_reachable(packages: &[Package], files: &[File]) -> Vec<Breach> {
    let sources: BTreeMap<&str, &str> = files
        .iter()
        .filter_map(|file| Some((file.path.as_str(), file.rust()?)))
        .collect();
    let targets = packages.iter().flat_map(|package| &package.targets);
    let mut waiting: Vec<(String, bool)> = targets
        .map(|target| (target.src_path.clone(), true))
        .collect();
    let mut reached = BTreeSet::new();
    while let Some((path, is_root)) = waiting.pop() {
        let Some(source) = sources.get(path.as_str()) else {
            continue;
        };
        let folder = folder_of_children(&path, is_root);
        for declared in declarations(source).iter().filter(|d| !d.inline) {
            waiting.push((format!("{folder}/{}.rs", declared.name), false));
            waiting.push((format!("{folder}/{}/mod.rs", declared.name), false));
        }
        reached.insert(path);
    }
    let forgotten = sources.keys().filter(|path| !reached.contains(**path));
    forgotten
        .map(|path| Breach::of_file(path, "no `mod` declares this file: it is not compiled"))
        .collect()
}

/// Returns the folder of the modules that a file declares.
fn folder_of_children(path: &str, is_root: bool) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if is_root || path.ends_with("/mod.rs") {
        folder
    } else {
        path.strip_suffix(".rs").unwrap_or(path)
    }
}

/// Reports libraries and binaries that do not begin by saying what they are.
pub fn check_heads(packages: &[Package], files: &[File]) -> Vec<Breach> {
    let targets = packages.iter().flat_map(|package| &package.targets);
    let heads: BTreeSet<&str> = targets
        .filter(|target| target.kind.iter().any(|k| k == "lib" || k == "bin"))
        .map(|target| target.src_path.as_str())
        .collect();
    files
        .iter()
        .filter(|file| heads.contains(file.path.as_str()))
        .filter(|file| !file.rust().is_some_and(|source| source.starts_with("//!")))
        .map(|file| {
            let says = "does not begin with `//!`: describe what it is and what it must not know";
            Breach::of_file(&file.path, says)
        })
        .collect()
}

/// A module that a source declares.
#[derive(Debug, PartialEq, Eq)]
struct Declaration {
    name: String,
    /// Counted from 0.
    line: usize,
    /// Whether its body follows in braces, and not in a file.
    inline: bool,
}

fn declarations(source: &str) -> Vec<Declaration> {
    let code = rust_text::code_only(source);
    let mut found = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut words = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '#'))
            .filter(|word| !word.is_empty());
        if !words.any(|word| word == "mod") {
            continue;
        }
        let Some(name) = words.next() else { continue };
        let end = text.trim_end();
        if end.ends_with(';') || end.contains('{') {
            found.push(Declaration {
                name: name.trim_start_matches("r#").to_owned(),
                line,
                inline: end.contains('{'),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::dependencies::Target;
    use crate::tidy::{file, lines};

    fn package(targets: &[(&str, &str)]) -> Package {
        Package {
            name: "ctxpin-a".to_owned(),
            manifest_path: "crates/a/Cargo.toml".to_owned(),
            dependencies: Vec::new(),
            targets: targets
                .iter()
                .map(|(kind, path)| Target {
                    kind: vec![(*kind).to_owned()],
                    src_path: (*path).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        let cases = [
            ("crates/a/src/utils.rs", "", 1),
            ("crates/common/Cargo.toml", "", 1),
            ("crates/a/src/helpers/mod.rs", "", 1),
            ("crates/a/src/lib.rs", "mod core { }", 1),
            ("crates/a/src/lib.rs", "pub(crate) mod misc;", 1),
            ("crates/a/src/lib.rs", "use core::fmt; // mod util;", 0),
            ("crates/a/src/commonplace.rs", "", 0),
        ];
        for (path, source, expected) in cases {
            let found = lines(check_names(&[file(path, source)]));
            assert_eq!(found.len(), expected, "{path} {source}: {found:?}");
        }
    }

    #[test]
    fn a_file_that_nobody_declares_is_found() {
        let packages = [package(&[
            ("lib", "crates/a/src/lib.rs"),
            ("test", "crates/a/tests/it/main.rs"),
        ])];
        let mut files = vec![
            file(
                "crates/a/src/lib.rs",
                "pub mod one;\nmod two;\nmod tests { }",
            ),
            file("crates/a/src/one.rs", "mod deep;"),
            file("crates/a/src/one/deep.rs", ""),
            file("crates/a/src/two/mod.rs", "mod low;"),
            file("crates/a/src/two/low.rs", ""),
            file("crates/a/tests/it/main.rs", "mod push;"),
            file("crates/a/tests/it/push.rs", ""),
        ];
        assert_eq!(check_reachable(&packages, &files), []);

        files.push(file("crates/a/src/one/lost.rs", "mod child;"));
        files.push(file("crates/a/src/one/lost/child.rs", ""));
        files.push(file("crates/a/tests/it/pull.rs", ""));
        files.push(file("crates/a/src/three.rs", ""));
        files[0] = file(
            "crates/a/src/lib.rs",
            "pub mod one;\nmod two;\n// mod three;",
        );
        let found = lines(check_reachable(&packages, &files));
        let paths: Vec<&str> = found.iter().filter_map(|f| f.split(':').next()).collect();
        assert_eq!(
            paths,
            [
                "crates/a/src/one/lost.rs",
                "crates/a/src/one/lost/child.rs",
                "crates/a/src/three.rs",
                "crates/a/tests/it/pull.rs",
            ]
        );
    }

    #[test]
    fn a_crate_begins_by_saying_what_it_is() {
        let packages = [package(&[
            ("lib", "crates/a/src/lib.rs"),
            ("bin", "crates/a/src/main.rs"),
            ("test", "crates/a/tests/it/main.rs"),
        ])];
        let files = [
            file("crates/a/src/lib.rs", "//! What things are.\n"),
            file("crates/a/src/main.rs", "// The program.\nfn main() {}\n"),
            file("crates/a/tests/it/main.rs", "mod push;\n"),
        ];
        let found = lines(check_heads(&packages, &files));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/main.rs: does not begin"));
    }
}
