//! What a renderer makes of one text, and what it takes out of it.

use std::ops::Range;

use ctxpin_model::treatment::Removed;
use ctxpin_model::warning::Warning;

/// A text as a model is given it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Treated {
    /// The text.
    pub text: String,
    /// What was taken out, in the order of the text before.
    pub cuts: Vec<Cut>,
    /// What was left although no reader sees it.
    pub warnings: Vec<Warning>,
}

impl Treated {
    /// How much was taken out, by reason.
    pub fn removed(&self) -> Removed {
        let mut removed = Removed::default();
        for cut in &self.cuts {
            match cut.reason {
                Reason::Comment => removed.comment += cut.bytes,
                Reason::Invisible => removed.invisible += cut.bytes,
                Reason::Blank => removed.blank += cut.bytes,
            }
        }
        removed
    }
}

/// Bytes that were taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where they stood in the text before. A cut may lie within a larger one.
    pub range: Range<usize>,
    /// How many they are; those of a cut within it are not counted again.
    pub bytes: u64,
    /// Why.
    pub reason: Reason,
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
