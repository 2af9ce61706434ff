//! Claude Code: one block for each instruction file, which names its path and whose file it is.

use std::collections::HashMap;

use ctxpin_model::claude_code::{LOCAL_NAME, Reading, is_skill_hidden};
use ctxpin_model::profile::ClaudeCodeSettings;
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::Snapshot;

use super::{Effective, Given, OnDemand, condition, left_out, listed};

/// What begins the instructions.
const BEGIN: &str = "Codebase and user instructions are shown below. Be sure to adhere to these instructions. IMPORTANT: These \
instructions OVERRIDE any default behavior and you MUST follow them exactly as written.";

/// What separates two files.
const BETWEEN: &str = "\n\n";

/// Returns the instructions that Claude Code begins a session with, and its list of skills. A blank file gives
/// nothing.
pub(super) fn effective(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
) -> Effective {
    let mut effective = Effective::default();
    let files: HashMap<_, _> = snapshot
        .instruction_files()
        .map(|file| (file.source.as_str(), file))
        .collect();
    let mut blocks = Vec::new();
    for file in snapshot.instruction_files() {
        let body = file.body().and_then(|body| bodies.get(&body));
        let Some(reading) = body.map(|body| Reading::of(body)) else {
            continue;
        };
        let text = reading.given();
        if text.is_empty() {
            let reason = "nothing in it is for the model";
            effective.left_out.push(left_out(file, reason));
        } else if let Some(applies) = &file.applies {
            effective.left_out.push(left_out(file, condition(applies)));
        } else {
            let owner = owner(file, &files, settings);
            blocks.push(format!("Contents of {} ({owner}):\n\n{text}", file.source));
            effective.given.push(Given {
                kind: file.kind,
                source: file.source.clone(),
                content: file.body(),
                bytes: text.len() as u64,
                cut_at: None,
                counts: false,
            });
        }
    }
    if !blocks.is_empty() {
        effective.text = format!("{BEGIN}{BETWEEN}{}", blocks.join(BETWEEN));
    }
    skills(snapshot, bodies, settings, &mut effective);
    effective
}

/// Returns what Claude Code gives its model when it reads a file, in the snapshot's order: each file that is for it,
/// as a text.
pub(super) fn on_demand(snapshot: &Snapshot, bodies: &Bodies, path: &str) -> Vec<OnDemand> {
    let files = snapshot.instruction_files().filter(|file| {
        let applies = file.applies.as_ref();
        file.source != path && applies.is_some_and(|applies| applies.covers(path))
    });
    let given = files.filter_map(|file| {
        let body = file.body().and_then(|body| bodies.get(&body))?;
        let reading = Reading::of(body);
        // Here the blanks around a text stay.
        let text = format!("Contents of {}:\n\n{}", file.source, reading.text);
        (!reading.given().is_empty()).then(|| OnDemand {
            source: file.source.clone(),
            text,
        })
    });
    given.collect()
}

/// Returns whose file it is, in Claude Code's words. An imported file belongs to the owner of the file that imports
/// it.
fn owner(
    file: &Resource,
    files: &HashMap<&str, &Resource>,
    settings: &ClaudeCodeSettings,
) -> &'static str {
    let mut top = file;
    for _ in 0..files.len() {
        let importer = top.imported_by.as_deref();
        match importer.and_then(|importer| files.get(importer)) {
            Some(importer) => top = importer,
            None => break,
        }
    }
    let name = top.source.rsplit('/').next();
    if top.root.as_deref() == Some(&settings.home) {
        "user's private global instructions for all projects"
    } else if name == Some(LOCAL_NAME) {
        "user's private project instructions, not checked in"
    } else {
        "project instructions, checked into the codebase"
    }
}

/// Adds the skills in the order of Claude Code's list: the person's, then those of the working directory and of each
/// directory above it.
fn skills(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &ClaudeCodeSettings,
    effective: &mut Effective,
) {
    let mut skills: Vec<_> = snapshot.skills().collect();
    skills.sort_by_key(|skill| {
        let root = skill.root.as_deref().unwrap_or_default();
        let is_personal = root == settings.home;
        (!is_personal, std::cmp::Reverse(root.len()), &skill.source)
    });
    for skill in skills {
        let body = skill.body().and_then(|body| bodies.get(&body));
        match body.is_some_and(|body| is_skill_hidden(body)) {
            true => effective.left_out.push(left_out(
                skill,
                "`disable-model-invocation` keeps it out of the list",
            )),
            false => effective.given.push(listed(skill)),
        }
    }
}
