//! Differences between snapshots.

use ctxpin_model::diff;
use ctxpin_model::diff::effect::Sides;
use ctxpin_model::diff::lines;
use ctxpin_model::diff::texts::{self, Difference, Lines};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::resource::Resource;

use super::resources;
use crate::http::diff::{ChangeText, Diff, FileDifference, Hunk, Line, Stored, TooLarge};
use crate::http::resources::Change;

/// The form of the differences in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text for people to read.
    Text,
    /// Sentences and hunks.
    Hunks,
}

/// Returns the wire shape of the changes between two snapshots. The difference of a change is
/// `None` if it does not fit into the response.
pub fn diff(
    pinned: Option<SnapshotId>,
    head: Option<SnapshotId>,
    changes: &[(diff::Change<'_>, Option<&Difference>)],
    sides: Sides<'_>,
    form: Form,
) -> Diff {
    let changes = changes.iter();
    Diff {
        pinned: pinned.map(|id| id.to_string()),
        head: head.map(|id| id.to_string()),
        changes: changes
            .map(|(differs, difference)| change(differs, sides, *difference, form))
            .collect(),
    }
}

/// Returns the wire shape of a change with its difference, which is `None` if it does not fit into
/// the response.
pub fn change(
    change: &diff::Change<'_>,
    sides: Sides<'_>,
    difference: Option<&Difference>,
    form: Form,
) -> ChangeText {
    let mut wire = resources::change(change, sides);
    if difference.is_none() {
        wire = Change {
            pinned: None,
            head: None,
            ..wire
        };
    }
    let texts = |form_asked| difference.filter(|_| form == form_asked);
    let hunks = texts(Form::Hunks);
    ChangeText {
        change: wire,
        id: change.head.or(change.pinned).map(|of| of.id().to_string()),
        pinned_bytes: change.pinned.map(Resource::total_bytes),
        head_bytes: change.head.map(Resource::total_bytes),
        more: difference.is_none(),
        text: texts(Form::Text)
            .map(Difference::text)
            .filter(|text| !text.is_empty()),
        sentences: hunks
            .map(|hunks| hunks.sentences.clone())
            .unwrap_or_default(),
        files: hunks
            .map(|hunks| hunks.files.iter().map(file).collect())
            .unwrap_or_default(),
    }
}

fn file(file: &texts::FileDifference) -> FileDifference {
    let (hunks, too_large) = match &file.lines {
        Lines::Hunks(hunks) => (hunks.iter().map(hunk).collect(), None),
        Lines::Binary => (Vec::new(), None),
        Lines::TooLarge { pinned, head } => {
            let (pinned, head) = (pinned.map(stored), head.map(stored));
            (Vec::new(), Some(TooLarge { pinned, head }))
        }
    };
    FileDifference {
        pinned: file.pinned.clone(),
        head: file.head.clone(),
        line_ends: file.line_ends.clone(),
        binary: file.lines == Lines::Binary,
        too_large,
        hunks,
    }
}

fn stored(stored: texts::Stored) -> Stored {
    Stored {
        content_hash: stored.hash.to_string(),
        size_bytes: stored.size,
    }
}

fn hunk(hunk: &lines::Hunk) -> Hunk {
    Hunk {
        pinned_start: hunk.pinned_start as u64,
        pinned_lines: hunk.pinned_lines as u64,
        head_start: hunk.head_start as u64,
        head_lines: hunk.head_lines as u64,
        lines: hunk.lines.iter().map(line).collect(),
    }
}

fn line(line: &lines::Line) -> Line {
    let mut at = (0, 0);
    // Each count continues where the last one ended, so that the line is read once.
    let mut code_points = |to: usize| {
        let (bytes, code_points) = at;
        let between = line.text.get(bytes..to).unwrap_or_default();
        at = (to, code_points + between.chars().count() as u64);
        at.1
    };
    let words = line.words.iter();
    Line {
        kind: line.kind.to_string(),
        text: line.text.clone(),
        words: words
            .map(|(start, end)| (code_points(*start), code_points(*end)))
            .collect(),
        unended: !line.is_ended,
    }
}
