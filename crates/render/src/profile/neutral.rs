//! The neutral profile: the prompt of a pin.

use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;

use super::{Effective, left_out, listed, whole};
use crate::renderer::Renderer;
use crate::{prompt, treat};

/// Returns the prompt, and what it has of each file.
pub(super) fn effective(snapshot: &Snapshot, bodies: &Bodies) -> Effective {
    let mut effective = Effective {
        text: prompt::render(snapshot, bodies),
        ..Effective::default()
    };
    for file in snapshot.instruction_files() {
        let body = file.body().and_then(|body| bodies.get(&body));
        let text = body.map(|body| treat::instruction_file(body, Renderer::CURRENT).text);
        match text.unwrap_or_default() {
            text if text.is_empty() => {
                effective
                    .left_out
                    .push(left_out(file, "nothing in it is for a model"));
            }
            text => effective.given.push(whole(file, &text)),
        }
    }
    effective.given.extend(snapshot.skills().map(listed));
    effective
}
