//! The neutral profile: the prompt of a pin.

use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::Snapshot;

use super::{Effective, Forms, given_later, left_out, listed, whole};
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
            text => match &file.applies {
                Some(applies) => {
                    effective.left_out.push(given_later(file, applies, &text));
                }
                None => effective.given.push(whole(file, &text, &text)),
            },
        }
    }
    effective.given.extend(snapshot.skills().map(listed));
    effective
}

/// Returns the forms of the instruction files, which are the prompt's.
pub(super) fn forms<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<Forms<'s>> {
    let files = snapshot.instruction_files();
    let forms = files.filter_map(|file| {
        let body = bodies.get(&file.body()?)?;
        let text = treat::instruction_file(body, Renderer::CURRENT).text;
        Some(Forms::whole(file, text.clone(), text))
    });
    forms.collect()
}

/// Returns a file that comes with another file, in the form that the prompt has.
pub(super) fn on_demand(file: &Resource, body: &[u8], renderer: Renderer) -> Option<String> {
    let content = treat::instruction_file(body, renderer).text;
    let (begins, ends) = (prompt::file_begins(&file.source), prompt::file_ends());
    (!content.is_empty()).then(|| format!("{begins}{content}{ends}\n"))
}
