//! Work that blocks its thread, such as reading files.

use std::panic::resume_unwind;

/// Runs `work` on a thread that may block, and returns its result. A panic in `work` continues in the caller.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime shuts down, and drops the caller.
            Err(_) => std::future::pending().await,
        },
    }
}
