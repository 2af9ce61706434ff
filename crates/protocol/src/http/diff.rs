//! What differs between two snapshots, with its text.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::resources::Change;

/// Which two pins of a chat's history to compare, and how to tell it. Without both: the pin against the
/// head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The `seq` of the older pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// The `seq` of the newer pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// The `id` of the only resource to compare: of one change that says `more`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Whether to tell the lines as `sentences` and `files` instead of as `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunks: Option<bool>,
}

/// What differs between two snapshots, with its text. An answer has about 1 MiB; what is past that says
/// `more` and is asked for by `resource`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    /// The snapshot of the pin, or of `from`; null where there is none.
    #[schema(required = true)]
    pub pinned: Option<String>,
    /// The snapshot of the head, or of `to`; null where there is none. To accept exactly what was
    /// shown, it is sent back as `head` of a move.
    #[schema(required = true)]
    pub head: Option<String>,
    /// What differs.
    pub changes: Vec<ChangeText>,
}

/// One thing that differs, with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeText {
    /// What differs.
    #[serde(flatten)]
    pub change: Change,
    /// By what `resource` asks for it alone; absent for the facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many bytes the pinned resource has, with a skill's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_bytes: Option<u64>,
    /// How many bytes the head's resource has, with a skill's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_bytes: Option<u64>,
    /// Whether there is more to tell than this answer holds. `pinned`, `head` and all below are then left
    /// out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub more: bool,
    /// What differs: sentences, then unified diffs. It is for eyes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A sentence for everything that differs and is no text (`hunks`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub sentences: Vec<String>,
    /// The texts that differ, a skill's files after its `SKILL.md` (`hunks`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub files: Vec<FileDifference>,
}

/// What differs in one text. Without `hunks`, `binary` and `too_large` it differs in nothing but its path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileDifference {
    /// Its path in the pinned snapshot; null if it is new.
    #[schema(required = true)]
    pub pinned: Option<String>,
    /// Its path in the head; null if it is gone.
    #[schema(required = true)]
    pub head: Option<String>,
    /// A sentence, if nothing differs but how lines end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_ends: Option<String>,
    /// Whether a side is no text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub binary: bool,
    /// What both sides store, if they are too large to compare here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_large: Option<TooLarge>,
    /// The lines that differ, with those around them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub hunks: Vec<Hunk>,
}

/// What is stored of a text that is too large to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TooLarge {
    /// What the pinned snapshot has; null if nothing.
    #[schema(required = true)]
    pub pinned: Option<Stored>,
    /// What the head has; null if nothing.
    #[schema(required = true)]
    pub head: Option<Stored>,
}

/// Bytes that a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stored {
    /// Their hash.
    pub content_hash: String,
    /// How many they are.
    pub size_bytes: u64,
}

/// Lines that differ, with those around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hunk {
    /// The number of the first line in the pinned text, from 1; of the line before if there is none.
    pub pinned_start: u64,
    /// How many lines of the pinned text there are.
    pub pinned_lines: u64,
    /// The same of the head's text.
    pub head_start: u64,
    /// The same of the head's text.
    pub head_lines: u64,
    /// The lines, removed ones before added ones.
    pub lines: Vec<Line>,
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// `context`, `removed` or `added`.
    pub kind: String,
    /// Its text, without the line feed.
    pub text: String,
    /// Where words differ from the line that it replaces, or that replaces it: beginnings and ends, counted
    /// in Unicode code points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub words: Vec<(u64, u64)>,
    /// Whether no line feed ends it, as only a text's last line may have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub unended: bool,
}
