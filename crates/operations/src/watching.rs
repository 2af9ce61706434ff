//! The state that all watches share: the number of open watches of each token, and the lists that are read
//! once for all watchers of an owner.

mod lists;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxpin_model::id::{TokenId, UserId};

use crate::error::{Error, Result};
use lists::Lists;

pub(crate) use lists::OwnLists;

/// How often a watch reads the state without a wake, unless a test sets another interval.
pub const RECHECK_EVERY: Duration = Duration::from_secs(30);

/// The most watches of one token.
const WATCHES_MAX: usize = 16;

/// The state that the open watches share.
#[derive(Default)]
pub(crate) struct Watching {
    /// The number of open watches, by token.
    open: Mutex<HashMap<TokenId, usize>>,
    lists: Lists,
}

/// Counts a watch of its token until it is dropped.
pub(crate) struct WatchPlace {
    watching: Arc<Watching>,
    token: TokenId,
}

impl Watching {
    /// Counts a watch of a token.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Busy`] if the token has too many open watches.
    pub fn place(self: &Arc<Self>, token: TokenId) -> Result<WatchPlace> {
        let mut watching = self.lock();
        let count = watching.entry(token).or_default();
        if *count >= WATCHES_MAX {
            return Err(Error::Busy(
                "this token has 16 open watches, which is the limit; close one of them first",
            ));
        }
        *count += 1;
        Ok(WatchPlace {
            watching: Arc::clone(self),
            token,
        })
    }

    /// Returns the lists of an owner, which live as long as a watcher holds them.
    pub fn lists(&self, owner: UserId) -> Arc<OwnLists> {
        self.lists.of(owner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenId, usize>> {
        // No panic leaves the counts half changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WatchPlace {
    fn drop(&mut self) {
        let mut watching = self.watching.lock();
        if let Some(count) = watching.get_mut(&self.token) {
            *count -= 1;
            if *count == 0 {
                watching.remove(&self.token);
            }
        }
    }
}
