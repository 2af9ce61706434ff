//! The query of a page that shows one part of a list.

use serde::Deserialize;

/// The query of a list without filters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CursorQuery {
    /// The `next` of the previous part. Absent for the first one.
    pub cursor: Option<String>,
}
