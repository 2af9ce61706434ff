//! Whoever waits is told for whom.

use std::time::Duration;

/// How long a person waits without a word.
pub const TOLD_AFTER: Duration = Duration::from_secs(3);

/// Waits for `work`, and if that takes longer than a person waits without a word, has `tell` say for whom.
pub async fn waited<T>(work: impl Future<Output = T>, tell: impl FnOnce()) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(TOLD_AFTER) => tell(),
    }
    work.await
}
