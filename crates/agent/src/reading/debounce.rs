//! When a burst of signals is over.

use std::time::{Duration, Instant};

/// How long after the last signal a burst is over.
const QUIET: Duration = Duration::from_millis(50);

/// How long after its first signal a burst is taken to be over, though it goes on.
const BURST_MAX: Duration = Duration::from_millis(500);

/// A burst of signals: an editor that saves a file, a checkout that writes a thousand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    first: Instant,
    last: Instant,
}

impl Burst {
    /// A burst that begins with a signal at this moment.
    pub fn begin(now: Instant) -> Self {
        Self {
            first: now,
            last: now,
        }
    }

    /// Takes note of a further signal.
    pub fn signal(&mut self, now: Instant) {
        self.last = self.last.max(now);
    }

    /// When it is over, unless another signal comes before.
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
        let check = |signals: &[u64], over_ms: u64| {
            let mut burst = Burst::begin(begin);
            for ms in signals {
                burst.signal(begin + Duration::from_millis(*ms));
            }
            let expected = begin + Duration::from_millis(over_ms);
            assert_eq!(burst.over_at(), expected, "{signals:?}");
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
