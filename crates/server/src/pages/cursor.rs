//! The query of a page that shows one part of a list.

use std::str::FromStr;

use ctxpin_model::page::{ListPart, PAGE_ITEMS_DEFAULT, PageRequest};
use ctxpin_protocol::convert::members::InvalidMember;
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;

use crate::api_error::{ApiError, ApiResult};

/// The name of the place after which a part begins.
pub(crate) const AFTER: &str = "cursor";

/// The name of the place before which a part ends.
pub(crate) const BEFORE: &str = "before";

/// The query of a list without filters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CursorQuery {
    /// The place after which the part begins.
    pub cursor: Option<String>,
    /// The place before which the part ends.
    pub before: Option<String>,
}

impl CursorQuery {
    /// Returns the request for the part.
    ///
    /// # Errors
    ///
    /// Fails if a place is not one of the list, or if there are two.
    pub fn request<C: FromStr>(&self) -> Result<PageRequest<C>, InvalidMember> {
        request(self.cursor.as_deref(), self.before.as_deref())
    }
}

/// Returns the request for a part of a list of usual length.
///
/// # Errors
///
/// Fails if a place is not one of the list, or if there are two.
pub(crate) fn request<C: FromStr>(
    cursor: Option<&str>,
    before: Option<&str>,
) -> Result<PageRequest<C>, InvalidMember> {
    Ok(PageRequest {
        part: part(cursor, before)?,
        limit: PAGE_ITEMS_DEFAULT,
    })
}

/// Returns the part of a list that a page shows.
///
/// # Errors
///
/// Fails if a place is not one of the list, or if there are two.
pub(crate) fn part<C: FromStr>(
    cursor: Option<&str>,
    before: Option<&str>,
) -> Result<ListPart<C>, InvalidMember> {
    let place = |member, text: &str| {
        text.parse().map_err(|_| {
            InvalidMember::new(member, "it must be a place in this list, as its links have")
        })
    };
    match (cursor, before) {
        (None, None) => Ok(ListPart::First),
        (Some(after), None) => place(AFTER, after).map(ListPart::After),
        (None, Some(before)) => place(BEFORE, before).map(ListPart::Before),
        (Some(_), Some(_)) => {
            let reason = "a page begins after a place or ends before one, and not both";
            Err(InvalidMember::new(BEFORE, reason))
        }
    }
}

/// Checks that a part of a list shows something, unless it is the first one. A page without rows would say that the
/// whole list is empty.
///
/// # Errors
///
/// Returns `not-found` if there is no item in another part than the first.
pub(crate) fn require_items<C, T>(part: &ListPart<C>, items: &[T]) -> ApiResult<()> {
    match (part, items) {
        (ListPart::After(_) | ListPart::Before(_), []) => Err(ApiError::new(
            ProblemName::NotFound,
            "The list ends before this page. Begin at its first page.",
        )),
        _ => Ok(()),
    }
}
