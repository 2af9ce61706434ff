//! The users whose bulk moves are in progress. Each has one at a time, so that nobody keeps the database busy.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use ctxpin_model::id::UserId;

use crate::error::{Error, Result};

/// The users whose bulk moves are in progress. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct BulkMovers(Arc<Mutex<HashSet<UserId>>>);

/// The right to one bulk move at a time.
pub(crate) struct BulkTurn<'m> {
    movers: &'m BulkMovers,
    user: UserId,
}

impl BulkMovers {
    /// Begins the bulk move of a user.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Busy`] while another one of the user is in progress.
    pub fn begin(&self, user: UserId) -> Result<BulkTurn<'_>> {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match users.insert(user) {
            true => Ok(BulkTurn { movers: self, user }),
            false => Err(Error::Busy(
                "another of your bulk moves is in progress; wait until it ends",
            )),
        }
    }
}

impl Drop for BulkTurn<'_> {
    fn drop(&mut self) {
        let mut users = self.movers.0.lock();
        let users = users.as_mut().unwrap_or_else(|poisoned| poisoned.get_mut());
        users.remove(&self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_user_has_one_bulk_move_at_a_time() {
        let movers = BulkMovers::default();
        let user = |id| UserId::from(Uuid::from_u128(id));
        let turn = movers.begin(user(1));
        assert!(turn.is_ok());
        assert!(matches!(movers.begin(user(1)), Err(Error::Busy(_))));
        assert!(movers.begin(user(2)).is_ok());
        drop(turn);
        assert!(movers.begin(user(1)).is_ok());
    }
}
