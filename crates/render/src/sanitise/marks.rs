//! Invisible characters that cannot simply go, because without them something else would be code.

use std::ops::Range;

use ctxpin_model::markdown::{Part, PartKind, parts};

use super::blanks::without_last_blanks;
use super::edit::{Edit, Places, apply};
use super::{characters, tags};

/// Most bytes that are parsed to find out which characters of one text can go, where not all can. What
/// is not found out by then is marked.
const PARSED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Edits that are applied one after the other: what no reader sees goes, or U+FFFD stands for what cannot
/// go; ctxpin's tags are escaped. `None` if the text would mean something else all the same.
pub(super) fn edits(text: &str, before: &[Part]) -> Option<[Vec<Edit>; 2]> {
    let unseen = characters::unseen(text);
    let mut search = Search {
        text,
        before,
        bytes_left: PARSED_BYTES_MAX,
        gone: Vec::new(),
    };
    let characters: Vec<usize> = unseen.iter().map(|edit| edit.range.start).collect();
    search.held(&characters).or_else(|| {
        search.held(&[])?;
        search.remove_of(&characters);
        search.held(&search.gone)
    })
}

/// Looks for as many characters as can go.
struct Search<'t> {
    text: &'t str,
    /// What of the text is no prose.
    before: &'t [Part],
    /// How much it may parse yet.
    bytes_left: usize,
    /// Where those begin that go, in order.
    gone: Vec<usize>,
}

impl Search<'_> {
    /// Lets as many of these go as can, by halves.
    fn remove_of(&mut self, characters: &[usize]) {
        let bytes_left = self.bytes_left.checked_sub(self.text.len());
        let (Some(bytes_left), false) = (bytes_left, characters.is_empty()) else {
            return;
        };
        self.bytes_left = bytes_left;
        let before = self.gone.len();
        // They come in their order.
        self.gone.extend(characters);
        if self.held(&self.gone).is_some() {
            return;
        }
        self.gone.truncate(before);
        if characters.len() > 1 {
            let (first, second) = characters.split_at(characters.len() / 2);
            self.remove_of(first);
            self.remove_of(second);
        }
    }

    /// The edits with which these go and the others are marked, if they leave as code what was code.
    fn held(&self, gone: &[usize]) -> Option<[Vec<Edit>; 2]> {
        let unseen = characters::marked(self.text, |at| gone.binary_search(&at).is_ok());
        let shown = apply(self.text, &unseen);
        let escapes = tags::escapes(&shown);
        let after = apply(&shown, &escapes);
        let mut places = [Places::of(&unseen), Places::of(&escapes)];
        let mut place = |at: usize| {
            let places = places.iter_mut();
            places.fold(at, |at, places| places.after(at))
        };
        let expected = self.before.iter().map(|part| {
            let range = place(part.range.start)..place(part.range.end);
            (part.kind, range)
        });
        let found = parts(&after).into_iter();
        let found = found.map(|part| (part.kind, part.range));
        let is_same = places_of(&after, expected).eq(places_of(&after, found));
        is_same.then_some([unseen, escapes])
    }
}

/// Parts as far as they must stay what and where they are. How a line is broken means nothing, nor do
/// blanks at an end.
fn places_of<'t>(
    text: &'t str,
    parts: impl Iterator<Item = (PartKind, Range<usize>)> + 't,
) -> impl Iterator<Item = (PartKind, Range<usize>)> + 't {
    let parts = parts.filter(|(kind, _)| *kind != PartKind::HardBreak);
    parts.map(|(kind, range)| {
        let content = without_last_blanks(&text[range.clone()]);
        (kind, range.start..range.start + content.len())
    })
}
