//! The canonical encoding: one meaning, one sequence of bytes.

use ctxpin_model::canonical as encoding;
use ctxpin_model::mcp::Detail;
use ctxpin_model::snapshot::Snapshot;

use crate::{pieces, snapshots};

/// Checks that two snapshots, written as lines (see the corpus), have the same encoding exactly if
/// they are equal.
pub fn check(bytes: &[u8]) {
    let texts: [String; 2] = pieces::texts(bytes);
    let [a, b] = texts.map(|text| snapshots::read(&text));
    let same = encoding::snapshot(&a) == encoding::snapshot(&b);
    assert_eq!(same, told_apart(&a) == told_apart(&b), "{a:?}\n{b:?}");
    let (of_a, of_b) = (a.addresses(), b.addresses());
    assert_eq!(same, of_a.id == of_b.id);
    if same {
        assert_eq!(of_a, of_b);
    }
    for snapshot in [a, b] {
        the_order_of_files_is_no_matter(&snapshot);
        the_order_of_resources_is(&snapshot);
        for detail in snapshot.resources.iter().flat_map(|r| &r.detail) {
            let written = detail.canonical_json();
            assert!(Detail::from_canonical_json(&written).is_some());
            a_detail_reads_back(&written);
        }
    }
    a_detail_reads_back(bytes);
}

/// Returns the parts of a snapshot that its encoding distinguishes: files without their order, and
/// details in their canonical form.
fn told_apart(snapshot: &Snapshot) -> (Snapshot, Vec<Option<Vec<u8>>>) {
    let mut snapshot = snapshot.clone();
    let mut details = Vec::new();
    for resource in &mut snapshot.resources {
        resource.files.sort_by(|a, b| a.path.cmp(&b.path));
        let detail = resource.detail.take();
        details.push(detail.map(|detail| detail.canonical_json()));
    }
    (snapshot, details)
}

fn the_order_of_files_is_no_matter(snapshot: &Snapshot) {
    let mut turned = snapshot.clone();
    for resource in &mut turned.resources {
        resource.files.reverse();
    }
    assert_eq!(snapshot.addresses(), turned.addresses());
}

fn the_order_of_resources_is(snapshot: &Snapshot) {
    let mut turned = snapshot.clone();
    turned.resources.reverse();
    let stays = snapshot.resources.len() < 2;
    let same = snapshot.addresses().id == turned.addresses().id;
    assert_eq!(same, stays, "{snapshot:?}");
}

/// Checks that the canonical form of a detail stays the same if it is read and written again. Any
/// other bytes are a detail or an error.
fn a_detail_reads_back(bytes: &[u8]) {
    let Some(detail) = Detail::from_canonical_json(bytes) else {
        return;
    };
    let written = detail.canonical_json();
    let again = Detail::from_canonical_json(&written).expect("what was written is read");
    assert_eq!(again.canonical_json(), written);
}
