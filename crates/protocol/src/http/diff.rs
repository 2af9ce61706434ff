//! The differences between two snapshots, as text or as hunks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::resources::Change;

/// The two pins of a chat's history to compare, and the form of the response. Without `from` and
/// `to`, the pin is compared with the head.
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
    /// The `id` of the only change to return. Use it for a change that has `more`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Whether the response has `sentences` and `files` instead of `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunks: Option<bool>,
}

/// The differences between two snapshots, as text or as hunks. A response has at most about 1 MiB.
/// A change that does not fit comes with `more: true` and without its text. To read it, request it
/// alone with the query parameter `resource`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    /// The snapshot of the pin or of `from`; null if there is none.
    #[schema(required = true)]
    pub pinned: Option<String>,
    /// The snapshot of the head or of `to`; null if there is none. To accept exactly these changes,
    /// send it as `head` of a move.
    #[schema(required = true)]
    pub head: Option<String>,
    pub changes: Vec<ChangeText>,
}

/// A change with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeText {
    #[serde(flatten)]
    pub change: Change,
    /// The value of `resource` that requests this change alone; absent for the facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The size of the pinned resource, including a skill's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_bytes: Option<u64>,
    /// The size of the head's resource, including a skill's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_bytes: Option<u64>,
    /// Whether the change does not fit into this response. Then `pinned`, `head`, `text`,
    /// `sentences` and `files` are absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub more: bool,
    /// The differences for people to read: sentences, then unified diffs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// With `hunks`: a sentence for each difference that is not in a text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub sentences: Vec<String>,
    /// With `hunks`: the texts that differ, a skill's files after its `SKILL.md`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub files: Vec<FileDifference>,
}

/// The difference of one text. Without `line_ends`, `binary`, `too_large` and `hunks`, only its
/// path differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileDifference {
    /// The path in the pinned snapshot; null if the file is new.
    #[schema(required = true)]
    pub pinned: Option<String>,
    /// The path in the head; null if the file was removed.
    #[schema(required = true)]
    pub head: Option<String>,
    /// A sentence, if only the line ends differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_ends: Option<String>,
    /// Whether at least one side is not text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub binary: bool,
    /// The two sides, if they are too large to compare here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_large: Option<TooLarge>,
    /// The lines that differ, with the lines around them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub hunks: Vec<Hunk>,
}

/// The two sides of a text that is too large to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TooLarge {
    /// Null if the file is new.
    #[schema(required = true)]
    pub pinned: Option<Stored>,
    /// Null if the file was removed.
    #[schema(required = true)]
    pub head: Option<Stored>,
}

/// The hash and the size of bytes in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stored {
    pub content_hash: String,
    pub size_bytes: u64,
}

/// Lines that differ, with the lines around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hunk {
    /// The number of the first line in the pinned text, counted from 1. If the hunk has no pinned
    /// lines, the number of the line before the hunk.
    pub pinned_start: u64,
    /// The number of lines of the pinned text in the hunk.
    pub pinned_lines: u64,
    /// The same as `pinned_start`, for the head's text.
    pub head_start: u64,
    /// The number of lines of the head's text in the hunk.
    pub head_lines: u64,
    /// Removed lines come before added ones.
    pub lines: Vec<Line>,
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// `context`, `removed` or `added`.
    pub kind: String,
    /// The text without its line feed.
    pub text: String,
    /// The ranges of words in which the line differs from its counterpart, which replaces it or is
    /// replaced by it. A range is a start and an end in Unicode code points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub words: Vec<(u64, u64)>,
    /// Whether the line has no line feed at its end. Only the last line of a text can lack one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub unended: bool,
}
