//! Codex CLI: one message with the file of its home, and the project's files cut at a number of bytes.

use std::path::Path;

use ctxpin_model::profile::CodexSettings;
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::Snapshot;

use super::{Effective, Given, LeftOut, left_out, listed};

/// What separates the file of the home from those of the project.
const SEPARATOR: &str = "\n\n--- project-doc ---\n\n";

/// What separates two files of the project.
const BETWEEN: &str = "\n\n";

/// The mark at the beginning of a text file that some editors write.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the message that Codex begins a session with, and its list of skills. A blank file gives nothing,
/// and counts for nothing.
pub(super) fn effective(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &CodexSettings,
) -> Effective {
    let mut effective = Effective {
        bytes_max: Some(settings.bytes_max),
        ..Effective::default()
    };
    let mut personal = None;
    let mut project = Vec::new();
    let mut left = settings.bytes_max;
    for file in snapshot.instruction_files() {
        let Some(body) = file.body().and_then(|body| bodies.get(&body)) else {
            continue;
        };
        if file.root.as_deref() == Some(&settings.home) {
            let text = String::from_utf8_lossy(body).trim().to_owned();
            effective.given.push(given(file, text.len(), None, false));
            personal = Some(text);
            continue;
        }
        let is_blank = String::from_utf8_lossy(body).trim().is_empty();
        if left == 0 {
            let reason = format!(
                "the {} bytes are used up by the files above",
                settings.bytes_max
            );
            effective.left_out.push(LeftOut {
                cut_at: (!is_blank).then_some(0),
                ..left_out(file, reason)
            });
            continue;
        }
        let kept = usize::try_from(left).map_or(body.len(), |left| left.min(body.len()));
        let cut_at = (kept < body.len()).then_some(kept as u64);
        let text = String::from_utf8_lossy(&body[..kept]).into_owned();
        if text.trim().is_empty() {
            let cut_at = cut_at.filter(|_| !is_blank);
            let reason = match cut_at {
                Some(cut_at) => format!("it is blank up to byte {cut_at}, where Codex cuts it"),
                None => "it is blank".to_owned(),
            };
            effective.left_out.push(LeftOut {
                cut_at,
                ..left_out(file, reason)
            });
            continue;
        }
        left -= kept as u64;
        effective.given.push(given(file, text.len(), cut_at, true));
        project.push(text);
    }
    effective.text = message(snapshot, personal, &project);
    let mut skills: Vec<_> = snapshot.skills().collect();
    skills.sort_by_key(|skill| (is_personal(skill, snapshot), skill.name.clone()));
    for skill in skills {
        let body = skill.body().and_then(|body| bodies.get(&body));
        match body.is_some_and(|body| body.starts_with(BYTE_ORDER_MARK)) {
            true => effective.left_out.push(left_out(
                skill,
                "Codex does not read a SKILL.md that begins with a byte order mark",
            )),
            false => effective.given.push(listed(skill)),
        }
    }
    effective
}

/// Returns whether a skill lies in none of the directories above the working directory. Codex lists the
/// project's skills before those.
fn is_personal(skill: &Resource, snapshot: &Snapshot) -> bool {
    let root = skill.root.as_deref().map(Path::new);
    let working = snapshot.facts.directory.as_deref().map(Path::new);
    !root
        .zip(working)
        .is_some_and(|(root, working)| working.starts_with(root))
}

fn given(file: &Resource, bytes: usize, cut_at: Option<u64>, counts: bool) -> Given {
    Given {
        kind: file.kind,
        source: file.source.clone(),
        content: file.body(),
        bytes: bytes as u64,
        cut_at,
        counts,
    }
}

/// Returns the message, which is empty without any file. It names the directory only if the project has a
/// file.
fn message(snapshot: &Snapshot, personal: Option<String>, project: &[String]) -> String {
    let joined = project.join(BETWEEN);
    let directory = snapshot.facts.directory.as_deref().unwrap_or_default();
    let (about, text) = match (personal, project.is_empty()) {
        (None, true) => return String::new(),
        (Some(personal), true) => (String::new(), personal),
        (None, false) => (format!(" for {directory}"), joined),
        (Some(personal), false) => (
            format!(" for {directory}"),
            format!("{personal}{SEPARATOR}{joined}"),
        ),
    };
    format!("# AGENTS.md instructions{about}\n\n<INSTRUCTIONS>\n{text}\n</INSTRUCTIONS>")
}
