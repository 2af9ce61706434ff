//! The tests, files and functions that the pages name exist: a change that renames or removes one changes
//! the page too.

use std::collections::BTreeMap;

use super::Breach;
use super::files::File;
use super::rust_text::code_only;

/// The page that names tests.
const TRAPS: &str = "docs/traps.md";

/// The pages that name functions and other items.
const MAPS: [&str; 2] = ["ARCHITECTURE.md", "CONTRIBUTING.md"];

/// Reports names between backticks that are not in this repository: in every page the Rust files
/// (`session.rs`) and what is in a crate (`crates/...`), in [`TRAPS`] the tests (`crate::module::test`), and in
/// [`MAPS`] the items (`Type::some_function`).
pub fn check(files: &[File]) -> Vec<Breach> {
    let by_path: BTreeMap<&str, &File> = files
        .iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    let pages = files
        .iter()
        .filter(|file| file.path.ends_with(".md") && !file.path.contains("/golden/"));
    pages
        .flat_map(|page| check_page(page, files, &by_path))
        .collect()
}

fn check_page(page: &File, files: &[File], by_path: &BTreeMap<&str, &File>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let path = page.path.as_str();
    for (index, line) in page.text.as_deref().unwrap_or_default().lines().enumerate() {
        // Every second part is between backticks.
        for span in line.split('`').skip(1).step_by(2) {
            let (exists, what) = if is_path(span) {
                (has_path(span, files), "file")
            } else if path == TRAPS && is_test_path(span) {
                (has_test(span, by_path), "test")
            } else if MAPS.contains(&path)
                && let Some(item) = item(span)
            {
                (has_word(item, files), "item")
            } else {
                continue;
            };
            if !exists {
                let says = format!("names the {what} {span}, which is not in this repository");
                breaches.push(Breach::at_line(path, index, says));
            }
        }
    }
    breaches
}

/// Returns whether the text names a Rust file, or something in a crate.
fn is_path(span: &str) -> bool {
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    span.chars().all(is_of_path) && (span.starts_with("crates/") || span.ends_with(".rs"))
}

/// Returns whether a file or folder of this path exists. The path of a Rust file may be its end alone.
fn has_path(span: &str, files: &[File]) -> bool {
    let span = span.trim_end_matches('/');
    let (folder, end) = (format!("{span}/"), format!("/{span}"));
    let mut paths = files.iter().map(|file| file.path.as_str());
    paths.any(|path| {
        path == span || path.starts_with(&folder) || (span.ends_with(".rs") && path.ends_with(&end))
    })
}

/// Returns the last name of `Type::some_function` or `some_function`, if it is of two words and so no word of
/// the language.
fn item(span: &str) -> Option<&str> {
    let name = span.rsplit("::").next()?;
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_item = name.chars().all(is_of_name) && name.trim_matches('_').contains('_');
    is_item.then_some(name)
}

/// Returns whether a Rust file contains the word.
fn has_word(word: &str, files: &[File]) -> bool {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    files.iter().filter_map(File::rust).any(|text| {
        text.match_indices(word).any(|(at, _)| {
            !text[..at].ends_with(is_of_word) && !text[at + word.len()..].starts_with(is_of_word)
        })
    })
}

/// Returns whether the text is `crate::test`, or has modules between the two.
fn is_test_path(span: &str) -> bool {
    let is_word = |part: &str| {
        let is_of_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !part.is_empty() && part.chars().all(is_of_word)
    };
    span.contains("::") && span.split("::").all(is_word)
}

/// Returns whether a crate has a test of that name in that module: in its integration tests, in the
/// module of its source, or in the tests of that module.
fn has_test(span: &str, by_path: &BTreeMap<&str, &File>) -> bool {
    let parts: Vec<&str> = span.split("::").collect();
    let [package, modules @ .., name] = parts.as_slice() else {
        return false;
    };
    let folder = match *package {
        "xtask" | "fuzz" => (*package).to_owned(),
        package => format!("crates/{package}"),
    };
    let module = modules.join("/");
    ["tests/it", "src"].iter().any(|part| {
        let stem = format!("{folder}/{part}/{module}");
        ["", "/mod", "/tests"].iter().any(|tail| {
            let file = by_path.get(format!("{stem}{tail}.rs").as_str());
            let source = file.and_then(|file| file.rust());
            source.is_some_and(|source| is_test_in(&code_only(source), name))
        })
    })
}

/// Returns whether a function of that name is a test, or an argument of a macro that makes it one.
fn is_test_in(code: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    let listed = format!("{name},");
    let alone = format!("on_both_databases!({name});");
    let mut is_marked = false;
    let (mut is_defined, mut is_test) = (false, false);
    for line in code.lines().map(str::trim) {
        if line.contains(&function) {
            is_defined = true;
            is_test |= is_marked;
        }
        is_test |= line == listed || line.ends_with(&alone);
        is_marked = match line {
            "" => is_marked,
            line if line.starts_with("#[") => is_marked || line.contains("test"),
            _ => false,
        };
    }
    is_defined && is_test
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{file, lines};

    #[test]
    fn a_named_test_is_there() {
        let unit = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn bytes_read_back() {}\n    fn made() {}\n}\n// #[test] fn gone() {}\n";
        let listed = "on_both_databases!(\n    pushes_meet,\n);\nasync fn pushes_meet(t: &T) {}\n";
        let alone = "x::on_both_databases!(it_holds);\nasync fn it_holds(t: &T) {}\n";
        let attributes =
            "#[tokio::test(flavor = \"x\")]\n// Why.\n#[expect(dead)]\nasync fn it_waits() {}\n";
        let cases = [
            ("`model::hash::bytes_read_back`", 0),
            (
                "`operations::races::pushes_meet` and `agent::plan::it_waits`",
                0,
            ),
            ("`operations::table::it_holds`", 0),
            ("`xtask::tidy::links::bytes_read_back`", 0),
            ("`fuzz::corpus::diffs`", 0),
            ("`crates/model/src/hash.rs` and `crates/model`", 0),
            ("`crates/model/src/gone.rs` and `crates/gone`", 2),
            ("`model::hash::gone`", 1),
            ("`model::hash::made`", 1),
            ("`model::other::bytes_read_back`", 1),
            ("`store::hash::bytes_read_back`", 1),
            ("`model::bytes_read_back`", 1),
            ("model::hash::gone and `ServerShape::env` and `a: b`", 0),
        ];
        for (text, expected) in cases {
            let files = [
                file(TRAPS, text),
                file("crates/model/src/hash.rs", unit),
                file("crates/operations/tests/it/races.rs", listed),
                file("crates/operations/tests/it/table/mod.rs", alone),
                file("crates/agent/src/plan/tests.rs", attributes),
                file("xtask/src/tidy/links.rs", unit),
                file("fuzz/tests/it/corpus.rs", "#[test]\nfn diffs() {}\n"),
            ];
            let found = lines(check(&files));
            assert_eq!(found.len(), expected, "{text}: {found:?}");
        }
    }

    #[test]
    fn a_proof_that_is_missing_is_named_where_it_stands() {
        let files = [file(TRAPS, "# Traps\n\n| one | `scan::links::gone` |\n")];
        assert_eq!(
            lines(check(&files)),
            ["docs/traps.md:3: names the test scan::links::gone, which is not in this repository"]
        );
        assert_eq!(check(&[]), []);
    }

    #[test]
    fn a_page_names_files_and_items_that_exist() {
        let cases = [
            (
                "README.md",
                "`hash.rs` and `model/src/hash.rs` and `crates/model/src/`",
                0,
            ),
            (
                "README.md",
                "`gone.rs` and `ash.rs` and `crates/model/tests/`",
                3,
            ),
            ("README.md", "`not_an_item`", 0),
            (
                "ARCHITECTURE.md",
                "`bytes_read` and `Hash::bytes_read`, `LIKE`, `read`",
                0,
            ),
            (
                "ARCHITECTURE.md",
                "`bytes_written` and `Hash::read_back` and `ytes_read`",
                3,
            ),
            ("CONTRIBUTING.md", "`Hash::gone_since`", 1),
            ("crates/render/tests/golden/whole.md", "`gone.rs`", 0),
        ];
        for (page, text, expected) in cases {
            let files = [
                file(page, text),
                file("crates/model/src/hash.rs", "fn bytes_read() {}"),
            ];
            let found = lines(check(&files));
            assert_eq!(found.len(), expected, "{text}: {found:?}");
        }
    }
}
