//! The differences between two snapshots, and between two texts.

use std::time::{Duration, Instant};

use ctxpin_model::diff::changes;
use ctxpin_model::diff::lines::{Bounds, CONTEXT_LINES, hunks};
use ctxpin_model::diff::unified::unified;
use ctxpin_model::snapshot::Snapshot;

use crate::{patch, pieces, snapshots};

/// Past it a diff is coarser.
const COMPARING_TIME: Duration = Duration::from_millis(500);

/// Checks the diff of two texts with two labels. Also reads the texts as snapshots.
pub fn check(bytes: &[u8]) {
    let [old, new, old_label, new_label] = pieces::texts(bytes);
    check_texts(&old, &new, [&old_label, &new_label]);
    check_snapshots(&snapshots::read(&old), &snapshots::read(&new));
}

/// Checks that the diff is empty exactly if the texts are equal, and otherwise turns the old text
/// into the new one.
fn check_texts(old: &str, new: &str, labels: [&str; 2]) {
    let bounds = Bounds {
        bytes_max: u64::MAX,
        deadline: Instant::now() + COMPARING_TIME,
        with_words: true,
        context_lines: CONTEXT_LINES,
    };
    let Some(hunks) = hunks(old, new, bounds) else {
        panic!("no text has so many bytes");
    };
    let diff = unified(&hunks, labels[0], labels[1]);
    assert_eq!(diff.is_empty(), old == new, "{old:?} {new:?}");
    assert_eq!(patch::applied(old, &diff), new, "{old:?} {diff}");
}

/// Checks that there are changes exactly if the hashes differ, in both directions.
fn check_snapshots(pinned: &Snapshot, head: &Snapshot) {
    let (a, b) = (pinned.addresses(), head.addresses());
    let same_context = a.context_hash == b.context_hash;
    let same_tools = a.tools_hash == b.tools_hash;
    for (from, to) in [(pinned, head), (head, pinned)] {
        let context = changes(from, to, false);
        assert_eq!(context.is_empty(), same_context, "{context:?}");
        let all = changes(from, to, true);
        assert_eq!(all.is_empty(), same_context && same_tools, "{all:?}");
        // Each change is in the list once.
        let most = 1 + from.resources.len() + to.resources.len();
        assert!(context.len() <= all.len() && all.len() <= most, "{all:?}");
    }
}
