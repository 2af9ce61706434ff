//! The figures of all pages as a table, and which of them miss a goal.

use super::load::Load;
use super::scene::Scene;

/// The goals of every page: the median time until the first content, the transferred bytes, and the requests
/// besides the stream.
const FIRST_CONTENT_MS_MAX: f64 = 300.0;
const TRANSFERRED_BYTES_MAX: u64 = 100_000;
const REQUESTS_MAX: u64 = 3;

/// The figures of a page.
#[derive(Debug, Clone)]
pub struct Row {
    name: &'static str,
    first_byte_ms: f64,
    first_content_ms: f64,
    slowest_ms: f64,
    transferred_bytes: u64,
    requests: u64,
}

impl Row {
    /// Returns the medians of the times, and the most bytes and requests of a load.
    pub fn new(name: &'static str, loads: &[Load]) -> Self {
        let first_content = sorted(loads.iter().map(|load| load.first_content_ms));
        let first_byte = sorted(loads.iter().map(|load| load.first_byte_ms));
        let most = |figure: fn(&Load) -> u64| loads.iter().map(figure).max().unwrap_or(0);
        Self {
            name,
            first_byte_ms: median(&first_byte),
            first_content_ms: median(&first_content),
            slowest_ms: first_content.last().copied().unwrap_or(0.0),
            transferred_bytes: most(|load| load.transferred_bytes),
            requests: most(|load| load.requests),
        }
    }

    /// Returns whether the page meets every goal.
    pub fn is_met(&self) -> bool {
        self.first_content_ms <= FIRST_CONTENT_MS_MAX
            && self.transferred_bytes < TRANSFERRED_BYTES_MAX
            && self.requests <= REQUESTS_MAX
    }

    fn markdown(&self) -> String {
        let met = match self.is_met() {
            true => "yes",
            false => "**no**",
        };
        format!(
            "| {} | {:.0} ms | {:.0} ms | {:.0} ms | {:.1} kB | {} | {met} |\n",
            self.name,
            self.first_byte_ms,
            self.first_content_ms,
            self.slowest_ms,
            self.transferred_bytes as f64 / 1_000.0,
            self.requests,
        )
    }
}

/// Returns the report.
pub fn markdown(scene: &Scene, rows: &[Row]) -> String {
    let goal = format!(
        "The goals of each page: first content within {FIRST_CONTENT_MS_MAX} ms (median), less than {} kB, at most \
         {REQUESTS_MAX} requests besides the stream.",
        TRANSFERRED_BYTES_MAX / 1_000
    );
    let mut text = format!(
        "# Pages\n\n`cargo xtask bench` writes this page; [README.md](README.md#pages) says how to read it.\n\n\
         A server on SQLite has {scene}. {goal}\n\n\
         | page | first byte | first content | slowest of the loads | transferred | requests | met |\n\
         |---|---|---|---|---|---|---|\n"
    );
    rows.iter().for_each(|row| text += &row.markdown());
    text
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Returns the median of sorted values, or 0 if there are none.
fn median(sorted: &[f64]) -> f64 {
    let (Some(low), Some(high)) = (
        sorted.get((sorted.len().max(1) - 1) / 2),
        sorted.get(sorted.len() / 2),
    ) else {
        return 0.0;
    };
    f64::midpoint(*low, *high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(first_content_ms: f64, transferred_bytes: u64, requests: u64) -> Load {
        Load {
            first_content_ms,
            first_byte_ms: 1.0,
            transferred_bytes,
            requests,
        }
    }

    #[test]
    fn medians() {
        let check = |values: &[f64], expected: f64| {
            assert!((median(values) - expected).abs() < f64::EPSILON);
        };
        check(&[], 0.0);
        check(&[7.0], 7.0);
        check(&[1.0, 3.0], 2.0);
        check(&[1.0, 3.0, 50.0], 3.0);
    }

    #[test]
    fn every_goal_counts() {
        let check = |loads: &[Load], expected| {
            assert_eq!(Row::new("A page", loads).is_met(), expected);
        };
        check(&[load(300.0, 99_999, 3)], true);
        check(&[load(301.0, 99_999, 3)], false);
        check(&[load(300.0, 100_000, 3)], false);
        check(&[load(300.0, 99_999, 4)], false);
        // One slow load is an accident, but a heavy one is not.
        check(
            &[load(900.0, 1, 1), load(10.0, 1, 1), load(20.0, 1, 1)],
            true,
        );
        check(
            &[load(1.0, 1, 1), load(1.0, 200_000, 1), load(1.0, 1, 1)],
            false,
        );
    }
}
