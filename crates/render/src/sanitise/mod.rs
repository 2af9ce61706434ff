//! Makes a workspace's text fit to be read by a model: what a reader of its Markdown would not see is
//! taken out, and what could pass for ctxpin's own markup is escaped.
//!
//! What is code is decided by one parse of the file's own text, before anything is taken out, and code
//! stays as it is. Sanitising twice is sanitising once.

mod blanks;
mod characters;
mod comments;
pub(crate) mod edit;
mod marks;
mod tags;

use ctxpin_model::markdown::{PartKind, parts};
use ctxpin_model::warning::{Code, WARNINGS_MAX, Warning, line_of};

use self::comments::{Commented, PARSED_BYTES_MAX};
use self::edit::{Edit, Layers};
pub(crate) use self::tags::{CONTEXT_TAG, FILE_TAG, SKILLS_TAG};
use crate::treated::{Fate, Piece, Reason, Treated};

/// A text of one line without blanks at its ends: every C0 control, U+0085, U+2028 and U+2029 is a
/// space, invisible characters are removed, and ctxpin's tags escaped. For paths, facts, names and
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

/// A text that is no prose for a reader, or is read alone: line ends become LF, invisible characters are
/// removed and ctxpin's tags escaped; everything else stays. Idempotent.
pub fn shown(text: &str) -> String {
    alone(text).text
}

/// [`shown`], with what was taken out.
pub fn alone(text: &str) -> Treated {
    let mut layers = Layers::new(text);
    show(&mut layers);
    Treated {
        pieces: layers.pieces(),
        warnings: Vec::new(),
        text: layers.text.into_owned(),
    }
}

fn show(layers: &mut Layers) {
    layers.push(characters::line_ends(&layers.text));
    layers.push(characters::unseen(&layers.text));
    layers.push(tags::escapes(&layers.text));
}

/// A Markdown text as a model is given it, without blank lines at its ends or a line end behind it.
///
/// As [`shown`]; and outside of code, comments, processing instructions, declarations and CDATA sections
/// are removed, blanks at the ends of lines cut except where they break it, and runs of blank lines made
/// one. A comment whose removal would change what is code stays, and so does what an opener that is
/// never closed hides; of both the result warns. Idempotent.
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
        // What readers miss is told of the text as they have it.
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

/// The invisible characters that something visible stands for.
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

/// One look at a text: what of it can go.
struct Round {
    /// Edits that are applied one after the other. `None` if they cannot be found with reasonable
    /// effort.
    edits: Option<Vec<Vec<Edit>>>,
    /// Where the comments begin that stay.
    kept: Vec<usize>,
    /// What [`Commented::unclosed`] tells.
    unclosed: Vec<(usize, usize)>,
    /// Whether blanks are kept for what surrounds them.
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

    /// Whether another round would find nothing.
    fn is_last(&self) -> bool {
        let is_settled = self.kept.is_empty() && !self.keeps_blanks;
        is_settled || self.edits.iter().flatten().all(Vec::is_empty)
    }
}

/// Where something may begin that readers do not see. Quicker than to look whether it does.
fn openers(text: &str) -> impl Iterator<Item = usize> {
    let starts = text.match_indices('<').map(|(at, _)| at);
    starts.filter(|at| match &text.as_bytes()[at + 1..] {
        [b'!' | b'?', ..] => true,
        [b'/', after, ..] => !after.is_ascii_alphabetic() && *after != b'>',
        [b'/'] => true,
        _ => false,
    })
}

/// As [`show`], but what is code, and what readers do not see, is decided by the text as it was.
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

/// How often a text is looked at again for openers that came to be ones by an escape.
const DISARM_ROUNDS_MAX: usize = 4;

/// Escapes every opener of a comment and its like that is not in code.
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
