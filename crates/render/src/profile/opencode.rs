//! opencode: the whole of each file behind its path, in the system prompt.

use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::Snapshot;

use super::{Effective, Forms, OnDemand, condition, left_out, listed, whole};
use crate::renderer::Renderer;
use crate::treat;

/// What stands between two files.
const BETWEEN: &str = "\n";

/// Returns the part of the system prompt with the instruction files, and the list of skills, which is sorted by
/// name. An empty file gives nothing.
pub(super) fn effective(snapshot: &Snapshot, bodies: &Bodies) -> Effective {
    let mut effective = Effective::default();
    let mut parts = Vec::new();
    for file in snapshot.instruction_files() {
        let Some(text) = text(file, bodies) else {
            continue;
        };
        if text.is_empty() {
            effective.left_out.push(left_out(file, "it is empty"));
            continue;
        }
        if let Some(applies) = &file.applies {
            effective.left_out.push(left_out(file, condition(applies)));
            continue;
        }
        effective.given.push(whole(file, &text));
        parts.push(part(file, &text));
    }
    effective.text = parts.join(BETWEEN);
    let mut skills: Vec<_> = snapshot.skills().collect();
    skills.sort_by_key(|skill| skill.name.clone());
    effective.given.extend(skills.into_iter().map(listed));
    effective
}

/// Returns the forms of the instruction files.
pub(super) fn forms<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<Forms<'s>> {
    let files = snapshot.instruction_files();
    let forms = files.filter_map(|file| {
        let body = bodies.get(&file.body()?)?;
        let delivered = treat::instruction_file(body, Renderer::CURRENT).text;
        Some(Forms::whole(file, text(file, bodies)?, delivered))
    });
    forms.collect()
}

/// Returns what opencode gives its model when it reads a file: the file of each directory on the way to it, the
/// nearest first.
pub(super) fn on_demand(snapshot: &Snapshot, bodies: &Bodies, path: &str) -> Vec<OnDemand> {
    let files = snapshot.instruction_files().filter_map(|file| {
        let applies = file.applies.as_ref()?;
        let is_for_it = file.source != path && applies.covers(path);
        is_for_it.then_some((applies.below.len(), file))
    });
    let mut files: Vec<_> = files.collect();
    files.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    let given = files.into_iter().filter_map(|(_, file)| {
        let text = text(file, bodies).filter(|text| !text.is_empty())?;
        Some(OnDemand {
            source: file.source.clone(),
            text: part(file, &text),
        })
    });
    given.collect()
}

/// Returns the text of a file. A byte order mark at the beginning is no part of it.
fn text(file: &Resource, bodies: &Bodies) -> Option<String> {
    let body = bodies.get(&file.body()?)?;
    let text = String::from_utf8_lossy(body);
    Some(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

fn part(file: &Resource, text: &str) -> String {
    format!("Instructions from: {}\n{text}", file.source)
}
