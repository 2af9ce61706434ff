//! Admission removes resources only, and applying it twice changes nothing.

use ctxpin_model::admission::admit;
use ctxpin_model::resource::{Resource, Status};
use proptest::prelude::*;

use crate::sample::any_snapshot;

/// Generates sizes around the limits of a snapshot, and sizes whose sum overflows.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => 0..3_000_000_u64,
        2 => 20_000_000..70_000_000_u64,
        1 => (u64::MAX - 1)..=u64::MAX,
    ]
}

fn resources() -> impl Strategy<Value = Vec<Resource>> {
    let sizes = prop::collection::vec((size(), size()), 14);
    (any_snapshot(), sizes).prop_map(|(snapshot, sizes)| {
        let mut resources = snapshot.resources;
        for (resource, (size, of_files)) in resources.iter_mut().zip(sizes) {
            resource.size = size;
            for file in &mut resource.files {
                file.size = of_files;
            }
        }
        resources
    })
}

proptest! {
    #[test]
    fn admitting_twice_is_admitting_once(mut resources in resources()) {
        admit(&mut resources);
        let once = resources.clone();
        prop_assert_eq!(admit(&mut resources), None);
        prop_assert_eq!(resources, once);
    }

    #[test]
    fn nothing_is_promoted(resources in resources()) {
        let mut admitted = resources.clone();
        admit(&mut admitted);
        prop_assert_eq!(admitted.len(), resources.len());
        for (after, before) in admitted.iter().zip(&resources) {
            if after != before {
                let mut demoted = before.clone();
                demoted.demote(Status::Excluded, after.error.clone().unwrap_or_default());
                prop_assert_eq!(after, &demoted);
            }
        }
    }

    #[test]
    fn names_of_usable_skills_are_unique(mut resources in resources()) {
        admit(&mut resources);
        let skills = resources.iter().filter(|r| r.reaches_context());
        let mut names: Vec<_> = skills
            .filter(|r| r.kind == ctxpin_model::resource::Kind::Skill)
            .filter_map(|r| r.name.as_deref())
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), count);
    }
}
