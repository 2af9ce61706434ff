//! Every target with generated inputs. `PROPTEST_CASES` sets their number.

use std::fmt;

use ctxpin_fuzz::TARGETS;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::inputs;
use crate::mutation::mutated;

/// An input that is shown as text.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

#[track_caller]
fn check_generated(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let check = target.expect("a target of that name").check;
    let corpus = inputs(name).into_iter().map(|(_, bytes)| bytes).collect();
    let input = prop_oneof![
        4 => mutated(corpus),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => any::<String>().prop_map(String::into_bytes),
    ]
    .prop_map(Input);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&input, |Input(bytes)| {
        check(&bytes);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{name}: {error}");
    }
}

#[test]
fn canonical_encodings() {
    check_generated("canonical");
}

#[test]
fn diffs() {
    check_generated("diff");
}

#[test]
fn records() {
    check_generated("evidence");
}

#[test]
fn searches() {
    check_generated("finder");
}

#[test]
fn frontmatters() {
    check_generated("frontmatter");
}

#[test]
fn manifests() {
    check_generated("manifest");
}

#[test]
fn mcp_configs() {
    check_generated("mcp_config");
}

#[test]
fn sanitised_texts() {
    check_generated("sanitiser");
}
