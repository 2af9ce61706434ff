//! The pause before a retry.

use std::time::Duration;

const PAUSE_MIN: Duration = Duration::from_millis(250);

/// Longest pause, unless the server requests a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Longest pause that a server may request: a mistake in a header must not silence an agent for days.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Returns the pause after the `failures`-th failure in a row, counted from 1. Its upper bound doubles
/// with each failure. The pause lies anywhere below it, so that agents that failed together do not
/// return together; `jitter`, from 0 up to but not including 1, says where. It is not shorter than
/// what the server requests by `retry_after`.
pub(super) fn pause(failures: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
    let doublings = failures.min(16);
    let bound = (PAUSE_MIN * 2_u32.pow(doublings)).min(PAUSE_MAX);
    let chosen = PAUSE_MIN + (bound - PAUSE_MIN).mul_f64(jitter.clamp(0.0, 1.0));
    match retry_after {
        Some(requested) => chosen.max(requested.min(RETRY_AFTER_MAX)),
        None => chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let check = |failures, jitter, retry_after: Option<u64>, expected| {
            let found = pause(failures, jitter, retry_after.map(Duration::from_secs));
            assert_eq!(found.as_millis(), expected, "{failures} {jitter}");
        };
        check(1, 0.0, None, 250);
        check(1, 1.0, None, 500);
        check(3, 1.0, None, 2_000);
        check(3, 0.0, None, 250);
        check(7, 1.0, None, 30_000);
        check(u32::MAX, 1.0, None, 30_000);
        check(1, 0.5, Some(60), 60_000);
        check(7, 1.0, Some(1), 30_000);
        check(1, 0.0, Some(u64::MAX), 3_600_000);
    }
}
