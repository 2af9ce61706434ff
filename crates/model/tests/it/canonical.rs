//! The canonical encodings: snapshots have equal bytes exactly if they have equal meanings.

use ctxpin_model::canonical;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::Detail;
use ctxpin_model::resource::Resource;
use ctxpin_model::snapshot::Snapshot;
use proptest::prelude::*;

use crate::sample::{any_snapshot, any_two, detail};

/// Returns what the encoding distinguishes: a snapshot with sorted files and without details, and the
/// canonical form of each detail.
fn distinguished(snapshot: &Snapshot) -> (Snapshot, Vec<Option<Vec<u8>>>) {
    let mut snapshot = snapshot.clone();
    let mut details = Vec::new();
    for resource in &mut snapshot.resources {
        resource.files.sort_by(|a, b| a.path.cmp(&b.path));
        details.push(resource.detail.take().map(|d| d.canonical_json()));
    }
    (snapshot, details)
}

proptest! {
    #[test]
    fn different_snapshots_have_different_bytes((a, b) in any_two()) {
        let same_bytes = canonical::snapshot(&a) == canonical::snapshot(&b);
        prop_assert_eq!(same_bytes, distinguished(&a) == distinguished(&b));
        let same_id = a.addresses().id == b.addresses().id;
        prop_assert_eq!(same_bytes, same_id);
    }

    #[test]
    fn the_order_of_skill_files_does_not_matter(snapshot in any_snapshot()) {
        let mut turned = snapshot.clone();
        for resource in &mut turned.resources {
            resource.files.reverse();
        }
        prop_assert_eq!(snapshot.addresses(), turned.addresses());
    }

    #[test]
    fn equal_snapshots_have_equal_narrower_hashes((a, b) in any_two()) {
        let (a, b) = (a.addresses(), b.addresses());
        if a.id == b.id {
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn a_context_hash_ignores_what_is_not_ok(snapshot in any_snapshot()) {
        let mut usable = snapshot.clone();
        usable.resources.retain(Resource::reaches_context);
        prop_assert_eq!(canonical::context(&usable), canonical::context(&snapshot));
    }

    #[test]
    fn the_bytes_of_a_detail_read_back(detail in detail()) {
        let json = detail.canonical_json();
        let read = Detail::from_canonical_json(&json);
        // Canonical JSON writes 1.0 as 1, and rounds large numbers.
        let again = read.as_ref().map(Detail::canonical_json);
        prop_assert_eq!(again.as_ref(), Some(&json));
        if let Detail::Shape(_) = detail {
            prop_assert_eq!(read, Some(detail));
        }
    }

    #[test]
    fn no_bytes_break_a_detail(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(detail) = Detail::from_canonical_json(&bytes) {
            let _ = BlobHash::of(&detail.canonical_json());
        }
    }
}
