//! Removes comments and similar parts if nothing else changes its meaning.

use std::borrow::Cow;
use std::ops::Range;

use ctxpin_model::markdown::{Part, PartKind, parts};

use super::edit::{Edit, Places, apply};
use super::{blanks, tags};
use crate::treated::Reason;

/// The greatest number of bytes that are parsed to find which comments of one text can be removed, if not
/// all can. Only a hostile text needs more.
pub(super) const PARSED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The changes to a text with comments.
pub(super) struct Removal {
    /// The edits, layer by layer: they remove comments, escape what became a tag of ctxpin, and fold blanks.
    pub layers: [Vec<Edit>; 3],
    /// The offsets of the comments that stay.
    pub kept: Vec<usize>,
}

/// A text with its parts, in which comments are searched.
pub(super) struct Commented<'t> {
    text: &'t str,
    parts: Vec<Part>,
    /// The indices of the hidden parts.
    hidden: Vec<usize>,
}

impl<'t> Commented<'t> {
    pub fn of(text: &'t str) -> Self {
        let parts = parts(text);
        let hidden = parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.kind == PartKind::Hidden)
            .map(|(index, _)| index)
            .collect();
        Self {
            text,
            parts,
            hidden,
        }
    }

    /// Returns all parts that are no prose.
    pub fn ranges(&self) -> Vec<Range<usize>> {
        self.parts.iter().map(|part| part.range.clone()).collect()
    }

    /// Returns the offset of each comment.
    pub fn comments(&self) -> impl Iterator<Item = usize> {
        let comments = self.hidden.iter();
        comments.map(|index| self.parts[*index].range.start)
    }

    /// Returns the offset of each unclosed opener, and the number of bytes from there on that no reader sees.
    /// A browser looks for the end in all the HTML that follows.
    pub fn unclosed(&self) -> Vec<(usize, usize)> {
        let mut unclosed = Vec::new();
        let mut next_end = self.text.len();
        for part in self.parts.iter().rev() {
            let html = &self.text[part.range.clone()];
            if part.kind == PartKind::Unclosed {
                let end = match html.starts_with("<!--") {
                    true => next_end,
                    false => part.range.end,
                };
                unclosed.push((part.range.start, end - part.range.start));
            }
            if matches!(part.kind, PartKind::Hidden | PartKind::Unclosed)
                && let Some(closer) = html.find("-->")
            {
                next_end = part.range.start + closer + "-->".len();
            }
        }
        unclosed.reverse();
        unclosed
    }

    /// Removes the hidden parts that can be removed. A comment stays if its removal would turn something into
    /// code or a comment, or code into something else. Counts the parsed bytes down, and returns `None` if
    /// they run out.
    pub fn removal(&self, parsed_bytes_left: &mut usize) -> Option<Removal> {
        if let Some(layers) = self.without(&self.hidden) {
            let kept = Vec::new();
            return Some(Removal { layers, kept });
        }
        let mut search = Search {
            commented: self,
            bytes_left: parsed_bytes_left,
            removed: Vec::new(),
        };
        search.remove_of(&self.hidden)?;
        let is_kept = |index: &&usize| search.removed.binary_search(index).is_err();
        let kept = self.hidden.iter().filter(is_kept);
        Some(Removal {
            layers: self.layers(&search.removed),
            kept: kept.map(|index| self.parts[*index].range.start).collect(),
        })
    }

    /// Returns whether [`Self::removal`] may find more in its own result although no comment stayed. Blanks
    /// stay or not depending on their surroundings.
    pub fn keeps_blanks(&self) -> bool {
        self.parts.iter().any(|part| {
            matches!(
                part.kind,
                PartKind::HardBreak | PartKind::Preformatted | PartKind::Unclosed
            )
        })
    }

    /// Returns [`Self::layers`] if the rest keeps its meaning.
    fn without(&self, removed: &[usize]) -> Option<[Vec<Edit>; 3]> {
        let layers = self.layers(removed);
        if removed.is_empty() {
            return Some(layers);
        }
        let [cuts, escapes, folds] = &layers;
        let after = apply(&apply(&apply(self.text, cuts), escapes), folds);
        let found = parts(&after);
        let left = || self.left(removed);
        if outline(&after, found.iter()) != outline(self.text, left()) {
            return None;
        }
        // The same words elsewhere are not the same thing.
        let has_place =
            |part: &&Part| !matches!(part.kind, PartKind::HardBreak | PartKind::Preformatted);
        let ends = |part: &Part| [part.range.start, part.range.end];
        let mut places = [Places::of(cuts), Places::of(escapes), Places::of(folds)];
        let expected = left().filter(has_place).flat_map(ends);
        let expected = expected.map(|at| {
            let places = places.iter_mut();
            places.fold(at, |at, places| places.after(at))
        });
        let found = found.iter().filter(has_place).flat_map(ends);
        found.eq(expected).then_some(layers)
    }

    /// Returns the parts that are not removed.
    fn left(&self, removed: &[usize]) -> impl Iterator<Item = &Part> {
        let left = self.parts.iter().enumerate();
        let left = left.filter(|(index, _)| removed.binary_search(index).is_err());
        left.map(|(_, part)| part)
    }

    fn layers(&self, removed: &[usize]) -> [Vec<Edit>; 3] {
        let cuts: Vec<Edit> = removed
            .iter()
            .map(|index| Edit::cut(self.parts[*index].range.clone(), Reason::Comment))
            .collect();
        let without = apply(self.text, &cuts);
        let escapes = tags::escapes(&without);
        let mut after_cuts = Places::of(&cuts);
        let mut after_escapes = Places::of(&escapes);
        let protected: Vec<Range<usize>> = self
            .left(removed)
            .map(|part| {
                let start = after_escapes.after(after_cuts.after(part.range.start));
                let end = after_escapes.after(after_cuts.after(part.range.end));
                start..end
            })
            .collect();
        let folds = blanks::folds(&apply(&without, &escapes), || protected);
        [cuts, escapes, folds]
    }
}

/// Searches for as many removable comments as possible.
struct Search<'c> {
    commented: &'c Commented<'c>,
    /// How many more bytes the search may parse.
    bytes_left: &'c mut usize,
    /// The indices of the parts to remove, in order.
    removed: Vec<usize>,
}

impl Search<'_> {
    /// Removes as many of these parts as possible, by halving. Returns `None` after too many tries.
    fn remove_of(&mut self, hidden: &[usize]) -> Option<()> {
        if hidden.is_empty() {
            return Some(());
        }
        *self.bytes_left = self.bytes_left.checked_sub(self.commented.text.len())?;
        let mut tried = self.removed.clone();
        tried.extend(hidden);
        tried.sort_unstable();
        if self.commented.without(&tried).is_some() {
            self.removed = tried;
            return Some(());
        }
        if hidden.len() > 1 {
            let (first, second) = hidden.split_at(hidden.len() / 2);
            self.remove_of(first)?;
            self.remove_of(second)?;
        }
        Some(())
    }
}

/// Returns what must stay the same in a text: what is code, and what readers do not see.
pub(super) fn outline<'t, 'p>(
    text: &'t str,
    parts: impl Iterator<Item = &'p Part>,
) -> Vec<(PartKind, Cow<'t, str>)> {
    let mut outline: Vec<(PartKind, Cow<'t, str>)> = Vec::new();
    for part in parts {
        let content = match part.kind {
            // How many blanks break a line means nothing.
            PartKind::HardBreak => "",
            _ => &text[part.range.clone()],
        };
        match outline.last_mut() {
            // A comment that goes leaves its two sides as one.
            Some((PartKind::Preformatted, before)) if part.kind == PartKind::Preformatted => {
                before.to_mut().push_str(content);
            }
            _ => outline.push((part.kind, Cow::Borrowed(content))),
        }
    }
    for (_, content) in &mut outline {
        let end = blanks::without_last_blanks(content).len();
        match content {
            Cow::Borrowed(content) => *content = &content[..end],
            Cow::Owned(content) => content.truncate(end),
        }
    }
    outline
}
