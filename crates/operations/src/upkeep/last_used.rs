//! The last uses of tokens, sessions and agents.

use ctxpin_store::grant::task;

use crate::error::Result;
use crate::frame::commit;
use crate::service::Service;

/// Writes which tokens and sessions were used and which agents were seen since the last call. One transaction writes all of
/// them, so thousands of idle agents cost one commit.
///
/// # Errors
///
/// Fails if the database does. The uses are lost then.
pub async fn write(service: &Service) -> Result<()> {
    let uses = service.database.last_used().take();
    if uses.is_empty() {
        return Ok(());
    }
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::LastUsed);
    let now = service.clock.now();
    upkeep.last_used_write(&mut transaction, &uses, now).await?;
    commit(service, transaction, upkeep.unaudited()).await
}
