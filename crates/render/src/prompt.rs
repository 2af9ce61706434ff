//! The prompt: what a chat's pin says to the model before the first message.

use ctxpin_model::limits::SKILL_DESCRIPTION_CHARS_MAX;
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::{Facts, Snapshot};

use crate::sanitise::{self, CONTEXT_TAG, FILE_TAG, SKILLS_TAG};

/// What the model is told about the skills.
const SKILLS_USAGE: &str = "These skills are pinned to this chat. When a task matches a skill's description, read that skill by its name before you start, and follow it.";

/// Renders the prompt of `snapshot`, whose bodies are looked up in `bodies`.
///
/// First `<workspace-context>`: a line for each known fact, then each `ok` instruction file in the
/// snapshot's order, its sanitised content in `<context-file source="PATH">`. Then
/// `<available-skills>`: what they are for, and a line `- name: description` for each `ok` skill in
/// the snapshot's order. An element without content is left out. The prompt ends with one newline,
/// and is empty if neither element has content.
///
/// It never fails: a file whose body is not in `bodies`, or in which nothing remains once it is
/// sanitised, is left out, and bytes that are not UTF-8 become U+FFFD.
pub fn render(snapshot: &Snapshot, bodies: &Bodies) -> String {
    let mut parts = Vec::new();
    parts.extend(facts(&snapshot.facts));
    parts.extend(
        snapshot
            .instruction_files()
            .filter_map(|file| instruction_file(file, bodies)),
    );
    let context = element(CONTEXT_TAG, &parts.join("\n\n"));

    let lines: Vec<_> = snapshot.skills().filter_map(skill).collect();
    let skills = if lines.is_empty() {
        None
    } else {
        element(
            SKILLS_TAG,
            &format!("{SKILLS_USAGE}\n\n{}", lines.join("\n")),
        )
    };

    let elements: Vec<_> = context.into_iter().chain(skills).collect();
    elements.join("\n")
}

/// The element of that name with its last newline; none if there is nothing to put into it.
fn element(tag: &str, content: &str) -> Option<String> {
    (!content.is_empty()).then(|| format!("<{tag}>\n{content}\n</{tag}>\n"))
}

fn facts(facts: &Facts) -> Option<String> {
    let line = |label: &str, fact: &Option<String>| {
        let fact = sanitise::line(fact.as_deref()?);
        (!fact.is_empty()).then(|| format!("{label}: {fact}"))
    };
    let os = line("Operating System", &facts.os);
    let directory = line("Working Directory", &facts.directory);
    let lines: Vec<_> = os.into_iter().chain(directory).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn instruction_file(file: &Resource, bodies: &Bodies) -> Option<String> {
    let body = bodies.get(&file.body()?)?;
    let content = sanitise::text(&String::from_utf8_lossy(body)).text;
    (!content.is_empty()).then(|| format!("{}{content}{}", file_begins(&file.source), file_ends()))
}

/// What stands before the content of the instruction file of that path.
pub(crate) fn file_begins(source: &str) -> String {
    let path = attribute(&sanitise::line(source));
    format!("<{FILE_TAG} source=\"{path}\">\n")
}

/// What stands behind the content of an instruction file.
pub(crate) fn file_ends() -> String {
    format!("\n</{FILE_TAG}>")
}

/// A text as the value of an attribute, which it cannot end.
fn attribute(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => value.push_str("&quot;"),
            '<' => value.push_str("&lt;"),
            '>' => value.push_str("&gt;"),
            other => value.push(other),
        }
    }
    value
}

fn skill(skill: &Resource) -> Option<String> {
    let name = sanitise::line(skill.name.as_deref()?);
    if name.is_empty() {
        return None;
    }
    let description = description(skill.description.as_deref().unwrap_or_default());
    if description.is_empty() {
        return Some(format!("- {name}"));
    }
    Some(format!("- {name}: {description}"))
}

/// A description as the prompt has it: at most as long as the specification allows.
fn description(description: &str) -> String {
    let shown = sanitise::line(description);
    let end = shown.char_indices().nth(SKILL_DESCRIPTION_CHARS_MAX);
    match end {
        Some((end, _)) => shown[..end].trim_end().to_owned(),
        None => shown,
    }
}
