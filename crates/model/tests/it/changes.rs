//! The list of changes agrees with the hashes.

use ctxpin_model::diff::attributes::attributes;
use ctxpin_model::diff::{Verb, changes};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Also, Applies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::Snapshot;
use proptest::prelude::*;

use crate::sample::{any_two, two};

/// Checks that there are no changes exactly if the hashes are equal.
fn agree(a: &Snapshot, b: &Snapshot) -> Result<(), TestCaseError> {
    let (of_a, of_b) = (a.addresses(), b.addresses());
    let same_context = of_a.context_hash == of_b.context_hash;
    let same_tools = of_a.tools_hash == of_b.tools_hash;
    prop_assert_eq!(changes(a, b, false).is_empty(), same_context);
    prop_assert_eq!(changes(a, b, true).is_empty(), same_context && same_tools);
    Ok(())
}

fn files(order: &[usize]) -> Snapshot {
    let resources = order.iter().map(|number| {
        let source = format!("/w/{number}.md");
        let mut file = Resource::new(Kind::InstructionFile, source, Status::Ok);
        file.content = Some(Content::Pinned(BlobHash::of(b"x")));
        file
    });
    Snapshot {
        resources: resources.collect(),
        ..Snapshot::default()
    }
}

/// Returns the length of the longest increasing subsequence, by trying every selection.
fn longest_run(order: &[usize]) -> usize {
    let selections = 0..1_usize << order.len();
    let runs = selections.filter_map(|selection| {
        let chosen = (0..order.len()).filter(|at| selection >> at & 1 == 1);
        let chosen: Vec<_> = chosen.map(|at| order[at]).collect();
        chosen.is_sorted().then_some(chosen.len())
    });
    runs.max().unwrap_or(0)
}

proptest! {
    #[test]
    fn changes_are_empty_exactly_if_the_hashes_are_equal((a, b) in two()) {
        agree(&a, &b)?;
    }

    #[test]
    fn and_so_they_are_whatever_a_snapshot_holds((a, b) in any_two()) {
        agree(&a, &b)?;
    }

    #[test]
    fn what_is_told_as_changed_is(( a, b) in two()) {
        for change in changes(&a, &b, true) {
            let usable = |resource: Option<&Resource>| {
                resource.is_some_and(|resource| resource.status == Status::Ok)
            };
            let sides = (usable(change.pinned), usable(change.head));
            match change.verb {
                Verb::Added => prop_assert_eq!(sides, (false, true)),
                Verb::Removed => prop_assert_eq!(sides, (true, false)),
                Verb::Moved => prop_assert_eq!(sides, (true, true)),
                Verb::Modified => prop_assert!(sides == (true, true) || sides == (false, false)),
            }
        }
    }

    #[test]
    fn as_few_as_possible_have_moved(
        order in Just((0..9).collect::<Vec<usize>>()).prop_shuffle()
    ) {
        let (pinned, head) = (files(&(0..9).collect::<Vec<_>>()), files(&order));
        let moved = changes(&pinned, &head, false);
        prop_assert!(moved.iter().all(|change| change.verb == Verb::Moved));
        prop_assert_eq!(moved.len(), order.len() - longest_run(&order));
        // The order of the other files is the same.
        let stays = |resource: &&Resource| !moved.iter().any(|m| m.source() == resource.source);
        let left: Vec<_> = pinned.resources.iter().filter(stays).collect();
        let right: Vec<_> = head.resources.iter().filter(stays).collect();
        prop_assert_eq!(left, right);
    }
}

#[test]
fn another_importer_and_other_files_are_named() {
    let (pinned, mut head) = (files(&[1]), files(&[1]));
    head.resources[0].imported_by = Some("/w/CLAUDE.md".into());
    let mut applies = Applies::to("/w", vec!["*.rs".into(), "docs".into()]);
    applies.also.push(Also {
        below: "/x".into(),
        globs: Vec::new(),
        behind: None,
    });
    head.resources[0].applies = Some(applies);
    let found = changes(&pinned, &head, false);
    assert_eq!(
        attributes(&found[0], &pinned, &head),
        [
            "the importing file is `/w/CLAUDE.md` now; it was `none`",
            "the set of files that it is for is `*.rs, docs below /w; all below /x` now; it was `all`",
        ]
    );
}
