//! Measuring: samples, and their median and spread.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Repeated measurements of one thing.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

/// The summary of samples.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Summary {
    /// Half of the samples are below.
    pub median: f64,
    /// A quarter of them is below.
    pub quartile_low: f64,
    /// A quarter of them is above.
    pub quartile_high: f64,
    /// The value that one of a hundred samples exceeds.
    pub percentile_99: f64,
    /// How many there are.
    pub count: usize,
}

impl Samples {
    /// Adds one sample.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Adds a time, in milliseconds.
    pub fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1_000.0);
    }

    /// Adds the samples of another series.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Returns the summary of the samples, or `None` if there are none.
    pub fn summary(&self) -> Option<Summary> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        if sorted.is_empty() {
            return None;
        }
        let at = |share: f64| quantile(&sorted, share);
        Some(Summary {
            median: at(0.5),
            quartile_low: at(0.25),
            quartile_high: at(0.75),
            percentile_99: at(0.99),
            count: sorted.len(),
        })
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Returns the value below which that share of the sorted samples lies. It interpolates between two
/// samples.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

/// Waits for `work`, and returns its result and its duration.
pub async fn timed<T>(
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(T, Duration)> {
    let begun = Instant::now();
    let done = work.await?;
    Ok((done, begun.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_the_median_and_the_quartiles() {
        let samples: Samples = [4.0, 1.0, 3.0, 2.0, 5.0].into_iter().collect();
        let summary = samples.summary().expect("there are samples");
        assert_eq!(summary.median, 3.0);
        assert_eq!((summary.quartile_low, summary.quartile_high), (2.0, 4.0));
        assert_eq!(summary.count, 5);
        let samples: Samples = [1.0, 2.0].into_iter().collect();
        assert_eq!(samples.summary().expect("there are samples").median, 1.5);
        assert!(Samples::default().summary().is_none());
    }
}
