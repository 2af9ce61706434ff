//! Renders the bodies that were stored before this release added a renderer.

use std::time::Duration;

use ctxpin_model::treatment::Treatments;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_store::grant::task;

use crate::error::Result;
use crate::service::Service;

/// How many bodies are read at once: at most 16 MiB.
const BATCH: u64 = 16;

/// The pause before a retry.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Renders every stored body that has no treatment by a renderer of this release, and stores the treatments.
/// Skips a renderer whose treatments a server has completed. Several replicas may run this at once.
///
/// # Errors
///
/// Fails if the database does. The treatments stored by then remain.
pub async fn catch_up(service: &Service) -> Result<()> {
    let upkeep = service.database.upkeep(task::Treatments);
    for renderer in Renderer::ALL {
        if upkeep.is_treated(renderer.number()).await? {
            continue;
        }
        let mut from = None;
        loop {
            let batch = upkeep.untreated(renderer.number(), from, BATCH).await?;
            let Some(last) = batch.last() else { break };
            from = Some(last.key.blob);
            let treat_all = move || {
                let mut treatments = Treatments::default();
                for body in batch {
                    let treatment = treat::treatment(body.key.kind, &body.bytes, renderer);
                    treatments.insert(body.key, treatment);
                }
                treatments
            };
            let treatments = match tokio::task::spawn_blocking(treat_all).await {
                Ok(treatments) => treatments,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The job was cancelled with the runtime.
                    Err(_) => return Ok(()),
                },
            };
            upkeep.treatments_insert(&treatments).await?;
        }
        upkeep.mark_treated(renderer.number()).await?;
    }
    Ok(())
}

/// Runs [`catch_up`] and retries after a failure, until nothing is left to do.
pub(super) async fn run(service: &Service) {
    while let Err(error) = catch_up(service).await {
        tracing::warn!(%error, "could not treat the older bodies yet; will retry in 30 seconds");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
