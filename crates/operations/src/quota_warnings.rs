//! The users who are near a quota, so that they and the operator are warned.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctxpin_model::id::UserId;
use ctxpin_model::quota::{QuotaWarning, Stock};

/// The warnings as of the last time that [`crate::upkeep`] looked.
#[derive(Debug, Default)]
pub(crate) struct QuotaWarnings(Mutex<HashMap<UserId, Vec<QuotaWarning>>>);

impl QuotaWarnings {
    /// Replaces all warnings.
    pub fn replace(&self, warnings: HashMap<UserId, Vec<QuotaWarning>>) {
        *self.lock() = warnings;
    }

    /// Returns the quotas that a user is near.
    pub fn of(&self, user: UserId) -> Vec<QuotaWarning> {
        self.lock().get(&user).cloned().unwrap_or_default()
    }

    /// Returns how many users are near the quota of each stock.
    pub fn users(&self) -> Vec<(Stock, u64)> {
        let warnings = self.lock();
        let count = |stock: &Stock| {
            let of_it = |warning: &&QuotaWarning| warning.stock == *stock;
            let users = warnings.values().flatten().filter(of_it).count();
            (*stock, users as u64)
        };
        Stock::ALL.iter().map(count).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Vec<QuotaWarning>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
