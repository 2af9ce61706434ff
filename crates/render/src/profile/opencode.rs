//! opencode: the whole of each file behind its path, in the system prompt.

use ctxpin_model::resource::Bodies;
use ctxpin_model::snapshot::Snapshot;

use super::{Effective, Given, left_out, listed};

/// What stands between two files.
const BETWEEN: &str = "\n";

/// Returns the part of the system prompt with the instruction files, and the list of skills, which is sorted by
/// name. An empty file gives nothing.
pub(super) fn effective(snapshot: &Snapshot, bodies: &Bodies) -> Effective {
    let mut effective = Effective::default();
    let mut parts = Vec::new();
    for file in snapshot.instruction_files() {
        let Some(body) = file.body().and_then(|body| bodies.get(&body)) else {
            continue;
        };
        let text = String::from_utf8_lossy(body);
        // A byte order mark at the beginning is no part of the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if text.is_empty() {
            effective.left_out.push(left_out(file, "it is empty"));
            continue;
        }
        effective.given.push(Given {
            kind: file.kind,
            source: file.source.clone(),
            content: file.body(),
            bytes: text.len() as u64,
            cut_at: None,
            counts: false,
        });
        parts.push(format!("Instructions from: {}\n{text}", file.source));
    }
    effective.text = parts.join(BETWEEN);
    let mut skills: Vec<_> = snapshot.skills().collect();
    skills.sort_by_key(|skill| skill.name.clone());
    effective.given.extend(skills.into_iter().map(listed));
    effective
}
