//! Which crate may use which: the map of the repository, and who may depend on what from outside.
//! A crate that cannot see a thing cannot come to rely on it.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use super::Breach;
use crate::command;

/// The prefix that package names have and folders have not.
const PREFIX: &str = "ctxpin-";

/// The arrows: what each of our crates may use of the others. `testing` may use all.
const ARROWS: [(&str, &[&str]); 19] = [
    // The benchmark measures operations in process, serves the limits of an HTTP answer, and
    // calls the program that was built.
    (
        "bench",
        &["server", "operations", "scan", "protocol", "model"],
    ),
    (
        "cli",
        &[
            "server",
            "agent",
            "client",
            "scan",
            "render",
            "protocol",
            "model",
            "private-files",
        ],
    ),
    (
        "server",
        &[
            "listener",
            "operations",
            "protocol",
            "model",
            "private-files",
        ],
    ),
    // It serves any service.
    ("listener", &[]),
    (
        "agent",
        &["scan", "client", "protocol", "model", "private-files"],
    ),
    ("client", &["protocol", "model"]),
    ("cluster", &[]),
    ("operations", &["store", "render", "model"]),
    ("store", &["model", "private-files"]),
    // It knows no type of ours.
    ("private-files", &[]),
    ("render", &["model"]),
    ("scan", &["model"]),
    ("protocol", &["model"]),
    ("model", &[]),
    // It scans and renders in process, and calls the program that was built.
    ("field", &["scan", "render", "model"]),
    ("fuzz", &["protocol", "scan", "render", "model"]),
    // It does what none of our clients does, and calls the program that was built.
    ("siege", &[]),
    // It works through the client, and calls the program that was built.
    ("soak", &["client", "cluster", "protocol", "model"]),
    ("xtask", &["cluster"]),
];

/// Crates that may use every other one: the tests'.
const UNBOUND: [&str; 1] = ["testing"];

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
        Users::Only(&["server", "bench"]),
        "only the server knows HTTP requests; the benchmark measures the least cost of one",
    ),
    (
        "clap",
        Users::Only(&["cli", "bench", "field", "siege", "soak", "xtask"]),
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
        Users::AllBut(&["model", "render", "scan"]),
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

/// What the rules need of cargo's metadata.
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

/// Asks cargo for the packages of the workspace.
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

/// Reports every dependency that no arrow allows. Development dependencies are free: they do not
/// reach the program.
pub fn check(packages: &[Package]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in packages {
        let user = short(&package.name);
        let breach = |says: String| Breach::of_file(&package.manifest_path, says);
        let arrows = ARROWS.iter().find(|(name, _)| *name == user);
        let unbound = UNBOUND.contains(&user);
        if arrows.is_none() && !unbound {
            let says = format!("{user} is not on the map: give it its arrows in xtask's tidy");
            breaches.push(breach(says));
        }
        let used = package.dependencies.iter();
        for used in used.filter(|used| used.kind.as_deref() != Some("dev")) {
            let ours = packages.iter().any(|package| package.name == used.name);
            let says = if ours {
                let allowed = arrows.map(|(_, allowed)| *allowed).unwrap_or_default();
                arrow_broken(user, short(&used.name), unbound, allowed)
            } else {
                outside_broken(user, &used.name)
            };
            breaches.extend(says.map(breach));
        }
    }
    breaches
}

fn arrow_broken(user: &str, used: &str, unbound: bool, allowed: &[&str]) -> Option<String> {
    if UNBOUND.contains(&used) {
        return Some(format!("{used} may only be a development dependency"));
    }
    if unbound || allowed.contains(&used) {
        return None;
    }
    let allowed = match allowed {
        [] => "none of ours".to_owned(),
        allowed => allowed.join(", "),
    };
    Some(format!(
        "{user} must not know {used} (it may use: {allowed})"
    ))
}

fn outside_broken(user: &str, used: &str) -> Option<String> {
    let (_, users, reason) = OUTSIDE.iter().find(|(name, ..)| *name == used)?;
    let allowed = match users {
        Users::Only(names) => names.contains(&user),
        Users::AllBut(names) => !names.contains(&user),
    };
    (!allowed).then(|| format!("{user} must not depend on {used}: {reason}"))
}

/// A package's name as its folder has it.
fn short(package: &str) -> &str {
    package.strip_prefix(PREFIX).unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines;

    /// Packages from lines such as `ctxpin-cli: ctxpin-model, dev ctxpin-testing`.
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

    #[test]
    fn arrows_are_kept() {
        let cases = [
            ("ctxpin-model:\nctxpin-store: ctxpin-model", None),
            (
                "ctxpin-store:\nctxpin-agent: ctxpin-store",
                Some("agent must not know store"),
            ),
            (
                "ctxpin-render:\nctxpin-model: ctxpin-render",
                Some("model must not know render"),
            ),
            (
                "ctxpin-store:\nctxpin-agent: build ctxpin-store",
                Some("agent must not know store"),
            ),
            ("ctxpin-testing:\nctxpin-cli: dev ctxpin-testing", None),
            (
                "ctxpin-testing:\nctxpin-cli: ctxpin-testing",
                Some("testing may only be a development dependency"),
            ),
            ("ctxpin-store:\nctxpin-testing: ctxpin-store", None),
            (
                "ctxpin-store:\nxtask: ctxpin-store",
                Some("xtask must not know store"),
            ),
            ("ctxpin-new:", Some("new is not on the map")),
            ("ctxpin-scan:\nctxpin-fuzz: ctxpin-scan", None),
            (
                "ctxpin-store:\nctxpin-fuzz: ctxpin-store",
                Some("fuzz must not know store"),
            ),
        ];
        for (given, expected) in cases {
            assert_breach(given, expected);
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
            assert_breach(given, expected);
        }
    }

    fn assert_breach(given: &str, expected: Option<&str>) {
        let found = lines(check(&packages(given)));
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
