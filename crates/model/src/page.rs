//! Pages of a list, newest first.

use uuid::Uuid;

/// Most items on a page, and as many as come unasked.
pub const PAGE_ITEMS_MAX: i64 = 500;
/// Items on a page if the caller does not say.
pub const PAGE_ITEMS_DEFAULT: i64 = 50;

/// Which page of a list of things with ids.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<C> {
    /// Everything older than this; from the newest on if absent.
    pub after: Option<C>,
    /// Most items, from 1 to [`PAGE_ITEMS_MAX`].
    pub limit: i64,
}

impl<C> PageRequest<C> {
    /// The newest `limit` items.
    pub fn newest(limit: i64) -> Self {
        Self { after: None, limit }
    }
}

/// A cursor of a list of things with ids.
pub type IdCursor = Uuid;

/// One page.
#[derive(Debug, Clone)]
pub struct Page<T, C> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Makes a page of what was found when one item more than `limit` was asked for.
    pub fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// The same page of other items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U, C> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            next: self.next,
        }
    }
}
