//! Treatments: the results of rendering bodies. A push renders its own bodies, and
//! [`crate::upkeep::treatments`] renders bodies that were stored before a renderer was added.

use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::treatment::{TreatedSnapshot, TreatmentKey, Treatments};
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;

/// Renders the bodies of a push with every renderer, because chats may be pinned with any renderer.
/// Returns the snapshot with all known treatments of its bodies, and the new treatments separately. The
/// upkeep renders a body that is neither in the head nor in `bodies`.
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
