//! Makes the text of a workspace safe for a model: removes what a reader of its Markdown would not see, and
//! escapes what looks like ctxpin's own markup.
//!
//! One parse of the original text decides what is code, and code stays as it is. Sanitising is idempotent.

mod blanks;
mod characters;
mod comments;
pub(crate) mod edit;
mod marks;
mod tags;

use std::ops::Range;

use ctxpin_model::markdown::{PartKind, parts};
use ctxpin_model::warning::{Code, WARNINGS_MAX, Warning, line_of};

use self::comments::{Commented, PARSED_BYTES_MAX};
use self::edit::{Edit, Layers};
pub(crate) use self::tags::{CONTEXT_TAG, FILE_TAG, SKILLS_TAG, escaped};
use crate::treated::{Fate, Piece, Reason, Treated};

/// Returns a text as one line without blanks at its ends. C0 controls, U+0085, U+2028 and U+2029 become
/// spaces. Removes invisible characters and escapes ctxpin's tags. Use it for paths, facts, names and
/// descriptions, which are no Markdown. Idempotent.
pub fn line(line: &str) -> String {
    let spaced: String = line
        .chars()
        .map(|c| match c {
            '\0'..='\u{1F}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            other => other,
        })
        .collect();
    shown(spaced.trim()).trim().to_owned()
}

/// Sanitises a text that is no prose, or that a model reads alone. Line ends become LF. Removes invisible
/// characters and escapes ctxpin's tags. Everything else stays. Idempotent.
pub fn shown(text: &str) -> String {
    alone(text).text
}

/// Does the same as [`shown`], and returns what was removed too.
pub fn alone(text: &str) -> Treated {
    let mut layers = Layers::new(text);
    show(&mut layers);
    Treated {
        pieces: layers.pieces(),
        warnings: Vec::new(),
        text: layers.text.into_owned(),
    }
}

/// Returns where a text has characters that a reader does not see, in its order.
pub(crate) fn unseen(text: &str) -> Vec<Range<usize>> {
    let edits = characters::unseen(text).into_iter();
    edits.map(|edit| edit.range).collect()
}

fn show(layers: &mut Layers) {
    layers.push(characters::line_ends(&layers.text));
    layers.push(characters::unseen(&layers.text));
    layers.push(tags::escapes(&layers.text));
}

/// Sanitises a Markdown text for a model. The result has no blank lines at its ends and no last line end.
///
/// Does the same as [`shown`]. Outside of code it also removes comments, processing instructions,
/// declarations and CDATA sections, cuts blanks at the ends of lines unless they break the line, and joins
/// blank lines. A comment stays if its removal would turn code into prose, or prose into code. What an
/// unclosed opener hides stays too. The result warns of both. Idempotent.
pub fn text(text: &str) -> Treated {
    let mut layers = Layers::new(text);
    layers.push(characters::line_ends(&layers.text));
    show_markdown(&mut layers);
    let untouched = layers.depth();
    let mut parsed_bytes_left = PARSED_BYTES_MAX;
    let mut warnings: Option<Vec<Warning>> = None;
    let kept = loop {
        let round = Round::of(&layers.text, &mut parsed_bytes_left);
        let warning = |code, at| {
            let line = line_of(text, layers.first_place(at));
            Warning::new(code).at_line(line)
        };
        // The warnings are about the original text, which readers have.
        warnings.get_or_insert_with(|| {
            let unclosed = round.unclosed.iter().take(WARNINGS_MAX);
            let unclosed = unclosed
                .map(|(at, bytes)| warning(Code::CommentUnclosed, *at).about(bytes.to_string()));
            unclosed.collect()
        });
        let kept = round.kept.iter().take(WARNINGS_MAX);
        let kept: Vec<_> = kept.map(|at| warning(Code::CommentKept, *at)).collect();
        let is_last = round.is_last();
        match round.edits {
            Some(edits) => edits.into_iter().for_each(|edits| layers.push(edits)),
            // A text that takes too long stays, so that it takes as long the next time.
            None => layers.truncate(text, untouched),
        }
        if is_last {
            break kept;
        }
    };
    let pieces = layers.pieces();
    let mut warnings = warnings.unwrap_or_default();
    warnings.extend(kept);
    warnings.extend(marked(text, &pieces).take(WARNINGS_MAX));
    warnings.sort_by_key(|warning| warning.line);
    warnings.truncate(WARNINGS_MAX);
    Treated {
        pieces,
        warnings,
        text: layers.text.into_owned(),
    }
}

/// Warns of the invisible characters that a visible mark replaces.
fn marked(text: &str, pieces: &[Piece]) -> impl Iterator<Item = Warning> {
    let marks = pieces.windows(2).filter_map(|pair| {
        let is_mark = pair[1].fate == Fate::Replaced(characters::MARK);
        is_mark.then(|| pair[0].range.clone())
    });
    marks.map(|range| {
        let first = text[range.clone()].chars().next().unwrap_or_default();
        let warning = Warning::new(Code::InvisibleMarked).at_line(line_of(text, range.start));
        warning.about(format!("U+{:04X}", u32::from(first)))
    })
}

/// One round over a text, which finds what can be removed.
struct Round {
    /// The edits, layer by layer. `None` if the effort to find them is too great.
    edits: Option<Vec<Vec<Edit>>>,
    /// The offsets of the comments that stay.
    kept: Vec<usize>,
    /// The result of [`Commented::unclosed`].
    unclosed: Vec<(usize, usize)>,
    /// Whether blanks stay because of their surroundings.
    keeps_blanks: bool,
}

impl Round {
    fn of(text: &str, parsed_bytes_left: &mut usize) -> Self {
        if openers(text).next().is_none() {
            let mut keeps_blanks = false;
            let folds = blanks::folds(text, || {
                let commented = Commented::of(text);
                keeps_blanks = commented.keeps_blanks();
                commented.ranges()
            });
            return Self {
                edits: Some(vec![folds]),
                kept: Vec::new(),
                unclosed: Vec::new(),
                keeps_blanks,
            };
        }
        let commented = Commented::of(text);
        let (edits, kept) = match commented.removal(parsed_bytes_left) {
            Some(removal) => (Some(removal.layers.into()), removal.kept),
            None => (None, commented.comments().collect()),
        };
        Self {
            edits,
            kept,
            unclosed: commented.unclosed(),
            keeps_blanks: commented.keeps_blanks(),
        }
    }

    /// Returns whether another round would find nothing.
    fn is_last(&self) -> bool {
        let is_settled = self.kept.is_empty() && !self.keeps_blanks;
        is_settled || self.edits.iter().flatten().all(Vec::is_empty)
    }
}

/// Returns where something may begin that readers do not see. This is faster than parsing.
fn openers(text: &str) -> impl Iterator<Item = usize> {
    let starts = text.match_indices('<').map(|(at, _)| at);
    starts.filter(|at| match &text.as_bytes()[at + 1..] {
        [b'!' | b'?', ..] => true,
        [b'/', after, ..] => !after.is_ascii_alphabetic() && *after != b'>',
        [b'/'] => true,
        _ => false,
    })
}

/// Does the same as [`show`], but the original text decides what is code and what readers do not see.
fn show_markdown(layers: &mut Layers) {
    let is_seen = characters::unseen(&layers.text).is_empty();
    if is_seen && tags::escapes(&layers.text).is_empty() {
        return;
    }
    let before = parts(&layers.text);
    if let Some(edits) = marks::edits(&layers.text, &before) {
        return edits.into_iter().for_each(|edits| layers.push(edits));
    }
    // With ctxpin's tags escaped the text means something else. What readers do not see goes, and what
    // they see stays to be seen.
    let hidden = before.iter().filter(|part| part.kind == PartKind::Hidden);
    let hidden = hidden.map(|part| Edit::cut(part.range.clone(), Reason::Comment));
    layers.push(hidden.collect());
    show(layers);
    disarm(layers);
}

/// The greatest number of rounds that look for openers which an escape has created.
const DISARM_ROUNDS_MAX: usize = 4;

/// Escapes every opener of a comment or something similar outside of code.
fn disarm(layers: &mut Layers) {
    let escape = |at: usize| Edit::replace(at..at + 1, "&lt;");
    for _ in 0..DISARM_ROUNDS_MAX {
        let parts = parts(&layers.text);
        let armed = parts
            .iter()
            .filter(|part| matches!(part.kind, PartKind::Hidden | PartKind::Unclosed));
        let escapes: Vec<_> = armed.map(|part| escape(part.range.start)).collect();
        if escapes.is_empty() {
            return;
        }
        layers.push(escapes);
    }
    layers.push(openers(&layers.text).map(escape).collect());
}

#[cfg(test)]
mod tests;
