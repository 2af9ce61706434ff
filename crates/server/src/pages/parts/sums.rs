//! The number of added and removed lines.

use std::fmt;

use askama::filters::HtmlSafe;
use ctxpin_model::diff::lines::LineCounts;
use ctxpin_model::diff::texts::Difference;

/// The number of added and removed lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums(pub LineCounts);

impl Sums {
    /// Counts the lines of all texts of a difference.
    pub fn of(difference: &Difference) -> Self {
        let files = difference.files.iter();
        Self(files.map(|file| file.line_counts()).sum())
    }

    /// Returns the number of changed lines.
    pub fn lines(self) -> u64 {
        self.0.added + self.0.removed
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LineCounts {
            added: plus,
            removed: minus,
        } = self.0;
        f.write_str("<span class=\"sums\">")?;
        if plus > 0 {
            write_lines(f, "plus", '+', plus)?;
        }
        if plus > 0 && minus > 0 {
            f.write_str(" ")?;
        }
        if minus > 0 {
            write_lines(f, "minus", '−', minus)?;
        }
        f.write_str("</span>")
    }
}

fn write_lines(f: &mut fmt::Formatter<'_>, class: &str, sign: char, count: u64) -> fmt::Result {
    let noun = if count == 1 { "line" } else { "lines" };
    write!(
        f,
        "<span class=\"{class}\">{sign}{count}<span class=\"unseen\"> {noun}</span></span>"
    )
}

impl HtmlSafe for Sums {}
