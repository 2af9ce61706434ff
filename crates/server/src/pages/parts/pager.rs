//! The links between the parts of a list.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::page::PAGE_ITEMS_DEFAULT;

use super::number::Number;

/// The links to the parts of a list before and after the one that a page shows, or nothing.
#[derive(Template, Default)]
#[template(path = "parts/pager.html")]
pub(crate) struct Pager {
    /// As `51–100 of 180`.
    words: Option<String>,
    /// The paths of the parts.
    first: Option<String>,
    previous: Option<String>,
    pub next: Option<String>,
}

impl HtmlSafe for Pager {}

impl Pager {
    /// Returns the pager of a list that only goes on. `is_later` says that the page does not show its first part.
    pub fn forward(path: &str, is_later: bool, next: Option<String>) -> Self {
        Self {
            first: is_later.then(|| path.to_owned()),
            next,
            ..Self::default()
        }
    }

    /// Returns the pager of a list that goes both ways.
    pub fn both(previous: Option<String>, next: Option<String>) -> Self {
        Self {
            previous,
            next,
            ..Self::default()
        }
    }

    /// Returns the pager of a list that is numbered down to 1, of which the page shows the items from `newest` to
    /// `oldest`.
    pub fn numbered(path: &str, newest: i64, oldest: i64, count: i64) -> Self {
        let size = |count: i64| u64::try_from(count).unwrap_or(0);
        // The previous part begins with the item below its cursor.
        let cursor = newest + PAGE_ITEMS_DEFAULT + 1;
        Self {
            previous: (newest < count).then(|| match cursor > count {
                true => path.to_owned(),
                false => format!("{path}?cursor={cursor}"),
            }),
            next: (oldest > 1).then(|| format!("{path}?cursor={oldest}")),
            ..Self::default()
        }
        .placed(size(count - newest), size(newest - oldest + 1), size(count))
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

    fn has_any(&self) -> bool {
        [&self.words, &self.first, &self.previous, &self.next]
            .iter()
            .any(|part| part.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_list_goes_both_ways() {
        let check =
            |shown: (i64, i64), count, words: &str, previous: Option<&str>, next: Option<&str>| {
                let pager = Pager::numbered("/t", shown.0, shown.1, count);
                assert_eq!(pager.words.as_deref(), Some(words));
                assert_eq!(pager.previous.as_deref(), previous, "{words}");
                assert_eq!(pager.next.as_deref(), next, "{words}");
            };
        check((7, 1), 7, "1–7 of 7", None, None);
        check((1, 1), 1, "1 of 1", None, None);
        check((180, 131), 180, "1–50 of 180", None, Some("/t?cursor=131"));
        check(
            (130, 81),
            180,
            "51–100 of 180",
            Some("/t"),
            Some("/t?cursor=81"),
        );
        check(
            (80, 31),
            180,
            "101–150 of 180",
            Some("/t?cursor=131"),
            Some("/t?cursor=31"),
        );
        check((30, 1), 180, "151–180 of 180", Some("/t?cursor=81"), None);
        check(
            (1_200, 1_151),
            2_000,
            "801–850 of 2,000",
            Some("/t?cursor=1251"),
            Some("/t?cursor=1151"),
        );
    }
}
