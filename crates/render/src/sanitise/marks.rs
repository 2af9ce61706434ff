//! Marks invisible characters whose removal would turn code into prose, or prose into code.

use std::ops::Range;

use ctxpin_model::markdown::{Part, PartKind, parts};

use super::blanks::without_last_blanks;
use super::edit::{Edit, Places, apply};
use super::{characters, tags};

/// The greatest number of bytes that are parsed to find which characters of one text can be removed, if not
/// all can. The characters that are undecided then are marked.
const PARSED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Returns the edits, layer by layer: they remove what no reader sees, replace it with U+FFFD if it cannot
/// be removed, and escape ctxpin's tags. Returns `None` if they would still change the meaning.
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

/// Searches for as many removable characters as possible.
struct Search<'t> {
    text: &'t str,
    /// The parts of the text that are no prose.
    before: &'t [Part],
    /// How many more bytes the search may parse.
    bytes_left: usize,
    /// The offsets of the characters to remove, in order.
    gone: Vec<usize>,
}

impl Search<'_> {
    /// Removes as many of these characters as possible, by halving.
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

    /// Returns the edits that remove these characters and mark the others, if code stays code.
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

/// Returns the parts that must keep their kind and place. Line breaks and blanks at an end do not count.
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
