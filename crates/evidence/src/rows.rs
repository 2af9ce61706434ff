//! The rows of several readings about one turn, together.

use serde::{Deserialize, Serialize};

use crate::reading::Source;
use crate::verdict::{Row, Verdict};

/// Who says what a request had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The client, in a record that everything can change that runs as the same user, also the model's shell.
    Client,
    /// The server, which saw the request itself.
    Server,
}

impl Source {
    /// Returns who says what such a record says.
    pub fn witness(self) -> Witness {
        match self {
            Self::Transcript | Self::Rollout | Self::Plugin => Witness::Client,
        }
    }
}

/// What the rows of a turn say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    pub verdict: Verdict,
    /// The witness whose rows decided.
    pub witness: Witness,
    pub requests: u64,
    /// The number of the first request that deviates, in the record of its row.
    pub first_different: Option<u64>,
}

/// Merges the rows of one turn, each with its witness. Returns `None` without rows.
///
/// The rows of the strongest witness with a whole row decide, and of these the worst. A row is whole if it holds all of
/// its requests. If whole rows of another witness say otherwise, the verdict is disputed.
pub fn together(rows: &[(Witness, &Row)]) -> Option<Together> {
    let is_whole = |row: &Row| row.whole == row.requests && row.requests > 0;
    let whole = rows.iter().filter(|(_, row)| is_whole(row));
    let strongest = whole.map(|(witness, _)| *witness).max();
    let witness = strongest.or_else(|| rows.iter().map(|(witness, _)| *witness).max())?;
    let own = rows.iter().filter(|(other, _)| *other == witness);
    let own: Vec<_> = own.map(|(_, row)| *row).collect();
    let verdict = own.iter().map(|row| row.verdict).max()?;
    let others = rows
        .iter()
        .filter(|(other, row)| *other != witness && is_whole(row));
    let others = others.map(|(_, row)| row.verdict).max();
    let is_disputed = strongest.is_some() && others.is_some_and(|other| other != verdict);
    Some(Together {
        verdict: if is_disputed {
            Verdict::Disputed
        } else {
            verdict
        },
        witness,
        requests: own.iter().map(|row| row.requests).sum(),
        first_different: own.iter().find_map(|row| row.first_different),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, whole: u64) -> Row {
        Row {
            source: Source::Transcript,
            key: String::new(),
            verdict,
            requests: 2,
            whole,
            gaps: Vec::new(),
            first_different: (verdict == Verdict::Deviates).then_some(1),
            resources: Vec::new(),
            left_out: 0,
        }
    }

    #[test]
    fn the_strongest_witness_decides() {
        use Verdict::{AsPinned, Deviates, Disputed, Incomplete};
        use Witness::{Client, Server};
        let check = |rows: &[(Witness, Verdict, u64)], expected: Option<(Verdict, Witness)>| {
            let rows: Vec<_> = rows
                .iter()
                .map(|(witness, verdict, whole)| (*witness, row(*verdict, *whole)))
                .collect();
            let rows: Vec<_> = rows.iter().map(|(witness, row)| (*witness, row)).collect();
            let together = together(&rows);
            assert_eq!(
                together.map(|together| (together.verdict, together.witness)),
                expected
            );
        };
        check(&[], None);
        check(&[(Client, AsPinned, 2)], Some((AsPinned, Client)));
        check(
            &[(Client, AsPinned, 2), (Client, Deviates, 2)],
            Some((Deviates, Client)),
        );
        check(
            &[(Client, AsPinned, 2), (Client, Incomplete, 1)],
            Some((Incomplete, Client)),
        );
        check(
            &[(Client, AsPinned, 2), (Server, AsPinned, 2)],
            Some((AsPinned, Server)),
        );
        check(
            &[(Client, AsPinned, 2), (Server, Deviates, 2)],
            Some((Disputed, Server)),
        );
        check(
            &[(Client, AsPinned, 2), (Server, Incomplete, 1)],
            Some((AsPinned, Client)),
        );
        check(
            &[(Client, Incomplete, 1), (Server, AsPinned, 2)],
            Some((AsPinned, Server)),
        );
    }
}
