//! Refusals in the audit log. Refusals of one token and one operation within a minute share a row. The first
//! refusal is written at once, and the number of the others is added to the row later. So a flood of refused
//! requests causes few writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::id::{AuditId, TokenId};
use ctxpin_model::moment::Moment;

/// The time in which refusals are counted in one row.
const SUMMED_FOR: Duration = Duration::from_secs(60);

/// The most rows with open counts. At the limit all counts are written, and new rows begin.
const SUMS_MAX: usize = 4_096;

/// The rows whose counts are still open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<HashMap<Key, Sum>>>);

/// The refused token and operation.
type Key = (TokenId, Operation);

#[derive(Debug)]
struct Sum {
    row: AuditId,
    since: Moment,
    /// Whether the row is committed, so that a count can be added.
    is_written: bool,
    /// How many refusals have not been added yet.
    more: u64,
}

/// The row in which a refusal is counted.
pub(crate) enum Entered<'r> {
    /// In the row of the current minute, later.
    Added,
    /// In a new row, because it is the first within a minute.
    First(First<'r>),
}

/// A row that must be written now. If it is dropped before, the next refusal begins another row.
pub(crate) struct First<'r> {
    refusals: &'r Refusals,
    key: Key,
    pub row: AuditId,
    /// Counts that must be added to earlier rows: to the previous row of this key, and to all rows if there
    /// were too many.
    pub left: Vec<(AuditId, u64)>,
}

impl Refusals {
    /// Counts a refusal in the row of the current minute, or begins a row.
    pub fn enter(&self, key: Key, now: Moment) -> Entered<'_> {
        let mut sums = self.lock();
        let is_on = |sum: &&mut Sum| sum.since <= now && now < sum.since.after(SUMMED_FOR);
        if let Some(sum) = sums.get_mut(&key).filter(is_on) {
            sum.more += 1;
            return Entered::Added;
        }
        let mut left = match sums.len() >= SUMS_MAX {
            true => std::mem::take(&mut *sums).into_values().collect(),
            false => Vec::new(),
        };
        let row = AuditId::generate(now);
        let sum = Sum {
            row,
            since: now,
            is_written: false,
            more: 0,
        };
        left.extend(sums.insert(key, sum));
        let left = left.iter_mut().filter_map(Sum::take).collect();
        Entered::First(First {
            refusals: self,
            key,
            row,
            left,
        })
    }

    /// Takes the open counts, and forgets the rows whose minute has passed.
    pub fn take(&self, now: Moment) -> Vec<(AuditId, u64)> {
        let mut sums = self.lock();
        let left = sums.values_mut().filter_map(Sum::take).collect();
        sums.retain(|_, sum| now < sum.since.after(SUMMED_FOR));
        left
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Sum>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sum {
    /// Takes the open count of a committed row.
    fn take(&mut self) -> Option<(AuditId, u64)> {
        if !self.is_written || self.more == 0 {
            return None;
        }
        Some((self.row, std::mem::take(&mut self.more)))
    }
}

impl First<'_> {
    /// Records that the row is committed.
    pub fn written(self) {
        let mut sums = self.refusals.lock();
        if let Some(sum) = sums.get_mut(&self.key).filter(|sum| sum.row == self.row) {
            sum.is_written = true;
        }
    }
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        let mut sums = self.refusals.lock();
        let is_missing = |sum: &Sum| sum.row == self.row && !sum.is_written;
        if sums.get(&self.key).is_some_and(is_missing) {
            sums.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let refusals = Refusals::default();
        let now = Moment::from_unix_micros(0).unwrap();
        let key = |who: usize| {
            let token = Uuid::from_u128(who as u128).into();
            (token, Operation::ChatDelete)
        };
        let first = |who| match refusals.enter(key(who), now) {
            Entered::First(first) => first,
            Entered::Added => panic!("it is the first"),
        };
        let is_added = |who| matches!(refusals.enter(key(who), now), Entered::Added);
        let mut left = 0;
        for who in 0..=SUMS_MAX {
            let first = first(who);
            left += first.left.len();
            assert!(is_added(who));
            first.written();
        }
        assert_eq!(left, SUMS_MAX);
        assert_eq!(refusals.take(now).len(), 1);
        assert!(is_added(SUMS_MAX), "its minute is not over");
    }

    #[test]
    fn a_refusal_that_was_not_written_begins_a_new_row() {
        let refusals = Refusals::default();
        let now = Moment::from_unix_micros(0).unwrap();
        let key = (Uuid::nil().into(), Operation::ChatDelete);
        let first = refusals.enter(key, now);
        assert!(matches!(refusals.enter(key, now), Entered::Added));
        assert!(refusals.take(now).is_empty(), "its row is not there yet");
        drop(first);
        assert!(matches!(refusals.enter(key, now), Entered::First(_)));
    }
}
