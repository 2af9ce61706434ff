//! Pages of a list, newest first.

use uuid::Uuid;

/// The greatest number of items on a page.
pub const PAGE_ITEMS_MAX: i64 = 500;
/// The number of items on a page if the caller does not give one.
pub const PAGE_ITEMS_DEFAULT: i64 = 50;

/// A request for a page of a list.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<C> {
    /// The cursor of the last item of the previous page. `None` requests the first page.
    pub after: Option<C>,
    /// The greatest number of items, from 1 to [`PAGE_ITEMS_MAX`].
    pub limit: i64,
}

impl<C> PageRequest<C> {
    /// Requests the newest `limit` items.
    pub fn newest(limit: i64) -> Self {
        Self { after: None, limit }
    }
}

/// A part of a list for a person, who goes through it both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListPart<C> {
    First,
    /// The part that follows this place.
    After(C),
    /// The part that ends before this place. It is the first one if that would be longer.
    Before(C),
}

/// The cursor of a list of objects with ids.
pub type IdCursor = Uuid;

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T, C> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The [`PageRequest::after`] of the next page, if there is one.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Makes a page of the items of a query that was limited to `limit + 1` items.
    pub fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// Replaces the items.
    pub fn with<U>(self, items: Vec<U>) -> Page<U, C> {
        Page {
            items,
            next: self.next,
        }
    }

    /// Converts the items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U, C> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            next: self.next,
        }
    }
}
