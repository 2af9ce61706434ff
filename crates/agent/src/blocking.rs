//! Work that waits for the disk.

use std::panic::resume_unwind;

/// Does the work on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and with it whoever waits for this.
            Err(_) => std::future::pending().await,
        },
    }
}
