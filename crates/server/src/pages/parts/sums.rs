//! The number of added and removed lines.

use std::fmt;
use std::iter::Sum;

use askama::filters::HtmlSafe;
use ctxpin_model::diff::lines::LineKind;
use ctxpin_model::diff::texts::{Difference, FileDifference, Lines};

/// The number of added and removed lines of a difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub plus: u64,
    pub minus: u64,
}

impl Sums {
    /// Counts the lines of all texts of a difference.
    pub fn of(difference: &Difference) -> Self {
        difference.files.iter().map(Self::of_file).sum()
    }

    /// Counts the lines of one text.
    pub fn of_file(file: &FileDifference) -> Self {
        let mut sums = Self::default();
        if let Lines::Hunks(hunks) = &file.lines {
            for line in hunks.iter().flat_map(|hunk| &hunk.lines) {
                match line.kind {
                    LineKind::Added => sums.plus += 1,
                    LineKind::Removed => sums.minus += 1,
                    LineKind::Context => {}
                }
            }
        }
        sums
    }

    /// Returns the number of changed lines.
    pub fn lines(self) -> u64 {
        self.plus + self.minus
    }
}

impl Sum for Sums {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), |all, one| Self {
            plus: all.plus + one.plus,
            minus: all.minus + one.minus,
        })
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<span class=\"sums\">")?;
        let lines = "<span class=\"unseen\"> lines</span></span>";
        if self.plus > 0 {
            write!(f, "<span class=\"plus\">+{}{lines}", self.plus)?;
        }
        if self.plus > 0 && self.minus > 0 {
            f.write_str(" ")?;
        }
        if self.minus > 0 {
            write!(f, "<span class=\"minus\">−{}{lines}", self.minus)?;
        }
        f.write_str("</span>")
    }
}

impl HtmlSafe for Sums {}
