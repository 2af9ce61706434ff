//! What the page of traps names as its proof is there: a test that is renamed or removed takes the
//! page along.

use std::collections::BTreeMap;

use super::Breach;
use super::files::File;
use super::rust_text::code_only;

const PAGE: &str = "docs/traps.md";

/// Reports tests (`crate::module::test`) and files (`crates/...`) that the page names and that are
/// not in this repository.
pub fn check(files: &[File]) -> Vec<Breach> {
    let by_path: BTreeMap<&str, &File> = files
        .iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    let page = by_path.get(PAGE).and_then(|page| page.text.as_deref());
    let mut breaches = Vec::new();
    for (index, line) in page.unwrap_or_default().lines().enumerate() {
        // Every second part is between backticks.
        for span in line.split('`').skip(1).step_by(2) {
            let (is_there, what) = if is_test_path(span) {
                (has_test(span, &by_path), "test")
            } else if span.starts_with("crates/") {
                (by_path.contains_key(span), "file")
            } else {
                continue;
            };
            if !is_there {
                let says = format!("names the {what} {span}, which is not in this repository");
                breaches.push(Breach::at_line(PAGE, index, says));
            }
        }
    }
    breaches
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
            ("`crates/model/src/hash.rs` and `crates/model`", 1),
            ("`model::hash::gone`", 1),
            ("`model::hash::made`", 1),
            ("`model::other::bytes_read_back`", 1),
            ("`store::hash::bytes_read_back`", 1),
            ("`model::bytes_read_back`", 1),
            ("model::hash::gone and `ServerShape::env` and `a: b`", 0),
        ];
        for (text, expected) in cases {
            let files = [
                file(PAGE, text),
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
        let files = [file(PAGE, "# Traps\n\n| one | `scan::links::gone` |\n")];
        assert_eq!(
            lines(check(&files)),
            ["docs/traps.md:3: names the test scan::links::gone, which is not in this repository"]
        );
        assert_eq!(check(&[]), []);
    }
}
