//! The signs of a resource: its state, and its part of the whole.

use askama::filters::HtmlSafe;

use super::number::Size;

/// The state of a resource as a form that needs no colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glyph {
    Used,
    Changed,
    Failed,
    Unused,
}

impl Glyph {
    /// Returns the word in its class, and what it means.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Used => ("ok", "in use"),
            Self::Changed => ("changed", "changed in the workspace"),
            Self::Failed => ("failed", "cannot be used"),
            Self::Unused => ("unused", "not used"),
        }
    }

    /// Returns whether the reason is an error.
    pub fn is_failure(self) -> bool {
        self == Self::Failed
    }
}

impl std::fmt::Display for Glyph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (class, words) = self.words();
        let shape = match self {
            Self::Used => "<circle cx=\"6\" cy=\"6\" r=\"3\"/>",
            Self::Changed => "<circle cx=\"6\" cy=\"6\" r=\"4\"/>",
            Self::Failed => "<path d=\"M2 2h8l-4 8z\"/>",
            Self::Unused => "<path d=\"M2 6h8\"/>",
        };
        write!(
            f,
            "<svg class=\"glyph {class}\" width=\"12\" height=\"12\" role=\"img\" aria-label=\"{words}\">{shape}</svg>"
        )
    }
}

impl HtmlSafe for Glyph {}

/// The part of a resource in everything that is used, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    pub before: u64,
    pub own: u64,
    pub total: u64,
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { before, own, total } = *self;
        let percent = |bytes: u64| match total {
            0 => 0.0,
            // The precision of a float suffices for a bar.
            total => 100.0 * bytes as f64 / total as f64,
        };
        let (start, width) = (percent(before), percent(own).max(1.5));
        write!(
            f,
            "<svg class=\"share\" width=\"100%\" height=\"8\" role=\"img\" aria-label=\"{} of {} with this\">\
             <rect class=\"whole\" width=\"100%\" height=\"8\" rx=\"2\"/>\
             <rect class=\"before\" width=\"{start:.1}%\" height=\"8\" rx=\"2\"/>\
             <rect class=\"own\" x=\"{start:.1}%\" width=\"{width:.1}%\" height=\"8\"/></svg>",
            Size(before + own),
            Size(total)
        )
    }
}

impl HtmlSafe for Share {}
