//! Lists that are longer than one page.

use ctxpin_client::error::ClientError;
use ctxpin_protocol::http::page::{PAGE_ITEMS_MAX, Page, PageQuery};

use crate::say::Failure;

/// Maximum number of pages of one list: a million items, ten times more than anybody has.
pub const PAGES_MAX: usize = 2_000;

/// Reads a list to its end, page by page, and passes each item to `take`. Keeps no items, so that a server
/// cannot fill the memory.
///
/// # Errors
///
/// Fails if a page cannot be read, or the list has more than [`PAGES_MAX`] pages.
pub async fn each_item<T>(
    mut read: impl AsyncFnMut(&PageQuery) -> Result<Page<T>, ClientError>,
    mut take: impl FnMut(T),
) -> Result<(), Failure> {
    let mut query = PageQuery {
        cursor: None,
        limit: Some(PAGE_ITEMS_MAX),
    };
    for _ in 0..PAGES_MAX {
        let page = read(&query).await?;
        page.items.into_iter().for_each(&mut take);
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
    Err(Failure::new(format!(
        "the server's list does not end after {PAGES_MAX} pages"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a list of `pages` pages with one number each, and returns the numbers.
    async fn read(pages: usize) -> Result<Vec<usize>, Failure> {
        let mut taken = Vec::new();
        let page = async |query: &PageQuery| {
            let number = query
                .cursor
                .as_ref()
                .map_or(1, |cursor| cursor.parse().unwrap());
            let next = (number < pages).then(|| (number + 1).to_string());
            Ok(Page {
                items: vec![number],
                next,
            })
        };
        each_item(page, |item| taken.push(item)).await?;
        Ok(taken)
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_end() {
        assert_eq!(read(1).await, Ok(vec![1]));
        assert_eq!(read(3).await, Ok(vec![1, 2, 3]));
        assert_eq!(
            read(PAGES_MAX).await.map(|taken| taken.len()),
            Ok(PAGES_MAX)
        );
    }

    #[tokio::test]
    async fn finding_19_a_list_without_end_is_left() {
        let failure = read(PAGES_MAX + 1).await.unwrap_err();
        assert!(
            format!("{failure:?}").contains("does not end after"),
            "{failure:?}"
        );
    }
}
