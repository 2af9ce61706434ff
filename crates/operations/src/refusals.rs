//! Refusals for the audit log, summed up: of one token and action within one minute the first is written at
//! once, and how many followed it is added to its row later. So a flood of them is no flood of writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::id::{AuditId, TokenId};
use ctxpin_model::moment::Moment;
use ctxpin_model::token::Credential;
use ctxpin_store::grant::task;

use crate::error::Result;
use crate::frame::commit;
use crate::service::Service;

/// How long refusals are added to one row.
const SUMMED_FOR: Duration = Duration::from_secs(60);

/// Most rows that are added to at a time. Past that they are written and begun anew.
const SUMS_MAX: usize = 4_096;

/// The rows that refusals are added to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<HashMap<Key, Sum>>>);

/// Which token was refused, and what.
type Key = (TokenId, Operation);

#[derive(Debug)]
struct Sum {
    row: AuditId,
    since: Moment,
    /// Whether the row is there to be added to.
    is_written: bool,
    /// How many have not been added yet.
    more: u64,
}

/// What becomes of a refusal.
enum Entered<'r> {
    /// It is added to the row of this minute by and by.
    Added,
    /// It is the first within a minute.
    First(First<'r>),
}

/// A row that is to be written. Dropped before it was, it is added to no more.
struct First<'r> {
    refusals: &'r Refusals,
    key: Key,
    row: AuditId,
    /// What of the row before has not been added to it, and of all others if there were too many.
    left: Vec<(AuditId, u64)>,
}

impl Refusals {
    /// Adds a refusal to the row of this minute, or begins one.
    fn enter(&self, key: Key, now: Moment) -> Entered<'_> {
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

    /// Takes out what has not been added yet, and forgets the rows whose minute is over.
    fn take(&self, now: Moment) -> Vec<(AuditId, u64)> {
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
    /// Takes out what can be added.
    fn take(&mut self) -> Option<(AuditId, u64)> {
        if !self.is_written || self.more == 0 {
            return None;
        }
        Some((self.row, std::mem::take(&mut self.more)))
    }
}

impl First<'_> {
    /// The row is there.
    fn written(self) {
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

/// Notes that a caller was refused something, at once if it is the first time within a minute.
pub(crate) async fn note(
    service: &Service,
    credential: Credential,
    operation: Operation,
    object: Option<AuditObject>,
) -> Result<()> {
    let caller = service.caller(credential);
    let actor = service.database.identify(&caller, None).await?;
    let key = (credential.id, operation);
    let first = match service.refusals.enter(key, caller.now) {
        Entered::Added => return Ok(()),
        Entered::First(first) => first,
    };
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::Refusals);
    let at = caller.now;
    upkeep
        .refusal_insert(&mut transaction, first.row, &actor, operation, object, at)
        .await?;
    for (row, more) in &first.left {
        upkeep.refusals_add(&mut transaction, *row, *more).await?;
    }
    commit(service, transaction, upkeep.unnoted()).await?;
    first.written();
    Ok(())
}

/// Writes how often what was refused was refused again, all of it in one transaction.
/// [`crate::wakes::run`] does so every now and then, and a server when it ends.
///
/// # Errors
/// If the data cannot be written; what was to be added is lost then.
pub async fn write(service: &Service) -> Result<()> {
    let left = service.refusals.take(service.clock.now());
    if left.is_empty() {
        return Ok(());
    }
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::Refusals);
    for (row, more) in left {
        upkeep.refusals_add(&mut transaction, row, more).await?;
    }
    commit(service, transaction, upkeep.unnoted()).await
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
    fn what_could_not_be_written_is_begun_anew() {
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
