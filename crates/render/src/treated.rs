//! The result of sanitising one text, and what was removed from it.

use std::ops::Range;

use ctxpin_model::treatment::Removed;
use ctxpin_model::warning::Warning;

/// A text for a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Treated {
    pub text: String,
    /// All pieces of the original text, in order. The pieces that the model receives make [`Self::text`].
    pub pieces: Vec<Piece>,
    /// Warnings about what stays although no reader sees it, and about what could not simply be removed.
    pub warnings: Vec<Warning>,
}

impl Treated {
    /// Returns how much was removed, by reason.
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

/// Bytes of the original text that have one fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The place in the original text. Each piece begins where the one before it ends. A piece without bytes
    /// is an insertion.
    pub range: Range<usize>,
    pub fate: Fate,
}

/// What happened to bytes of the original text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The model receives them unchanged.
    Kept,
    /// The model receives another spelling.
    Replaced(&'static str),
    /// The model does not receive them.
    Gone(Reason),
}

impl Piece {
    /// Returns how many bytes of the piece the model receives.
    pub fn given_bytes(&self) -> usize {
        match self.fate {
            Fate::Kept => self.range.len(),
            Fate::Replaced(put) => put.len(),
            Fate::Gone(_) => 0,
        }
    }

    /// Splits the piece after `given_bytes` bytes that the model receives. If the bytes are replaced, it splits
    /// the replacement and not the bytes; these belong to the first part, unless that is empty.
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

/// The reason for removing bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A comment, processing instruction, declaration or CDATA section.
    Comment,
    /// An invisible character, or one that changes the direction of text.
    Invisible,
    /// Blanks at the end of a line, or repeated blank lines.
    Blank,
}
