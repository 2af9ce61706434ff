//! Finds which line of a replacement stands for which, so that the words of two lines are compared, and not
//! those of two blocks: a line that was changed has a counterpart also if others were added below it.

use std::collections::HashMap;

use similar::DiffableStr;

/// The greatest product of removed and added lines of which each is compared with each. Beyond it, a line
/// is compared with the one at its place only.
const COMPARED_MAX: usize = 4_096;

/// The least likeness of two lines of which one replaces the other, in thousandths.
const LIKENESS_MIN: u32 = 500;

/// Returns the pairs of a removed and an added line that are alike, by their places. Both places ascend, and
/// of all such pairs these have the greatest likeness in total.
pub(super) fn pairs<'l>(
    removed: impl Iterator<Item = &'l str>,
    added: impl Iterator<Item = &'l str>,
) -> Vec<(usize, usize)> {
    let removed: Vec<_> = removed.map(Words::of).collect();
    let added: Vec<_> = added.map(Words::of).collect();
    if removed.len() * added.len() > COMPARED_MAX {
        let places = removed.iter().zip(&added).enumerate();
        let alike = places.filter(|(_, (old, new))| old.likeness(new) >= LIKENESS_MIN);
        return alike.map(|(place, _)| (place, place)).collect();
    }
    // best[i][j] is the greatest total of the removed lines from i on and the added lines from j on.
    let mut best = vec![vec![0; added.len() + 1]; removed.len() + 1];
    let mut likeness = vec![vec![0; added.len()]; removed.len()];
    for (i, old) in removed.iter().enumerate().rev() {
        for (j, new) in added.iter().enumerate().rev() {
            let alike = old.likeness(new);
            let skipped = best[i + 1][j].max(best[i][j + 1]);
            best[i][j] = match alike >= LIKENESS_MIN {
                true => skipped.max(best[i + 1][j + 1] + alike),
                false => skipped,
            };
            likeness[i][j] = alike;
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < removed.len() && j < added.len() {
        let alike = likeness[i][j];
        if alike >= LIKENESS_MIN && best[i][j] == best[i + 1][j + 1] + alike {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[i][j] == best[i + 1][j] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// The words of a line, each with how often it is there.
struct Words<'l> {
    counts: HashMap<&'l str, u32>,
    total: u32,
}

impl<'l> Words<'l> {
    fn of(line: &'l str) -> Self {
        let mut words = Self {
            counts: HashMap::new(),
            total: 0,
        };
        let tokens = line.tokenize_unicode_words().into_iter();
        for word in tokens.filter(|token| token.contains(char::is_alphanumeric)) {
            *words.counts.entry(word).or_default() += 1;
            words.total += 1;
        }
        words
    }

    /// Returns how much of both lines is in both, in thousandths.
    fn likeness(&self, other: &Self) -> u32 {
        let shared = self.counts.iter().map(|(word, count)| {
            let there = other.counts.get(word).copied().unwrap_or_default();
            there.min(*count)
        });
        let shared: u32 = shared.sum();
        (2_000 * shared)
            .checked_div(self.total + other.total)
            .unwrap_or_default()
    }
}
