//! The links between the parts of a list.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::page::Page;

use super::number::Number;
use crate::pages::cursor::{AFTER, BEFORE};

/// The links to the parts of a list before and after the one that a page shows, or nothing.
#[derive(Template, Default)]
#[template(path = "parts/pager.html")]
pub(crate) struct Pager {
    /// As `51–100 of 180`.
    words: Option<String>,
    /// The paths of the parts.
    previous: Option<String>,
    pub next: Option<String>,
}

impl HtmlSafe for Pager {}

impl Pager {
    /// Returns the pager of a page of a list. `path` returns the path of the part that begins after a place or ends
    /// before one; its first argument is the place's name in the query.
    pub fn of<T, C>(page: &Page<T, C>, path: impl Fn(&'static str, &C) -> String) -> Self {
        Self::between(
            page.previous.as_ref().map(|place| path(BEFORE, place)),
            page.next.as_ref().map(|place| path(AFTER, place)),
        )
    }

    /// Returns the pager between two paths.
    pub fn between(previous: Option<String>, next: Option<String>) -> Self {
        Self {
            words: None,
            previous,
            next,
        }
    }

    /// Says which items the page shows: `shown` of `all`, after `before` others.
    pub fn placed(self, before: u64, shown: u64, all: u64) -> Self {
        let (first, last) = (Number(before + 1), Number(before + shown));
        let all = Number(all.max(before + shown));
        Self {
            words: Some(match shown {
                1 => format!("{first} of {all}"),
                _ => format!("{first}–{last} of {all}"),
            }),
            ..self
        }
    }

    /// Returns whether there is another part, or words about this one.
    pub fn has_any(&self) -> bool {
        [&self.words, &self.previous, &self.next]
            .iter()
            .any(|part| part.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_both_ways() {
        let check = |previous: Option<i64>, next: Option<i64>, expected: [Option<&str>; 2]| {
            let page: Page<(), i64> = Page {
                items: Vec::new(),
                previous,
                next,
            };
            let pager = Pager::of(&page, |name, place| format!("/t?{name}={place}"));
            assert_eq!([pager.previous.as_deref(), pager.next.as_deref()], expected);
        };
        check(None, None, [None, None]);
        check(None, Some(131), [None, Some("/t?cursor=131")]);
        check(
            Some(130),
            Some(81),
            [Some("/t?before=130"), Some("/t?cursor=81")],
        );
    }

    #[test]
    fn a_pager_says_what_the_page_shows() {
        let check = |before, shown, all, expected: &str| {
            let pager = Pager::default().placed(before, shown, all);
            assert_eq!(pager.words.as_deref(), Some(expected));
        };
        check(0, 7, 7, "1–7 of 7");
        check(0, 1, 1, "1 of 1");
        check(50, 50, 2_000, "51–100 of 2,000");
        // More came since they were counted.
        check(50, 50, 90, "51–100 of 100");
    }
}
