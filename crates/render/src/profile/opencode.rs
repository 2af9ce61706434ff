//! opencode: the whole of each file behind its path, in the system prompt.

use std::cmp::Reverse;

use ctxpin_model::claude_code::trim;
use ctxpin_model::profile::{OpencodeSettings, SkillPermission};
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::Snapshot;

use super::collation::collated;
use super::{Effective, Forms, given_later, left_out, listed, whole, with_skills};
use crate::renderer::Renderer;
use crate::{prompt, sanitise, treat};

/// What stands between two files.
const BETWEEN: &str = "\n";

/// What stands before and behind the frontmatter of a skill.
const FENCE: &str = "---";

/// Returns the part of the system prompt with the instruction files, and the list of skills, which is sorted by
/// name. An empty file gives nothing.
pub(super) fn effective(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &OpencodeSettings,
) -> Effective {
    let mut effective = Effective::default();
    let mut parts = Vec::new();
    for file in snapshot.instruction_files() {
        let Some(body) = file.body().and_then(|body| bodies.get(&body)) else {
            continue;
        };
        let text = text(body);
        if text.is_empty() {
            effective.left_out.push(left_out(file, "it is empty"));
            continue;
        }
        if let Some(applies) = &file.applies {
            effective.left_out.push(given_later(file, applies, &text));
            continue;
        }
        effective.given.push(whole(file, &text, &sanitised(body)));
        parts.push(part(file, &text));
    }
    effective.text = parts.join(BETWEEN);
    let (allowed, denied): (Vec<_>, Vec<_>) = sorted(snapshot)
        .into_iter()
        .partition(|skill| !is_denied(skill, settings));
    effective.given.extend(allowed.into_iter().map(listed));
    let reason = "`permission` keeps it out of the list";
    let denied = denied.into_iter();
    effective
        .left_out
        .extend(denied.map(|skill| left_out(skill, reason)));
    effective
}

/// Returns the prompt of a pin: what every request holds, in opencode's order and form, but sanitised, and the list of
/// skills.
pub(super) fn delivered(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &OpencodeSettings,
) -> String {
    let parts = snapshot.due_files().filter_map(|file| {
        let text = sanitised(bodies.get(&file.body()?)?);
        let source = sanitise::line(&file.source);
        (!text.is_empty()).then(|| part_begins(&source) + &text)
    });
    let text = parts.collect::<Vec<_>>().join(BETWEEN);
    let list = prompt::skills(skills(snapshot, settings).into_iter());
    with_skills(text, list)
}

/// Returns what the prompt of a pin has of a file.
fn sanitised(body: &[u8]) -> String {
    treat::instruction_file(body, Renderer::CURRENT).text
}

/// Returns the skills that opencode lists, in its order.
pub(super) fn skills<'s>(snapshot: &'s Snapshot, settings: &OpencodeSettings) -> Vec<&'s Resource> {
    let skills = sorted(snapshot).into_iter();
    skills.filter(|skill| !is_denied(skill, settings)).collect()
}

/// Returns whether the model may not load a skill.
fn is_denied(skill: &Resource, settings: &OpencodeSettings) -> bool {
    let name = skill.name.as_deref().unwrap_or_default();
    let mut permissions = settings.skill_permissions.iter().rev();
    let last = permissions.find(|permission| SkillPermission::is_match(&permission.pattern, name));
    last.is_some_and(|permission| permission.is_denied)
}

/// Returns all skills by their names.
fn sorted(snapshot: &Snapshot) -> Vec<&Resource> {
    let mut skills: Vec<_> = snapshot.skills().collect();
    skills.sort_by_cached_key(|skill| collated(skill.name.as_deref().unwrap_or_default()));
    skills
}

/// Returns the forms of the instruction files.
pub(super) fn forms<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<Forms<'s>> {
    let files = snapshot.instruction_files();
    let forms = files.filter_map(|file| {
        let body = bodies.get(&file.body()?)?;
        Some(Forms::whole(file, text(body), sanitised(body)))
    });
    forms.collect()
}

/// Sorts the files that come with others as opencode gives them: the file of each directory on the way to the file that
/// it reads, the nearest first.
pub(super) fn sort_on_demand(files: &mut [&Resource]) {
    let length = |file: &&Resource| file.applies.as_ref().map(|applies| applies.below.len());
    files.sort_by_key(|file| Reverse(length(file)));
}

/// Returns a file that comes with another file.
pub(super) fn on_demand(file: &Resource, body: &[u8]) -> Option<String> {
    let text = text(body);
    (!text.is_empty()).then(|| part(file, &text))
}

/// Returns a file that comes with another file in opencode's form, but sanitised.
pub(super) fn delivered_on_demand(
    file: &Resource,
    body: &[u8],
    renderer: Renderer,
) -> Option<String> {
    let text = treat::instruction_file(body, renderer).text;
    let source = sanitise::line(&file.source);
    (!text.is_empty()).then(|| format!("{}{text}\n", part_begins(&source)))
}

/// Returns the text of a file. A byte order mark at the beginning is no part of it.
fn text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

/// Returns what opencode (1.18.33) gives its model when it uses a skill: the `SKILL.md` without frontmatter and without the blanks
/// around it.
pub(super) fn skill_text(body: &[u8]) -> String {
    let whole = text(body);
    let content = match whole.strip_prefix(FENCE) {
        Some(rest) if !rest.starts_with('-') => {
            let end = rest.split_once(&format!("\n{FENCE}"));
            end.map_or("", |(_, content)| content)
        }
        Some(_) | None => &whole,
    };
    trim(content).to_owned()
}

fn part(file: &Resource, text: &str) -> String {
    part_begins(&file.source) + text
}

fn part_begins(source: &str) -> String {
    format!("Instructions from: {source}\n")
}
