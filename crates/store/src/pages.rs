//! Pages of lists that are newest first.

use ctxpin_model::page::{IdCursor, ListPart, Page, PageRequest};

use crate::query::Query;
use crate::values::Value;

impl Query<'_> {
    /// Adds the condition and the order of a page, and reads one row more than it has. `column` is unique and grows
    /// with each new row. [`Page::of`] makes the page.
    pub(crate) fn page<C: Value>(self, column: &'static str, page: &PageRequest<C>) -> Self {
        let (query, order) = match &page.part {
            ListPart::First => (self, " desc limit "),
            ListPart::After(place) => (
                self.push_all([" and ", column, " < "]).value(place),
                " desc limit ",
            ),
            ListPart::Before(place) => (
                self.push_all([" and ", column, " > "]).value(place),
                " limit ",
            ),
        };
        query
            .push_all([" order by ", column, order])
            .value(&(page.limit + 1))
    }
}

/// A page that is filled from rows of which the caller chooses some.
pub(crate) struct Sieve<T> {
    request: PageRequest<IdCursor>,
    items: Vec<T>,
    /// The first row that was read.
    near: Option<IdCursor>,
    /// The last row that was read.
    far: Option<IdCursor>,
}

impl<T> Sieve<T> {
    pub(crate) fn new(request: &PageRequest<IdCursor>) -> Self {
        Self {
            request: *request,
            items: Vec::new(),
            near: None,
            far: None,
        }
    }

    /// Returns the part of the rows that is not read yet.
    pub(crate) fn rest(&self) -> ListPart<IdCursor> {
        match (self.request.part, self.far) {
            (part, None) => part,
            (ListPart::First | ListPart::After(_), Some(far)) => ListPart::After(far),
            (ListPart::Before(_), Some(far)) => ListPart::Before(far),
        }
    }

    /// Takes the next row, which has an item if it is chosen. Returns whether the page was full, and the row left out.
    pub(crate) fn take(&mut self, row: IdCursor, item: Option<T>) -> bool {
        if item.is_some() && self.items.len() as i64 >= self.request.limit {
            return true;
        }
        self.items.extend(item);
        self.near = self.near.or(Some(row));
        self.far = Some(row);
        false
    }

    /// Returns the page. `has_more` says that rows were left out.
    pub(crate) fn page(self, has_more: bool) -> Page<T, IdCursor> {
        let far = self.far.filter(|_| has_more);
        Page::of_part(&self.request.part, self.items, self.near, far)
    }
}
