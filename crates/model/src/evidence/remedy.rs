//! What helps against a deviation.

use std::collections::BTreeSet;

use super::Outcome;

/// What a person can do about a turn that deviates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// To take away a file that is in no snapshot, or to add it to the scan.
    TakeAway,
    /// To mend a file or a skill that cannot be pinned.
    Mend,
    /// To take away what has the client leave a file out.
    LetGive,
    /// To begin a new session. The conversation goes on with a text that the client does not replace.
    NewSession,
    /// To let the client read its files anew.
    ReadAnew,
}

impl Remedy {
    /// Returns what helps against what became of the resources of a turn, each with its path. Without a deviation among
    /// these, the client had better read anew.
    pub fn of<'r>(results: impl IntoIterator<Item = (Option<&'r str>, Outcome)>) -> BTreeSet<Self> {
        let results: Vec<_> = results.into_iter().collect();
        let is_absent = |path: Option<&str>| {
            let mut results = results.iter();
            results
                .any(|(of, outcome)| *outcome == Outcome::Absent && (path.is_none() || *of == path))
        };
        // Some clients name no path of a text.
        let is_other_given = |path: Option<&str>| {
            let mut others = results.iter().filter(|(of, _)| of.is_none() || *of == path);
            others.any(|(_, outcome)| {
                matches!(outcome, Outcome::Stale | Outcome::Newer | Outcome::Foreign)
            })
        };
        let mut remedies = BTreeSet::new();
        for (path, outcome) in &results {
            match outcome {
                Outcome::Foreign if !is_absent(*path) => {
                    remedies.extend([Self::TakeAway, Self::ReadAnew]);
                }
                Outcome::KnownUnusable => remedies.extend([Self::Mend, Self::ReadAnew]),
                Outcome::Absent if !is_other_given(*path) => remedies.extend([Self::LetGive]),
                // The present text was not due, because it comes with another file or with the use of a skill.
                Outcome::Stale if !is_absent(*path) => remedies.extend([Self::NewSession]),
                Outcome::Foreign | Outcome::Absent | Outcome::Stale | Outcome::Newer => {
                    remedies.extend([Self::ReadAnew]);
                }
                Outcome::NotAskedFor
                | Outcome::Given
                | Outcome::GivenUpTo
                | Outcome::Repeated
                | Outcome::Shortened
                | Outcome::Superseded
                | Outcome::SeenElsewhere
                | Outcome::TooShort
                | Outcome::KnownNotPinned => {}
            }
        }
        if remedies.is_empty() {
            remedies.insert(Self::ReadAnew);
        }
        if remedies.contains(&Self::NewSession) {
            // A new session reads too.
            remedies.remove(&Self::ReadAnew);
        }
        remedies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deviates_decides_what_helps() {
        use Outcome::{Absent, Foreign, Given, KnownUnusable, Newer, NotAskedFor, Stale};
        use Remedy::{LetGive, Mend, NewSession, ReadAnew, TakeAway};
        let (a, b) = (Some("a"), Some("b"));
        let check = |results: &[(Option<&str>, Outcome)], expected: &[Remedy]| {
            let remedies = Vec::from_iter(Remedy::of(results.iter().copied()));
            assert_eq!(remedies, expected, "{results:?}");
        };
        check(&[], &[ReadAnew]);
        check(&[(a, Newer), (a, Given)], &[ReadAnew]);
        // The client has read an earlier file, or one that no scan has seen.
        check(&[(a, Stale), (a, Absent)], &[ReadAnew]);
        check(&[(a, Foreign), (a, Absent)], &[ReadAnew]);
        check(&[(None, Foreign), (a, Absent)], &[ReadAnew]);
        // It is told to leave the file out.
        check(&[(a, Absent), (b, Given)], &[LetGive]);
        check(&[(a, Absent), (b, Newer)], &[LetGive, ReadAnew]);
        // A file of a directory below, and a skill that was used.
        check(&[(a, Stale), (a, NotAskedFor)], &[NewSession]);
        check(&[(a, Stale), (a, Given), (b, Newer)], &[NewSession]);
        check(&[(a, Foreign), (b, Given)], &[TakeAway, ReadAnew]);
        check(&[(a, Foreign), (b, Absent)], &[TakeAway, LetGive, ReadAnew]);
        check(&[(a, KnownUnusable)], &[Mend, ReadAnew]);
    }
}
