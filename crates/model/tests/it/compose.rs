//! Composed snapshots lose nothing, and gain nothing that was not selected.

use ctxpin_model::compose::{additive, partial, settle};
use ctxpin_model::diff::changes;
use ctxpin_model::resource::{Resource, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::tools_mode::ToolsMode;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::sample::{change_selector, facts_selector, selector, two};

fn mode() -> impl Strategy<Value = ToolsMode> {
    prop::sample::select(ToolsMode::ALL)
}

fn by_source(snapshot: &Snapshot) -> Vec<&Resource> {
    let mut resources: Vec<_> = snapshot.resources.iter().collect();
    resources.sort_by(|a, b| (a.kind, &a.source).cmp(&(b.kind, &b.source)));
    resources
}

/// Returns whether a resource is the same, or the same but no longer used.
fn is_kept(before: &Resource, after: &Resource) -> bool {
    let mut demoted = before.clone();
    demoted.demote(Status::Excluded, after.error.clone().unwrap_or_default());
    after == before || *after == demoted
}

proptest! {
    #[test]
    fn taking_everything_gives_the_head((pinned, head) in two(), mode in mode()) {
        let all = pinned.resources.iter().chain(&head.resources).map(selector);
        let all: Vec<_> = all.chain([facts_selector()]).collect();
        prop_assert_eq!(partial(&pinned, &head, &all, mode).unwrap(), head);
    }

    #[test]
    fn taking_every_listed_change_gives_the_head((pinned, head) in two(), mode in mode()) {
        let listed = changes(&pinned, &head, mode == ToolsMode::Pinned);
        let listed: Vec<_> = listed.iter().map(change_selector).collect();
        prop_assert_eq!(partial(&pinned, &head, &listed, mode).unwrap(), head);
    }

    #[test]
    fn taking_nothing_keeps_everything((pinned, head) in two(), mode in mode()) {
        let composed = partial(&pinned, &head, &[], mode).unwrap();
        if composed != head {
            prop_assert_eq!(by_source(&composed), by_source(&pinned));
            prop_assert_eq!(composed.facts, pinned.facts);
            prop_assert_eq!(composed.error, pinned.error);
        }
    }

    #[test]
    fn unselected_resources_stay_or_are_displaced(
        (mut pinned, head) in two(),
        mode in mode(),
        chosen in prop::collection::vec(any::<Index>(), 1..4),
    ) {
        // In one directory, resources of pin and head match by source only.
        pinned.facts.directory = head.facts.directory.clone();
        let all: Vec<_> = pinned.resources.iter().chain(&head.resources).collect();
        if all.is_empty() {
            return Ok(());
        }
        let selectors: Vec<_> = chosen.iter().map(|at| selector(all[at.index(all.len())])).collect();
        let composed = partial(&pinned, &head, &selectors, mode).unwrap();
        if composed == head {
            return Ok(());
        }
        prop_assert_eq!(&composed.facts, &pinned.facts);
        prop_assert_eq!(&composed.error, &pinned.error);
        for before in &pinned.resources {
            if !selectors.contains(&selector(before)) {
                let after = composed.find(before.kind, &before.source);
                prop_assert!(after.is_some_and(|after| is_kept(before, after)), "{before:?}");
            }
        }
        for after in &composed.resources {
            let from = if selectors.contains(&selector(after)) { &head } else { &pinned };
            prop_assert!(from.find(after.kind, &after.source).is_some(), "{after:?}");
        }
    }

    #[test]
    fn additions_leave_the_pinned_as_it_is((pinned, head) in two()) {
        let Some(composed) = additive(&pinned, &head) else {
            return Ok(());
        };
        prop_assert_eq!(&composed.facts, &pinned.facts);
        prop_assert_eq!(&composed.error, &pinned.error);
        for before in &pinned.resources {
            prop_assert_eq!(composed.find(before.kind, &before.source), Some(before));
        }
        for after in &composed.resources {
            if pinned.find(after.kind, &after.source).is_none() {
                prop_assert_eq!(head.find(after.kind, &after.source), Some(after));
                prop_assert_eq!(after.status, Status::Ok);
            }
        }
        prop_assert!(composed.resources.len() > pinned.resources.len());
        // A second time adds nothing.
        prop_assert_eq!(additive(&composed, &head), None);
    }

    #[test]
    fn settling_changes_tools_alone((pinned, head) in two()) {
        let settled = settle(&pinned, &head).unwrap().addresses();
        prop_assert_eq!(settled.context_hash, pinned.addresses().context_hash);
        prop_assert_eq!(settled.tools_hash, head.addresses().tools_hash);
    }
}
