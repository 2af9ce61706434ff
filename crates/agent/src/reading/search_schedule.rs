//! When a scan of a large project searches the directories below the working directory, and when it uses what an
//! earlier scan found there.
//!
//! A change of a known file shows soonest without a search. But it may have come with new files elsewhere, as by a
//! checkout, so a search follows it.

use std::time::{Duration, Instant};

use super::{RESCAN_INTERVAL, ScanTriggers};

/// The time from the first change that no search has seen until the next search. A file that changes all the time
/// causes one search in each such period.
const SEARCH_DELAY: Duration = Duration::from_secs(1);

/// The schedule of the searches.
#[derive(Debug, Default)]
pub(super) struct SearchSchedule {
    last: Option<Searched>,
    /// Whether scans use the last search, and do not search anew each time.
    is_kept: bool,
}

/// A search that began.
#[derive(Debug)]
struct Searched {
    at: Instant,
    /// The numbers of changes and resyncs that came before it.
    changes: u64,
    resyncs: u64,
    /// The time of the first scan with a later change.
    overtaken_at: Option<Instant>,
}

impl SearchSchedule {
    /// Returns whether the scan that begins now must search, and records it.
    pub fn begin(&mut self, triggers: &ScanTriggers, now: Instant) -> bool {
        if let Some(last) = &mut self.last {
            if triggers.changes > last.changes {
                last.overtaken_at.get_or_insert(now);
            }
            // The caller of a resync wants everything that is there now.
            let is_asked = triggers.resyncs > last.resyncs;
            if self.is_kept && !is_asked && now < last.due_at() {
                return false;
            }
        }
        self.last = Some(Searched {
            at: now,
            changes: triggers.changes,
            resyncs: triggers.resyncs,
            overtaken_at: None,
        });
        true
    }

    /// Records whether the scan kept a search for the next one.
    pub fn end(&mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }

    /// Returns when a scan must search. Returns `None` if each scan searches.
    pub fn due_at(&self) -> Option<Instant> {
        let last = self.last.as_ref().filter(|_| self.is_kept)?;
        Some(last.due_at())
    }
}

impl Searched {
    fn due_at(&self) -> Instant {
        let regular = self.at + RESCAN_INTERVAL;
        let overtaken = self.overtaken_at.map(|at| at + SEARCH_DELAY);
        overtaken.map_or(regular, |at| at.min(regular))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schedule with a search at the first of its moments, which are in milliseconds.
    struct Trial {
        schedule: SearchSchedule,
        triggers: ScanTriggers,
        begin: Instant,
    }

    impl Trial {
        fn new(is_kept: bool) -> Self {
            let mut trial = Self {
                schedule: SearchSchedule::default(),
                triggers: ScanTriggers {
                    changes: 0,
                    resyncs: 0,
                    sources: Vec::new(),
                    views: Vec::new(),
                },
                begin: Instant::now(),
            };
            assert!(trial.searches_at(0), "the first scan");
            trial.schedule.end(is_kept);
            trial
        }

        fn at(&self, ms: u64) -> Instant {
            self.begin + Duration::from_millis(ms)
        }

        fn searches_at(&mut self, ms: u64) -> bool {
            let now = self.at(ms);
            self.schedule.begin(&self.triggers, now)
        }
    }

    #[test]
    fn a_small_project_is_searched_each_time() {
        let mut trial = Trial::new(false);
        assert_eq!(trial.schedule.due_at(), None);
        assert!(trial.searches_at(1));
        assert!(trial.searches_at(2));
    }

    #[test]
    fn a_quiet_project_is_searched_once_a_minute() {
        let mut trial = Trial::new(true);
        assert_eq!(trial.schedule.due_at(), Some(trial.at(60_000)));
        assert!(!trial.searches_at(59_999));
        assert!(trial.searches_at(60_000));
        assert_eq!(trial.schedule.due_at(), Some(trial.at(120_000)));
    }

    #[test]
    fn a_search_follows_the_first_change_that_none_has_seen() {
        let mut trial = Trial::new(true);
        for ms in [100, 500, 1_000] {
            trial.triggers.changes += 1;
            assert!(!trial.searches_at(ms), "{ms}");
            assert_eq!(trial.schedule.due_at(), Some(trial.at(1_100)));
        }
        assert!(trial.searches_at(1_100));
        assert!(!trial.searches_at(5_000), "it saw the changes");
        trial.triggers.changes += 1;
        assert!(!trial.searches_at(61_000));
        assert_eq!(trial.schedule.due_at(), Some(trial.at(61_100)));
    }

    #[test]
    fn a_resync_searches_at_once() {
        let mut trial = Trial::new(true);
        trial.triggers.resyncs += 1;
        assert!(trial.searches_at(1));
        assert!(!trial.searches_at(2));
    }
}
