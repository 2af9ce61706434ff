//! Values of a resource that are not one column, or not a plain one.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Applies, Content};

use crate::error::{Error, Result};
use crate::values::{Columns, Row};

/// A hash is in one of two columns: that of pinned or that of claimed ones.
impl Columns for Option<Content> {
    fn take(row: &mut Row) -> Result<Self> {
        let body: Option<BlobHash> = row.take()?;
        let claimed: Option<BlobHash> = row.take()?;
        Ok(body.map(Content::Pinned).or(claimed.map(Content::Claimed)))
    }
}

/// A resource for the whole work has none.
impl Columns for Option<Applies> {
    fn take(row: &mut Row) -> Result<Self> {
        let json: Option<String> = row.take()?;
        let Some(json) = json else {
            return Ok(None);
        };
        let applies = Applies::from_canonical_json(&json);
        let unread = || Error::Unexpected("the files that a resource is for".to_owned());
        applies.map(Some).ok_or_else(unread)
    }
}

/// Returns the values of the two columns of a hash.
pub(crate) fn split(content: Option<Content>) -> (Option<BlobHash>, Option<BlobHash>) {
    match content {
        Some(Content::Pinned(hash)) => (Some(hash), None),
        Some(Content::Claimed(hash)) => (None, Some(hash)),
        None => (None, None),
    }
}
