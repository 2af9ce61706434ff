//! The passes that have expired, and the tokens that ended long ago.

use std::time::Duration;

use ctxpin_store::grant::task;

use crate::error::Result;
use crate::frame::{commit, retry};
use crate::service::Service;

/// The interval between two sweeps. What has expired opens nothing before that either.
const SWEPT_EVERY: Duration = Duration::from_secs(10 * 60);

/// How long the server can prove that it knew a token that was deleted. An agent that was stopped for longer is told
/// that the server does not know its token.
const ENDED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Deletes the passes that have expired and the hashes of tokens that ended long ago, and returns how many there
/// were.
///
/// # Errors
///
/// Fails if the database does.
pub async fn sweep(service: &Service) -> Result<u64> {
    retry(|_| sweep_once(service)).await
}

async fn sweep_once(service: &Service) -> Result<u64> {
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::Passes);
    let now = service.clock.now();
    let mut swept = upkeep.passes_sweep(&mut transaction, now).await?;
    swept += upkeep
        .ended_tokens_sweep(&mut transaction, now.before(ENDED_KEPT))
        .await?;
    commit(service, transaction, upkeep.unaudited()).await?;
    Ok(swept)
}

/// Calls [`sweep`] every ten minutes.
pub(super) async fn run(service: &Service) {
    loop {
        if let Err(error) = sweep(service).await {
            tracing::warn!(%error, "could not delete the passes that have expired");
        }
        tokio::time::sleep(SWEPT_EVERY).await;
    }
}
