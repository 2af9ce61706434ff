//! What several requests share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what requests share. A panic under the lock leaves it valid: it changes in one step.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
