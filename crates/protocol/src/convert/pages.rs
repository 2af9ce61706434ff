//! Pages of lists.

use std::str::FromStr;

use ctxpin_model::page::{ListPart, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Page, PageRequest};

use super::members::InvalidMember;
use crate::http::page;

/// Reads the request for a page of a list.
///
/// # Errors
///
/// Fails if the cursor is not one of this list, or the limit is not from 1 to [`PAGE_ITEMS_MAX`].
pub fn page_request<C: FromStr>(
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<PageRequest<C>, InvalidMember> {
    let after = match cursor {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            InvalidMember::new("cursor", "it must be the `next` of a page of this list")
        })?),
    };
    let limit = limit.map_or(PAGE_ITEMS_DEFAULT, i64::from);
    if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
        let reason = format!("it must be from 1 to {PAGE_ITEMS_MAX}");
        return Err(InvalidMember::new("limit", reason));
    }
    Ok(PageRequest {
        part: ListPart::after(after),
        limit,
    })
}

/// Returns the wire shape of a page, with the wire shape of each item.
pub fn page<T, C: ToString, U>(page: Page<T, C>, item: impl FnMut(T) -> U) -> page::Page<U> {
    page::Page {
        items: page.items.into_iter().map(item).collect(),
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
            let found = found.map(|request| match request.part {
                ListPart::After(after) => (Some(after), request.limit),
                ListPart::First | ListPart::Before(_) => (None, request.limit),
            });
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
