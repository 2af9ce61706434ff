//! The corpus, and that every target has one.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use ctxpin_fuzz::{TARGETS, Target};

use crate::{entries, inputs, path};

/// Longest time for one input, unoptimised and on a busy machine. The longest takes some
/// milliseconds; what grows too fast with its input takes minutes.
const CHECK_TIME_MAX: Duration = Duration::from_secs(20);

#[track_caller]
fn check_corpus(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let Target { check, .. } = *target.expect("a target of that name");
    let mut broken = Vec::new();
    for (file, bytes) in inputs(name) {
        let start = Instant::now();
        if catch_unwind(|| check(&bytes)).is_err() {
            broken.push(file);
        } else if start.elapsed() > CHECK_TIME_MAX {
            broken.push(format!("{file} took {:?}", start.elapsed()));
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn canonical_encodings() {
    check_corpus("canonical");
}

#[test]
fn diffs() {
    check_corpus("diff");
}

#[test]
fn frontmatters() {
    check_corpus("frontmatter");
}

#[test]
fn manifests() {
    check_corpus("manifest");
}

#[test]
fn mcp_configs() {
    check_corpus("mcp_config");
}

#[test]
fn sanitised_texts() {
    check_corpus("sanitiser");
}

/// Returns the names of the files in a folder, without their extensions.
fn names(folder: &str) -> Vec<String> {
    let stem = |path: &std::path::PathBuf| path.file_stem()?.to_str().map(str::to_owned);
    entries(folder).iter().filter_map(stem).collect()
}

#[test]
fn every_target_has_a_binary_and_a_corpus() {
    let targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names("targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = std::fs::read_to_string(path("Cargo.toml")).expect("the manifest");
    for target in targets {
        assert!(inputs(target).len() > 10, "{target} has a corpus");
        let binary = format!("[[bin]]\nname = \"{target}\"\npath = \"targets/{target}.rs\"\n");
        assert!(manifest.contains(&binary), "{target} is a binary");
        let source = std::fs::read_to_string(path(&format!("targets/{target}.rs")));
        let call = format!("ctxpin_fuzz::{target}::check(bytes)");
        assert!(source.expect("its source").contains(&call), "{target}");
    }
}
