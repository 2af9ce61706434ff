//! Debouncing: many changes in a short time lead to one scan.

use std::time::{Duration, Instant};

/// The time without a change after which a burst is over.
const QUIET: Duration = Duration::from_millis(50);

/// The longest burst. This long after its first change it counts as over, even if changes go on.
const BURST_MAX: Duration = Duration::from_millis(500);

/// A burst of changes, such as an editor that saves one file or a checkout that writes a thousand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    first: Instant,
    last: Instant,
}

impl Burst {
    /// Returns a burst that begins with a change at this moment.
    pub fn begin(now: Instant) -> Self {
        Self {
            first: now,
            last: now,
        }
    }

    /// Adds a change.
    pub fn add(&mut self, now: Instant) {
        self.last = self.last.max(now);
    }

    /// Returns when the burst is over, if no further change comes before.
    pub fn over_at(&self) -> Instant {
        (self.last + QUIET).min(self.first + BURST_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_over_when_it_is_quiet_or_too_long() {
        let begin = Instant::now();
        let check = |changes: &[u64], over_ms: u64| {
            let mut burst = Burst::begin(begin);
            for ms in changes {
                burst.add(begin + Duration::from_millis(*ms));
            }
            let expected = begin + Duration::from_millis(over_ms);
            assert_eq!(burst.over_at(), expected, "{changes:?}");
        };
        check(&[], 50);
        check(&[40], 90);
        check(&[40, 80, 120], 170);
        check(&[449], 499);
        check(&[40, 499], 500);
        check(&[9_000], 500);
        check(&[40, 20], 90);
    }
}
