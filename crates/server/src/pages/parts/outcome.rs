//! What became of a resource in the requests of a turn, as a sign and words.

use std::fmt;

use askama::filters::HtmlSafe;
use ctxpin_model::evidence::Outcome;

use super::verdict::Sign;

/// What became of one resource, as a sign and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Became(pub Outcome);

impl Became {
    fn sign(self) -> Sign {
        match self.0 {
            Outcome::Given
            | Outcome::GivenUpTo
            | Outcome::Repeated
            | Outcome::Shortened
            | Outcome::Superseded => Sign::Tick,
            Outcome::NotAskedFor
            | Outcome::SeenElsewhere
            | Outcome::TooShort
            | Outcome::KnownNotPinned => Sign::Dot,
            Outcome::KnownUnusable
            | Outcome::Absent
            | Outcome::Stale
            | Outcome::Newer
            | Outcome::Foreign => Sign::Unequal,
        }
    }

    fn words(self) -> &'static str {
        match self.0 {
            Outcome::NotAskedFor => "not asked for",
            Outcome::Given => "given",
            Outcome::GivenUpTo => "given in part",
            Outcome::Repeated => "repeated",
            Outcome::Shortened => "shortened",
            Outcome::Superseded => "superseded",
            Outcome::SeenElsewhere => "seen elsewhere",
            Outcome::TooShort => "too short to tell",
            Outcome::KnownNotPinned => "known, not pinned",
            Outcome::KnownUnusable => "known, not usable",
            Outcome::Absent => "absent",
            Outcome::Stale => "stale",
            Outcome::Newer => "newer",
            Outcome::Foreign => "foreign",
        }
    }

    /// Returns what the words mean. `None` if they say all.
    pub fn meaning(self) -> Option<&'static str> {
        match self.0 {
            Outcome::Given | Outcome::GivenUpTo | Outcome::Repeated | Outcome::Foreign => None,
            Outcome::NotAskedFor => Some("for certain files or uses only"),
            Outcome::Shortened => Some("the list of skills gave a part of the description"),
            Outcome::Superseded => Some("an earlier text, and the pinned one behind it"),
            Outcome::SeenElsewhere => Some("a person, a tool or the model said it"),
            Outcome::TooShort => Some("fewer than 64 bytes, and outside of the client's frame"),
            Outcome::KnownNotPinned => Some("a file that the pin leaves out by choice"),
            Outcome::KnownUnusable => Some("a file that could not be pinned"),
            Outcome::Absent => Some("it was due, and was not given, or was taken back"),
            Outcome::Stale => Some("an earlier text, without the pinned one behind it"),
            Outcome::Newer => Some("a text of the workspace that the pin does not have"),
        }
    }
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, words) = (self.sign(), self.words());
        let class = sign.class();
        write!(f, "<span class=\"verdict{class}\">{sign}{words}</span>")
    }
}

impl HtmlSafe for Became {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_deviates_has_the_sign_of_it() {
        for outcome in Outcome::ALL {
            let is_unequal = Became(*outcome).sign() == Sign::Unequal;
            assert_eq!(is_unequal, outcome.deviates(), "{outcome:?}");
        }
        let words: BTreeSet<_> = Outcome::ALL.iter().map(|o| Became(*o).words()).collect();
        assert_eq!(words.len(), Outcome::ALL.len());
    }
}
