//! The query of a page that shows one part of a list.

use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;

use crate::api_error::{ApiError, ApiResult};

/// The query of a list without filters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CursorQuery {
    /// The `next` of the previous part. Absent for the first one.
    pub cursor: Option<String>,
}

/// Checks that a part of a list shows something, unless it is the first one. A page without rows would say that the
/// whole list is empty.
///
/// # Errors
///
/// Returns `not-found` if there is a cursor and no item.
pub(crate) fn require_items<T>(cursor: Option<&str>, items: &[T]) -> ApiResult<()> {
    match (cursor, items) {
        (Some(_), []) => Err(ApiError::new(
            ProblemName::NotFound,
            "The list ends before this page. Begin at its first page.",
        )),
        _ => Ok(()),
    }
}
