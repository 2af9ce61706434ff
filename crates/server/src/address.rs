//! What a request's address says: the parts of its path, and its query.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use ctxpin_model::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Page, PageRequest};
use ctxpin_protocol::convert::members::InvalidMember;
use ctxpin_protocol::http::page;
use ctxpin_protocol::problem::ProblemName;
use serde::de::DeserializeOwned;

use crate::read::without_values;
use crate::respond::{Answer, Refusal};

/// The named parts of a path, decoded.
pub(crate) struct Segments(Vec<(String, String)>);

impl Segments {
    /// The part of that name.
    pub fn text(&self, name: &str) -> &str {
        let part = self.0.iter().find(|(known, _)| known == name);
        part.map_or("", |(_, value)| value)
    }

    /// The id of that name.
    ///
    /// # Errors
    ///
    /// `not-found` for what is no id: there is nothing of that name.
    pub fn id<I: FromStr>(&self, name: &str) -> Answer<I> {
        self.text(name).parse().map_err(|_| {
            let detail = format!("There is no such {name}.");
            Refusal::new(ProblemName::NotFound, detail)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // It fails for parts that are no UTF-8, and nothing has such a name.
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::new(ProblemName::NotFound, "The path is not UTF-8."))?;
        let params = params.iter();
        Ok(Self(
            params
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        ))
    }
}

/// The members of a query.
pub(crate) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let query = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let reason = without_values(&rejection.body_text());
            Refusal::new(
                ProblemName::InvalidRequest,
                format!("The query cannot be taken: {reason}."),
            )
        })?;
        Ok(Self(query.0))
    }
}

/// The page of a list that a query asks for.
///
/// # Errors
///
/// If the cursor is none of the list's, or the limit is out of bounds.
pub(crate) fn page_request<C: FromStr>(
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Answer<PageRequest<C>> {
    let after = match cursor {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            InvalidMember::new("cursor", "it is not the `next` of a page of this list")
        })?),
    };
    let limit = limit.map_or(PAGE_ITEMS_DEFAULT, i64::from);
    if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
        let reason = format!("it is from 1 to {PAGE_ITEMS_MAX}");
        return Err(InvalidMember::new("limit", reason).into());
    }
    Ok(PageRequest { after, limit })
}

/// A page of a list, as it is told.
pub(crate) fn page<T, C: ToString, U>(page: Page<T, C>, tell: impl FnMut(T) -> U) -> page::Page<U> {
    page::Page {
        items: page.items.into_iter().map(tell).collect(),
        next: page.next.map(|next| next.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let check = |cursor, limit, expected: Option<(Option<i64>, i64)>| {
            let found = page_request::<i64>(cursor, limit).ok();
            let found = found.map(|request| (request.after, request.limit));
            assert_eq!(found, expected, "{cursor:?} {limit:?}");
        };
        check(None, None, Some((None, 50)));
        check(Some("7"), Some(500), Some((Some(7), 500)));
        check(None, Some(1), Some((None, 1)));
        check(None, Some(0), None);
        check(None, Some(501), None);
        check(Some("x"), None, None);
        check(Some(""), None, None);
    }
}
