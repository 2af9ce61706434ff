//! The background work of a server. Each task is a module with a function that does the work once.

pub mod last_used;
pub mod passes;
pub mod quota_warnings;
pub mod refusals;
mod replicas;
pub mod treatments;

use std::time::Duration;

use crate::service::Service;

/// How often the last uses of tokens and agents, and the counts of refusals, are written.
const WRITTEN_EVERY: Duration = Duration::from_secs(30);

/// Runs the background work until it is dropped.
pub async fn run(service: &Service) {
    tokio::join!(
        replicas::notify(service),
        replicas::listen(service),
        quota_warnings::run(service),
        treatments::run(service),
        passes::run(service),
        write_counts_regularly(service),
    );
}

/// Writes the last uses and the counts of refusals that are only in memory so far. A server that stops calls
/// this too.
pub async fn write_counts(service: &Service) {
    if let Err(error) = last_used::write(service).await {
        tracing::warn!(%error, "could not write when tokens and agents were last used");
    }
    if let Err(error) = refusals::write(service).await {
        tracing::warn!(%error, "could not write how often requests were refused");
    }
}

async fn write_counts_regularly(service: &Service) {
    loop {
        tokio::time::sleep(WRITTEN_EVERY).await;
        write_counts(service).await;
    }
}
