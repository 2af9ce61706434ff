//! By how much one of two is slower, and how certain that is.

use std::fmt;

use crate::measure::Samples;

use super::RATIO_MAX;

/// The chance that the true median lies outside the interval, on both sides together.
const DOUBT: f64 = 0.05;

/// The ratio of two times that were measured in turns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The median time before.
    before: f64,
    /// The median time now.
    now: f64,
    /// The median of the rounds' ratios: above 1 it is slower now.
    pub median: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Ratio {
    /// Returns the ratio of rounds, each with the old time and the new time. The interval is that
    /// of the median's order statistics, which holds for any distribution of the ratios.
    ///
    /// # Panics
    ///
    /// Without rounds.
    pub fn of(rounds: &[(f64, f64)]) -> Self {
        let mut ratios: Vec<f64> = rounds.iter().map(|(before, now)| now / before).collect();
        ratios.sort_by(f64::total_cmp);
        let outermost = ratios.len() - 1;
        let left_out = left_out(ratios.len());
        let median = |times: &mut dyn Iterator<Item = f64>| {
            let samples: Samples = times.collect();
            samples.summary().map_or(f64::NAN, |summary| summary.median)
        };
        Self {
            before: median(&mut rounds.iter().map(|(before, _)| *before)),
            now: median(&mut rounds.iter().map(|(_, now)| *now)),
            median: median(&mut ratios.iter().copied()),
            low: ratios[left_out],
            high: ratios[outermost - left_out],
        }
    }
}

/// Returns how many of `count` sorted values to leave out at each end, so that the rest contains
/// the median except in [`DOUBT`] of cases. Each value is above or below the median with equal
/// probability.
fn left_out(count: usize) -> usize {
    let mut ways = 1.0;
    let mut below = 0.0;
    for left_out in 0..count / 2 {
        below += ways * 0.5_f64.powi(count as i32);
        if 2.0 * below > DOUBT {
            return left_out.saturating_sub(1);
        }
        ways *= (count - left_out) as f64 / (left_out + 1) as f64;
    }
    0
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match () {
            () if self.low > RATIO_MAX => "slower",
            () if self.high < 1.0 / RATIO_MAX => "faster",
            () => "",
        };
        write!(
            f,
            "{:.2} | {:.2} | {:.2} | {:.2} to {:.2} | {verdict}",
            self.before, self.now, self.median, self.low, self.high
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_leaves_out_what_a_coin_seldom_does() {
        // The interval of 9 values from the second to the eighth holds the median in 96.1 % of cases, that of
        // 15 from the fourth to the twelfth in 96.5 %.
        for (count, expected) in [
            (1, 0),
            (5, 0),
            (6, 0),
            (8, 0),
            (9, 1),
            (12, 2),
            (15, 3),
            (20, 5),
        ] {
            assert_eq!(left_out(count), expected, "of {count}");
        }
    }

    #[test]
    fn the_same_times_are_neither_slower_nor_faster() {
        let ratio = Ratio::of(&[(2.0, 2.0); 9]);
        assert_eq!((ratio.low, ratio.median, ratio.high), (1.0, 1.0, 1.0));
        assert_eq!(ratio.to_string(), "2.00 | 2.00 | 1.00 | 1.00 to 1.00 | ");
    }

    #[test]
    fn one_round_that_was_disturbed_decides_nothing() {
        let mut rounds = [(1.0, 1.5); 9];
        rounds[4] = (1.0, 0.5);
        let ratio = Ratio::of(&rounds);
        assert_eq!((ratio.low, ratio.median, ratio.high), (1.5, 1.5, 1.5));
        assert!(ratio.to_string().ends_with("| slower"));
        let ratio = Ratio::of(&rounds.map(|(before, now)| (now, before)));
        assert!(ratio.to_string().ends_with("| faster"), "{ratio}");
    }
}
