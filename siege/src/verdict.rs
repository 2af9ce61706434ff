//! The measurements of an attack, and their limits.

use crate::attacks::Tally;
use crate::neighbour::Work;

/// By how many times the neighbour's median may grow.
const MEDIAN_RATIO_MAX: f64 = 10.0;

/// A median up to this, in milliseconds, is no violation. If attacker, server and neighbour share two
/// cores, a request waits for one or two turns of the scheduler of about 4 ms each, which nobody notices.
const MEDIAN_FLOOR_MS: f64 = 10.0;

/// Longest that 99 of 100 of the neighbour's requests may take, in milliseconds; or as long as 99 of 100 syncs of
/// the disk take meanwhile, without the server.
const PERCENTILE_99_MAX_MS: f64 = 1_000.0;

/// Most memory of the server, in bytes.
const PEAK_BYTES_MAX: u64 = 512 * MIB;

const MIB: u64 = 1024 * 1024;

/// The head of the table of which each attack is a row.
pub const HEAD: &str = "\
| attack | database | median before, ms | median, ms | 99 %, ms | longest, ms | a sync, 99 %, ms | failed | memory, MiB | violated | result of the attack |
|---|---|---|---|---|---|---|---|---|---|---|";

/// The limits, for readers.
pub const LIMITS: &str = "\
Limits: the neighbour's median grows to at most 10 times its value before, or 10 ms. 99 of 100 requests take at \
most 1 s, or the time of as many syncs of the disk. No request fails. The server uses at most 512 MiB.";

/// The measurements of one attack.
pub struct Observed {
    /// The neighbour's measurements before the attack.
    pub undisturbed: Work,
    pub disturbed: Work,
    /// How long syncs of the disk took meanwhile, in milliseconds.
    pub syncs: Vec<f64>,
    /// The most memory that the server had meanwhile, in bytes.
    pub peak_bytes: u64,
}

/// A limit that was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    Median,
    Percentile99,
    Failures,
    Memory,
}

impl Violation {
    fn name(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::Percentile99 => "99 %",
            Self::Failures => "failures",
            Self::Memory => "memory",
        }
    }
}

impl Observed {
    /// Returns the limits that were violated.
    pub fn violations(&self) -> Vec<Violation> {
        let before = quantile(&self.undisturbed.latencies, 0.5);
        let latencies = &self.disturbed.latencies;
        let late = quantile(&self.syncs, 0.99).max(PERCENTILE_99_MAX_MS);
        let median_max = (before * MEDIAN_RATIO_MAX).max(MEDIAN_FLOOR_MS);
        [
            (quantile(latencies, 0.5) > median_max, Violation::Median),
            (quantile(latencies, 0.99) > late, Violation::Percentile99),
            (!self.disturbed.failures.is_empty(), Violation::Failures),
            (self.peak_bytes > PEAK_BYTES_MAX, Violation::Memory),
        ]
        .into_iter()
        .filter_map(|(is_violated, violation)| is_violated.then_some(violation))
        .collect()
    }

    /// Returns the attack's row of the table.
    pub fn row(&self, attack: &str, database: &str, tally: &Tally) -> String {
        let latencies = &self.disturbed.latencies;
        let violated: Vec<_> = self.violations().iter().map(|v| v.name()).collect();
        let failed = match self.disturbed.failures.first() {
            None => "0".to_owned(),
            Some(first) => format!(
                "{} of {}, such as \"{}\"",
                self.disturbed.failures.len(),
                latencies.len(),
                first.replace('|', "/")
            ),
        };
        format!(
            "| {attack} | {database} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} | {failed} | {} | {} | {tally} |",
            quantile(&self.undisturbed.latencies, 0.5),
            quantile(latencies, 0.5),
            quantile(latencies, 0.99),
            quantile(latencies, 1.0),
            quantile(&self.syncs, 0.99),
            self.peak_bytes / MIB,
            violated.join(", "),
        )
    }
}

/// Returns the smallest value that is not below the given share of the values. Returns infinity if there are no
/// values, because a caller without any response got no response in time.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1));
    value.copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(latencies: &[f64]) -> Work {
        Work {
            latencies: latencies.to_vec(),
            failures: Vec::new(),
        }
    }

    fn observed(before: f64, disturbed: &[f64]) -> Observed {
        Observed {
            undisturbed: work(&[before; 9]),
            disturbed: work(disturbed),
            syncs: vec![1.0; 100],
            peak_bytes: 100 * MIB,
        }
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        for (share, expected) in [(0.0, 1.0), (0.5, 100.0), (0.99, 198.0), (1.0, 200.0)] {
            assert_eq!(quantile(&values, share), expected, "{share}");
        }
        assert_eq!(quantile(&[3.0], 0.99), 3.0);
        assert_eq!(quantile(&[], 0.5), f64::INFINITY);
    }

    #[test]
    fn each_limit_is_judged_by_itself() {
        let check = |observed: Observed, expected: &[Violation]| {
            assert_eq!(observed.violations(), expected);
        };
        check(observed(2.0, &[20.0; 100]), &[]);
        check(observed(2.0, &[20.1; 100]), &[Violation::Median]);
        // Half a millisecond may become ten.
        check(observed(0.5, &[10.0; 100]), &[]);
        check(observed(0.5, &[10.1; 100]), &[Violation::Median]);
        let mut one_late = [1.0; 100];
        one_late[7] = 5_000.0;
        check(observed(1.0, &one_late), &[]);
        let mut two_late = one_late;
        two_late[8] = 1_000.1;
        check(observed(1.0, &two_late), &[Violation::Percentile99]);
        let mut held_up = observed(1.0, &two_late);
        held_up.syncs[50..].fill(1_000.1);
        check(held_up, &[]);
        let mut failed = observed(1.0, &[1.0; 100]);
        failed.disturbed.failures.push("503".to_owned());
        check(failed, &[Violation::Failures]);
        let mut large = observed(1.0, &[1.0; 100]);
        large.peak_bytes = PEAK_BYTES_MAX;
        check(large, &[]);
        let mut larger = observed(1.0, &[]);
        larger.peak_bytes = PEAK_BYTES_MAX + 1;
        let all = [
            Violation::Median,
            Violation::Percentile99,
            Violation::Memory,
        ];
        check(larger, &all);
    }

    #[test]
    fn a_row_tells_what_was_violated() {
        let mut observed = observed(1.0, &[2_000.0; 10]);
        observed.disturbed.failures.push("503 | busy".to_owned());
        let mut tally = Tally::default();
        tally.add("200", 7);
        assert_eq!(
            observed.row("diffs", "SQLite", &tally),
            "| diffs | SQLite | 1.0 | 2000.0 | 2000 | 2000 | 1 | 1 of 10, such as \"503 / busy\" | 100 | median, 99 %, \
             failures | 200: 7 |"
        );
    }
}
