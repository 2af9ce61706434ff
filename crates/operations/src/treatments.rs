//! What the renderers make of bodies: worked out when a push brings them, and in the background for
//! what was stored before a renderer came.

use std::time::Duration;

use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::treatment::{TreatedSnapshot, TreatmentKey, Treatments};
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_store::grant::task;

use crate::error::Result;
use crate::service::Service;

/// How many bodies are read at once in the background: together at most 16 MiB.
const BATCH: u64 = 16;

/// Treats what a push brings, by every renderer, for chats may be pinned by any of them. Returns the
/// snapshot with all that is known of its bodies, and of this what is new. A body that is neither in the
/// head nor at hand is left to the background.
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

/// Treats what was stored before the renderers of this release came, as far as no server has done it yet.
/// Safe to run at several replicas at once.
///
/// # Errors
///
/// If the database does not answer: what was done stays done.
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
                    // The server ends.
                    Err(_) => return Ok(()),
                },
            };
            upkeep.treatments_keep(&treatments).await?;
        }
        upkeep.treated(renderer.number()).await?;
    }
    Ok(())
}

/// How long after a failure it is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Runs [`catch_up`], again after a failure, until nothing is left to do.
pub async fn run(service: &Service) {
    while let Err(error) = catch_up(service).await {
        tracing::warn!(%error, "what was stored before could not be treated yet");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
