//! Treatments: what each renderer makes of a body. A push computes those of its bodies, and
//! [`crate::upkeep::treatments`] those of bodies that are older than a renderer.

use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::treatment::{TreatedSnapshot, TreatmentKey, Treatments};
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;

/// Treats the bodies of a push by every renderer, because chats may be pinned by any of them. Returns the
/// snapshot with all known treatments of its bodies, and the new ones among these. A body that is neither
/// in the head nor in `bodies` is left to the upkeep.
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
