//! The map of the crates in ARCHITECTURE.md agrees with the manifests, and a library is used only by the
//! crates that it is for. A crate cannot rely on what it cannot see.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use super::Breach;
use super::files::File;
use crate::command;

/// The prefix that package names have and folders have not.
const PREFIX: &str = "ctxpin-";

/// The page with the map of the crates.
const PAGE: &str = "ARCHITECTURE.md";

/// The heading above the code block of [`PAGE`] that lists the crates, one a line: its name, and then the
/// crates that it uses.
const HEADING: &str = "### The arrows";

/// The crate of the tests. It may use every other one, and only tests use it.
const TESTING: &str = "testing";

/// Who may use a crate from outside.
enum Users {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// The crates from outside that belong to one place, with the reason.
const OUTSIDE: [(&str, Users, &str); 8] = [
    (
        "sqlx",
        Users::Only(&["store", "testing", "bench", "siege", "soak"]),
        "only the store knows SQL; the tests, the siege and the soak make databases for it, and the benchmark's baseline is SQL",
    ),
    (
        "axum",
        Users::Only(&["server", "bench", "doors"]),
        "only the server knows HTTP requests; the benchmark measures the least cost of one, and the doors stand in for a model",
    ),
    (
        "clap",
        Users::Only(&[
            "cli", "bench", "doors", "field", "pages", "siege", "soak", "xtask",
        ]),
        "only programs have a command line",
    ),
    (
        "notify",
        Users::Only(&["scan"]),
        "only scan watches a workspace's files",
    ),
    (
        "serde",
        Users::AllBut(&["render", "store", "operations"]),
        "domain types do not serialise themselves: wire shapes belong to protocol",
    ),
    (
        "tokio",
        Users::AllBut(&["model", "render", "scan", "evidence"]),
        "these crates never wait: their callers choose the threads",
    ),
    (
        "libfuzzer-sys",
        Users::Only(&["fuzz"]),
        "the fuzzer is C++ with a main function of its own; only its targets link it",
    ),
    (
        "utoipa",
        Users::Only(&["protocol", "server"]),
        "the API's description belongs to its shapes and routes",
    ),
];

/// The part of cargo's metadata that the rules use.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    pub name: String,
    /// Its manifest, relative to the repository.
    pub manifest_path: String,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
}

/// One line of a package's dependencies.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    pub name: String,
    /// None for a normal dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

/// A library, a binary, a test or a build script.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    pub kind: Vec<String>,
    /// Its first file, relative to the repository.
    pub src_path: String,
}

/// Reads the packages of the workspace from `cargo metadata`.
pub fn read(root: &Path) -> anyhow::Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let text = command::output_of(
        Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(root),
    )?;
    let metadata: Metadata = serde_json::from_str(&text).context("reading cargo's metadata")?;
    let mut packages = metadata.packages;
    for package in &mut packages {
        make_relative(&mut package.manifest_path, root);
        for target in &mut package.targets {
            make_relative(&mut target.src_path, root);
        }
    }
    Ok(packages)
}

fn make_relative(path: &mut String, root: &Path) {
    if let Ok(relative) = Path::new(path).strip_prefix(root) {
        *path = relative.to_string_lossy().into_owned();
    }
}

/// Reports every dependency that the map lacks, and every arrow of the map that is no dependency. Development
/// dependencies are free: they do not reach the program.
pub fn check(packages: &[Package], files: &[File]) -> Vec<Breach> {
    let page = files.iter().find(|file| file.path == PAGE);
    let map = read_map(
        page.and_then(|page| page.text.as_deref())
            .unwrap_or_default(),
    );
    let mut breaches = Vec::new();
    for package in packages {
        let user = short(&package.name);
        let breach = |says: String| Breach::of_file(&package.manifest_path, says);
        let dependencies = package.dependencies.iter();
        let names = dependencies
            .filter(|used| used.kind.as_deref() != Some("dev"))
            .map(|used| used.name.as_str());
        let (ours, outside): (Vec<&str>, Vec<&str>) =
            names.partition(|name| packages.iter().any(|package| package.name == *name));
        let ours: BTreeSet<String> = ours.into_iter().map(short).collect();
        if ours.contains(TESTING) {
            breaches.push(breach(format!(
                "{TESTING} may only be a development dependency"
            )));
        }
        breaches.extend(
            outside
                .into_iter()
                .filter_map(|used| outside_broken(&user, used))
                .map(breach),
        );
        if user == TESTING {
            continue;
        }
        let Some(arrows) = map.get(&user) else {
            let says = format!("{user} is not on the map: give it a row in {PAGE}");
            breaches.push(breach(says));
            continue;
        };
        for used in ours.difference(arrows).filter(|used| *used != TESTING) {
            breaches.push(breach(arrow_missing(&user, used, arrows)));
        }
        for used in arrows.difference(&ours) {
            let says = format!("{user} does not use {used}: remove it from the row in {PAGE}");
            breaches.push(breach(says));
        }
    }
    let names: BTreeSet<String> = packages
        .iter()
        .map(|package| short(&package.name))
        .collect();
    for name in map.keys().filter(|name| !names.contains(*name)) {
        let says = format!("the map has a row for {name}, which is not a crate");
        breaches.push(Breach::of_file(PAGE, says));
    }
    breaches
}

/// Reads the map from its page: each crate with those that it uses.
fn read_map(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let block = page
        .split_once(HEADING)
        .and_then(|(_, behind)| behind.split_once("```text\n"))
        .and_then(|(_, behind)| behind.split_once("```"));
    let (rows, _) = block.unwrap_or_default();
    rows.lines()
        .filter_map(|row| {
            let mut words = row.split_whitespace().map(str::to_owned);
            Some((words.next()?, words.collect()))
        })
        .collect()
}

fn arrow_missing(user: &str, used: &str, arrows: &BTreeSet<String>) -> String {
    let allowed: Vec<&str> = arrows.iter().map(String::as_str).collect();
    let allowed = match allowed.as_slice() {
        [] => "none of ours".to_owned(),
        allowed => allowed.join(", "),
    };
    format!("{user} must not know {used} (it may use: {allowed})")
}

fn outside_broken(user: &str, used: &str) -> Option<String> {
    let (_, users, reason) = OUTSIDE.iter().find(|(name, ..)| *name == used)?;
    let allowed = match users {
        Users::Only(names) => names.contains(&user),
        Users::AllBut(names) => !names.contains(&user),
    };
    (!allowed).then(|| format!("{user} must not depend on {used}: {reason}"))
}

/// Returns a package's name as its folder has it.
fn short(package: &str) -> String {
    package
        .strip_prefix(PREFIX)
        .unwrap_or(package)
        .replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{file, lines};

    /// Returns packages from lines such as `ctxpin-cli: ctxpin-model, dev ctxpin-testing`.
    fn packages(text: &str) -> Vec<Package> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let (name, used) = line.split_once(':').expect("a name and a colon");
                let used = used.split(',').map(str::trim).filter(|u| !u.is_empty());
                Package {
                    name: name.to_owned(),
                    manifest_path: format!("crates/{}/Cargo.toml", short(name)),
                    dependencies: used.map(dependency).collect(),
                    targets: Vec::new(),
                }
            })
            .collect()
    }

    fn dependency(text: &str) -> Dependency {
        let (kind, name) = match text.split_once(' ') {
            Some((kind, name)) => (Some(kind.to_owned()), name),
            None => (None, text),
        };
        Dependency {
            name: name.to_owned(),
            kind,
        }
    }

    /// Returns a page with a map of these rows.
    fn page(rows: &str) -> [File; 1] {
        let text = format!("# Map\n\n{HEADING}\n\n```text\n{rows}\n```\n\nMore.\n");
        [file(PAGE, &text)]
    }

    #[test]
    fn the_map_and_the_manifests_agree() {
        let cases = [
            (
                "store model\nmodel",
                "ctxpin-model:\nctxpin-store: ctxpin-model",
                None,
            ),
            (
                "store\nmodel",
                "ctxpin-model:\nctxpin-store: ctxpin-model",
                Some("store must not know model (it may use: none of ours)"),
            ),
            (
                "agent model\nmodel\nstore",
                "ctxpin-model:\nctxpin-store:\nctxpin-agent: ctxpin-model, build ctxpin-store",
                Some("agent must not know store (it may use: model)"),
            ),
            (
                "store model\nmodel",
                "ctxpin-model:\nctxpin-store:",
                Some("store does not use model"),
            ),
            (
                "store model\nmodel",
                "ctxpin-model:\nctxpin-store: dev ctxpin-model",
                Some("store does not use model"),
            ),
            (
                "cli private_files\nprivate_files",
                "ctxpin-private-files:\nctxpin-cli: ctxpin-private-files",
                None,
            ),
            (
                "cli",
                "ctxpin-testing:\nctxpin-cli: dev ctxpin-testing",
                None,
            ),
            (
                "cli",
                "ctxpin-testing:\nctxpin-cli: ctxpin-testing",
                Some("testing may only be a development dependency"),
            ),
            ("store", "ctxpin-store:\nctxpin-testing: ctxpin-store", None),
            (
                "store",
                "ctxpin-store:\nctxpin-new:",
                Some("new is not on the map"),
            ),
            ("store\ngone", "ctxpin-store:", Some("a row for gone")),
        ];
        for (rows, given, expected) in cases {
            assert_breach(rows, given, expected);
        }
    }

    #[test]
    fn crates_from_outside_stay_where_they_belong() {
        let cases = [
            ("ctxpin-store: sqlx", None),
            ("ctxpin-soak: sqlx, clap", None),
            ("xtask: sqlx", Some("must not depend on sqlx")),
            ("ctxpin-operations: sqlx", Some("must not depend on sqlx")),
            ("ctxpin-protocol: axum", Some("must not depend on axum")),
            ("ctxpin-agent: clap", Some("must not depend on clap")),
            ("ctxpin-agent: notify", Some("must not depend on notify")),
            ("ctxpin-model: serde", None),
            ("ctxpin-store: serde", Some("must not depend on serde")),
            ("ctxpin-scan: tokio", Some("must not depend on tokio")),
            ("ctxpin-scan: dev tokio", None),
            ("ctxpin-fuzz: libfuzzer-sys", None),
            (
                "ctxpin-model: libfuzzer-sys",
                Some("must not depend on libfuzzer-sys"),
            ),
        ];
        for (given, expected) in cases {
            let (name, _) = given.split_once(':').unwrap();
            assert_breach(&short(name), given, expected);
        }
    }

    fn assert_breach(rows: &str, given: &str, expected: Option<&str>) {
        let found = lines(check(&packages(given), &page(rows)));
        match expected {
            None => assert_eq!(found.len(), 0, "{given}: {found:?}"),
            Some(part) => {
                assert_eq!(found.len(), 1, "{given}: {found:?}");
                assert!(found[0].contains(part), "{given}: {found:?}");
            }
        }
    }

    #[test]
    fn metadata_is_read_as_cargo_prints_it() {
        let text = r#"{"packages": [{"name": "a", "manifest_path": "/r/crates/a/Cargo.toml",
            "dependencies": [{"name": "b", "kind": null, "req": "^1"}, {"name": "c", "kind": "dev"}],
            "targets": [{"kind": ["lib"], "src_path": "/r/crates/a/src/lib.rs"}]}]}"#;
        let metadata: Metadata = serde_json::from_str(text).expect("it is metadata");
        let mut package = metadata.packages[0].clone();
        make_relative(&mut package.manifest_path, Path::new("/r"));
        assert_eq!(package.manifest_path, "crates/a/Cargo.toml");
        assert_eq!(package.dependencies[1].kind.as_deref(), Some("dev"));
    }
}
