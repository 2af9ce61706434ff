//! What a renderer makes of one text, and what it takes out of it.

use std::ops::Range;

use ctxpin_model::treatment::Removed;
use ctxpin_model::warning::Warning;

/// A text as a model is given it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Treated {
    pub text: String,
    /// What became of the text before: its pieces in their order, all of them. What of them is given
    /// makes [`Self::text`].
    pub pieces: Vec<Piece>,
    /// What a person should know of it: what was left although no reader sees it, and what could not
    /// simply go.
    pub warnings: Vec<Warning>,
}

impl Treated {
    /// How much was taken out, by reason.
    pub fn removed(&self) -> Removed {
        let mut removed = Removed::default();
        for piece in &self.pieces {
            let bytes = piece.range.len() as u64;
            match piece.fate {
                Fate::Gone(Reason::Comment) => removed.comment += bytes,
                Fate::Gone(Reason::Invisible) => removed.invisible += bytes,
                Fate::Gone(Reason::Blank) => removed.blank += bytes,
                Fate::Kept | Fate::Replaced(_) => {}
            }
        }
        removed
    }
}

/// Bytes of the text before, of one fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where they stood. Each piece begins where the one before it ends; one without bytes is given
    /// besides.
    pub range: Range<usize>,
    /// What became of them.
    pub fate: Fate,
}

/// What became of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They are given as they were.
    Kept,
    /// Another spelling of them is given.
    Replaced(&'static str),
    /// They are not given.
    Gone(Reason),
}

impl Piece {
    /// How many bytes are given of it.
    pub fn given_bytes(&self) -> usize {
        match self.fate {
            Fate::Kept => self.range.len(),
            Fate::Replaced(put) => put.len(),
            Fate::Gone(_) => 0,
        }
    }

    /// Parts it behind so many given bytes. Bytes that are spelt otherwise go undivided with the first
    /// part, if anything of it is given.
    pub(crate) fn split(self, given_bytes: usize) -> (Self, Self) {
        let Range { start, end } = self.range;
        let (at, first, second) = match self.fate {
            Fate::Replaced(put) => {
                let (first, second) = put.split_at(given_bytes);
                let at = if first.is_empty() { start } else { end };
                (at, Fate::Replaced(first), Fate::Replaced(second))
            }
            fate => (start + given_bytes, fate, fate),
        };
        let piece = |range, fate| Self { range, fate };
        (piece(start..at, first), piece(at..end, second))
    }
}

/// Why bytes are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A comment, processing instruction, declaration or CDATA section.
    Comment,
    /// A character without shape, or one that turns the direction of others.
    Invisible,
    /// Blanks at the end of a line, and blank lines past the first.
    Blank,
}
