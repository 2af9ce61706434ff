//! The counts of refusals in the audit log.

use ctxpin_store::grant::task;

use crate::error::Result;
use crate::frame::commit;
use crate::service::Service;

/// Adds the open counts of refusals to their rows, in one transaction.
///
/// # Errors
///
/// Fails if the database does. The counts are lost then.
pub async fn write(service: &Service) -> Result<()> {
    let left = service.refusals.take(service.clock.now());
    if left.is_empty() {
        return Ok(());
    }
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::Refusals);
    for (row, more) in left {
        upkeep.refusals_add(&mut transaction, row, more).await?;
    }
    commit(service, transaction, upkeep.unaudited()).await
}
