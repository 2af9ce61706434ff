//! Treatments: what each renderer makes of a body. A push computes those of its bodies. The background computes
//! those of bodies that are older than a renderer.

use std::time::Duration;

use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::treatment::{TreatedSnapshot, TreatmentKey, Treatments};
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_store::grant::task;

use crate::error::Result;
use crate::service::Service;

/// How many bodies the background reads at once: at most 16 MiB.
const BATCH: u64 = 16;

/// Treats the bodies of a push by every renderer, because chats may be pinned by any of them. Returns the
/// snapshot with all known treatments of its bodies, and the new ones among these. A body that is neither
/// in the head nor in `bodies` is left to the background.
pub(crate) fn treated(
    snapshot: Snapshot,
    head: Option<&TreatedSnapshot>,
    bodies: &Bodies,
) -> (TreatedSnapshot, Treatments) {
    let (mut all, mut new) = (Treatments::default(), Treatments::default());
    for resource in snapshot.resources.iter().filter(|r| r.reaches_context()) {
        let Some(blob) = resource.body() else {
            continue;
        };
        for renderer in Renderer::ALL {
            let key = TreatmentKey {
                blob,
                kind: resource.kind,
                renderer: renderer.number(),
            };
            let known = head.and_then(|head| head.treatments.get(&key));
            if let Some(known) = known.or_else(|| new.get(&key)) {
                all.insert(key, known.clone());
            } else if let Some(body) = bodies.get(&blob) {
                let treatment = treat::treatment(resource.kind, body, renderer);
                all.insert(key, treatment.clone());
                new.insert(key, treatment);
            }
        }
    }
    let treated = TreatedSnapshot {
        snapshot,
        treatments: all,
    };
    (treated, new)
}

/// Treats the bodies that are older than the renderers of this release, unless a server has done so already.
/// Several replicas may run this at once.
///
/// # Errors
///
/// Fails if the database does. The finished part stays.
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
            upkeep.treatments_keep(&treatments).await?;
        }
        upkeep.treated(renderer.number()).await?;
    }
    Ok(())
}

/// The pause before a retry.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Runs [`catch_up`] and retries after a failure, until nothing is left to do.
pub async fn run(service: &Service) {
    while let Err(error) = catch_up(service).await {
        tracing::warn!(%error, "could not treat the older bodies yet; will retry in 30 seconds");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
