//! Pages of a list, newest first.

use uuid::Uuid;

/// The greatest number of items on a page.
pub const PAGE_ITEMS_MAX: i64 = 500;
/// The number of items on a page if the caller does not give one.
pub const PAGE_ITEMS_DEFAULT: i64 = 50;

/// A request for a page of a list.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<C> {
    pub part: ListPart<C>,
    /// The greatest number of items, from 1 to [`PAGE_ITEMS_MAX`].
    pub limit: i64,
}

impl<C> PageRequest<C> {
    /// Requests the newest `limit` items.
    pub fn newest(limit: i64) -> Self {
        Self {
            part: ListPart::First,
            limit,
        }
    }

    /// Returns one item more than the page has, of all items of a list, which are sorted from the newest. [`Page::of`]
    /// makes the page.
    pub fn of_sorted<T>(&self, items: Vec<T>, cursor: impl Fn(&T) -> C) -> Vec<T>
    where
        C: Ord,
    {
        let limit = usize::try_from(self.limit).unwrap_or(0).saturating_add(1);
        let items = items.into_iter();
        match &self.part {
            ListPart::First => items.take(limit).collect(),
            ListPart::After(place) => {
                let items = items.filter(|item| cursor(item) < *place);
                items.take(limit).collect()
            }
            ListPart::Before(place) => {
                let items = items.rev().filter(|item| cursor(item) > *place);
                items.take(limit).collect()
            }
        }
    }

    /// Requests as many items, from the [`Page::next`] of a page on.
    pub fn on(self, next: C) -> Self {
        Self {
            part: ListPart::After(next),
            ..self
        }
    }
}

/// A part of a list, which can be gone through both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListPart<C> {
    First,
    /// The part that follows this place.
    After(C),
    /// The part that ends before this place.
    Before(C),
}

impl<C> ListPart<C> {
    /// Returns the part after a place, or the first one without a place.
    pub fn after(place: Option<C>) -> Self {
        place.map_or(Self::First, Self::After)
    }
}

/// The cursor of a list of objects with ids.
pub type IdCursor = Uuid;

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T, C> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The place before which the previous page ends, unless this is the first one.
    pub previous: Option<C>,
    /// The place after which the next page begins, if there is one.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Makes a page of the items of a query that was limited to one more than the request. The item next to the place
    /// of the request comes first, so a part that ends before a place begins with its oldest item.
    pub fn of(mut items: Vec<T>, request: &PageRequest<C>, cursor: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let near = items.first().map(&cursor);
        let far = items.last().map(&cursor).filter(|_| more);
        Self::of_part(&request.part, items, near, far)
    }

    /// Makes a page of items in the order in which they were read, and of the first and the last
    /// place that was read: `near` and `far`. `far` is `None` if nothing follows there.
    pub fn of_part(part: &ListPart<C>, mut items: Vec<T>, near: Option<C>, far: Option<C>) -> Self {
        match part {
            ListPart::First => Self {
                items,
                previous: None,
                next: far,
            },
            ListPart::After(_) => Self {
                items,
                previous: near,
                next: far,
            },
            ListPart::Before(_) => {
                items.reverse();
                Self {
                    items,
                    previous: far,
                    next: near,
                }
            }
        }
    }

    /// Replaces the items.
    pub fn with<U>(self, items: Vec<U>) -> Page<U, C> {
        Page {
            items,
            previous: self.previous,
            next: self.next,
        }
    }

    /// Converts the items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U, C> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            previous: self.previous,
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_both_ways() {
        let check = |part, read: &[i64], expected: (&[i64], Option<i64>, Option<i64>)| {
            let request = PageRequest { part, limit: 2 };
            let page = Page::of(read.to_vec(), &request, |item| *item);
            assert_eq!((&page.items[..], page.previous, page.next), expected);
        };
        check(ListPart::First, &[5, 4, 3], (&[5, 4], None, Some(4)));
        check(ListPart::First, &[5, 4], (&[5, 4], None, None));
        check(ListPart::After(4), &[3, 2, 1], (&[3, 2], Some(3), Some(2)));
        check(ListPart::After(2), &[1], (&[1], Some(1), None));
        check(ListPart::Before(3), &[4, 5], (&[5, 4], None, Some(4)));
        check(ListPart::Before(2), &[3, 4, 5], (&[4, 3], Some(4), Some(3)));
        check(ListPart::Before(9), &[], (&[], None, None));
    }
}
