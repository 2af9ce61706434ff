//! The prompt: what a model reads from a chat's pin before the first message.

use ctxpin_model::limits::SKILL_DESCRIPTION_CHARS_MAX;
use ctxpin_model::resource::{Bodies, Resource};
use ctxpin_model::snapshot::{Facts, Snapshot};

use crate::sanitise::{self, CONTEXT_TAG, FILE_TAG, SKILLS_TAG};

/// Explains the skills to the model.
const SKILLS_USAGE: &str = "These skills are pinned to this chat. When a task matches a skill's description, read that skill by its name before you start, and follow it.";

/// Renders the prompt of `snapshot`. `bodies` has the bodies of its resources.
///
/// The first element is `<workspace-context>`. It has a line for each known fact, and then each `ok`
/// instruction file in the snapshot's order, with the sanitised content in
/// `<context-file source="PATH">`. The second element is `<available-skills>`. It explains the skills,
/// and has a line `- name: description` for each `ok` skill in the snapshot's order. The prompt omits an
/// element without content. It ends with one newline, and is empty if neither element has content.
///
/// Never fails. The prompt omits a file that is for some files only, and one whose body is not in `bodies` or has no content after sanitising.
/// Bytes that are not UTF-8 become U+FFFD.
pub fn render(snapshot: &Snapshot, bodies: &Bodies) -> String {
    let mut parts = Vec::new();
    parts.extend(facts(&snapshot.facts));
    parts.extend(
        snapshot
            .due_files()
            .filter_map(|file| instruction_file(file, bodies)),
    );
    let context = element(CONTEXT_TAG, &parts.join("\n\n"));

    let elements: Vec<_> = context
        .into_iter()
        .chain(skills(snapshot.skills()))
        .collect();
    elements.join("\n")
}

/// Returns the element that lists skills, in this order.
pub(crate) fn skills<'s>(skills: impl Iterator<Item = &'s Resource>) -> Option<String> {
    let lines: Vec<_> = skills.filter_map(skill).collect();
    if lines.is_empty() {
        return None;
    }
    element(
        SKILLS_TAG,
        &format!("{SKILLS_USAGE}\n\n{}", lines.join("\n")),
    )
}

/// Returns the element of a name with its last newline. Returns an empty text if there is no content.
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

/// Returns what stands before the content of an instruction file.
pub(crate) fn file_begins(source: &str) -> String {
    let path = attribute(&sanitise::line(source));
    format!("<{FILE_TAG} source=\"{path}\">\n")
}

/// Returns what stands after the content of an instruction file.
pub(crate) fn file_ends() -> String {
    format!("\n</{FILE_TAG}>")
}

/// Returns a text as the value of an attribute. The text cannot end the attribute.
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

/// Returns the text of an attribute's value. A text that itself held the name of a character reads as that character.
pub(crate) fn of_attribute(value: &str) -> String {
    let value = value.replace("&quot;", "\"");
    value.replace("&lt;", "<").replace("&gt;", ">")
}

pub(crate) fn skill(skill: &Resource) -> Option<String> {
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

/// Cuts a description to the length that the specification allows.
pub(crate) fn description(description: &str) -> String {
    let shown = sanitise::line(description);
    let end = shown.char_indices().nth(SKILL_DESCRIPTION_CHARS_MAX);
    match end {
        Some((end, _)) => shown[..end].trim_end().to_owned(),
        None => shown,
    }
}

/// Renders the prompt of these instruction files, by path and content.
#[cfg(test)]
pub(crate) fn of_files(files: &[(&str, &str)]) -> String {
    use ctxpin_model::hash::BlobHash;
    use ctxpin_model::resource::{Content, Kind, Status};

    let mut bodies = Bodies::new();
    let mut snapshot = Snapshot::default();
    snapshot.facts.os = Some("linux".into());
    for (source, body) in files {
        let hash = BlobHash::of(body.as_bytes());
        bodies.insert(hash, body.as_bytes().into());
        let mut file = Resource::new(Kind::InstructionFile, *source, Status::Ok);
        file.content = Some(Content::Pinned(hash));
        snapshot.resources.push(file);
    }
    render(&snapshot, &bodies)
}
