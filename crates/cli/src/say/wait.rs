//! Telling the user what a command waits for.

use std::time::Duration;

/// How long a command waits before it says so.
pub const TOLD_AFTER: Duration = Duration::from_secs(3);

/// Waits for `work`, and calls `tell` if that takes longer than [`TOLD_AFTER`].
pub async fn waited<T>(work: impl Future<Output = T>, tell: impl FnOnce()) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(TOLD_AFTER) => tell(),
    }
    work.await
}
