//! The users who are near a quota.

use std::time::Duration;

use ctxpin_model::id::UserId;
use ctxpin_model::quota::Usage;
use ctxpin_store::grant::task;

use crate::error::Result;
use crate::service::Service;

/// The interval between two reads of the users near a quota.
const REFRESHED_EVERY: Duration = Duration::from_secs(60);

/// Finds the users who are near a quota, so that they are warned.
///
/// # Errors
///
/// Fails if the database does.
pub async fn refresh(service: &Service) -> Result<()> {
    let defaults = &service.quotas.amounts;
    let mut reading = service.database.read().await?;
    let upkeep = service.database.upkeep(task::QuotaWarnings);
    let now = service.clock.now();
    let found = upkeep.usage_of_warned(&mut reading, defaults, now).await?;
    let warnings = |(user, usage): (UserId, Usage)| (user, usage.warnings(defaults));
    let found = found.into_iter().map(warnings).collect();
    service.quota_warnings.replace(found);
    Ok(())
}

/// Calls [`refresh`] every minute.
pub(super) async fn run(service: &Service) {
    loop {
        if let Err(error) = refresh(service).await {
            tracing::warn!(%error, "could not look up who is near a quota");
        }
        tokio::time::sleep(REFRESHED_EVERY).await;
    }
}
