//! Rate limits: counts what each agent and each token does within a minute. The counts are in memory, so
//! each replica allows the full rate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ctxpin_model::moment::Moment;
use ctxpin_model::quota::{QuotaExceeded, RATE_WINDOW, Rate, Rates};
use uuid::Uuid;

/// The most counters at a time, which take some megabytes. Only tens of thousands of callers within one
/// minute can exceed it. Then all counters are reset.
const COUNTED_MAX: usize = 100_000;

/// The counters of the current minutes, by rate and by agent or token.
#[derive(Debug, Clone, Default)]
pub(crate) struct RateCounts(Arc<Mutex<HashMap<(Rate, Uuid), Minute>>>);

#[derive(Debug)]
struct Minute {
    since: Moment,
    used: u64,
}

impl Minute {
    /// Returns whether `now` lies in this minute. A minute that begins in the future, because the clock was
    /// set back, does not count.
    fn is_on(&self, now: Moment) -> bool {
        self.since <= now && now < self.since.after(RATE_WINDOW)
    }
}

impl RateCounts {
    /// Adds `more` to a counter. A minute begins with the first event after the previous minute.
    ///
    /// # Errors
    ///
    /// Returns [`QuotaExceeded`] and counts nothing if the rate would be exceeded.
    pub fn count(
        &self,
        rates: &Rates,
        (rate, whose): (Rate, Uuid),
        more: u64,
        now: Moment,
    ) -> Result<(), QuotaExceeded> {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() >= COUNTED_MAX && !minutes.contains_key(&(rate, whose)) {
            minutes.retain(|_, minute| minute.is_on(now));
            // Otherwise each new counter would walk through all of them.
            if minutes.len() >= COUNTED_MAX / 2 {
                minutes.clear();
            }
        }
        let new = || Minute {
            since: now,
            used: 0,
        };
        let minute = minutes.entry((rate, whose)).or_insert_with(new);
        if !minute.is_on(now) {
            *minute = new();
        }
        rates.require(rate, minute.used, more, minute.since, now)?;
        minute.used = minute.used.saturating_add(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_minute_begins_anew() {
        let counts = RateCounts::default();
        let rates = Rates {
            turns: 2,
            ..Rates::DEFAULT
        };
        let start = Moment::from_unix_micros(0).unwrap();
        let at = |seconds| start.after(Duration::from_secs(seconds));
        let turn = |whose, seconds| {
            let key = (Rate::Turns, Uuid::from_u128(whose));
            let counted = counts.count(&rates, key, 1, at(seconds));
            counted.map_err(|exceeded| exceeded.wait_seconds())
        };
        assert_eq!(turn(1, 100), Ok(()));
        assert_eq!(turn(1, 130), Ok(()));
        assert_eq!(turn(1, 131), Err(Some(29)));
        assert_eq!(turn(2, 131), Ok(()), "another token is another count");
        assert_eq!(turn(1, 160), Ok(()), "what was refused is not counted");
        // A clock that was set back keeps nobody out for longer than a minute.
        assert_eq!(turn(1, 161), Ok(()));
        assert_eq!(turn(1, 162), Err(Some(58)));
        assert_eq!(turn(1, 10), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let counts = RateCounts::default();
        let now = Moment::from_unix_micros(0).unwrap();
        for whose in 0..COUNTED_MAX as u128 + 2 {
            let key = (Rate::Moves, Uuid::from_u128(whose));
            counts.count(&Rates::DEFAULT, key, 1, now).unwrap();
        }
        assert!(counts.0.lock().unwrap().len() <= COUNTED_MAX);
    }
}
