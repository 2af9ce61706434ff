//! The manifest of a push: what is taken has bounds, and what is sent on is what was read.

use ctxpin_model::admission::admit;
use ctxpin_model::limits::{
    ERROR_BYTES_MAX, FACT_BYTES_MAX, FRONTMATTER_BYTES_MAX, PROMPT_FILE_BYTES_MAX,
    SERVER_TOOLS_MAX, SKILL_FILE_BYTES_MAX, SKILL_LISTED_MAX, SNAPSHOT_LISTED_MAX,
    SNAPSHOT_PROMPT_BYTES_MAX, SNAPSHOT_RESOURCES_MAX, SNAPSHOT_SKILL_BYTES_MAX,
    SNAPSHOT_SKILL_FILES_MAX, SNAPSHOT_TOOLS_BYTES_MAX, SOURCE_BYTES_MAX,
};
use ctxpin_model::resource::{Content, Detail, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_protocol::convert::manifest::{Manifest, manifest, push};
use ctxpin_protocol::http::push::Push;

/// Longest refusal: it names a place and a reason, and quotes at most one source.
const REFUSAL_BYTES_MAX: usize = 2_000;

/// The body of a push, in JSON.
pub fn check(bytes: &[u8]) {
    let Ok(sent) = serde_json::from_slice::<Push>(bytes) else {
        return;
    };
    let read = match manifest(sent.clone()) {
        Ok(read) => read,
        Err(problem) => {
            assert!(problem.detail.len() <= REFUSAL_BYTES_MAX, "{problem:?}");
            return;
        }
    };
    assert_eq!(manifest(sent).expect("it was taken before"), read);
    assert!(read.epoch >= 0 && read.version >= 1);
    check_snapshot(&read.snapshot);
    for (hash, bytes) in &read.bodies {
        let computed = ctxpin_model::hash::BlobHash::of(bytes);
        assert_eq!(computed, *hash);
        assert!(bytes.len() as u64 <= SKILL_FILE_BYTES_MAX.max(PROMPT_FILE_BYTES_MAX));
    }
    check_sent_on(&read);
    check_admitted(read.snapshot);
}

fn check_snapshot(snapshot: &Snapshot) {
    let counted = |status: &Status| *status == Status::Ok;
    let statuses = snapshot.resources.iter().map(|resource| resource.status);
    assert!(statuses.filter(counted).count() <= SNAPSHOT_RESOURCES_MAX);
    assert!(snapshot.resources.len() <= SNAPSHOT_LISTED_MAX);
    check_text(&snapshot.error, ERROR_BYTES_MAX);
    check_text(&snapshot.facts.os, FACT_BYTES_MAX);
    check_text(&snapshot.facts.directory, FACT_BYTES_MAX);
    for (index, resource) in snapshot.resources.iter().enumerate() {
        let others = &snapshot.resources[index + 1..];
        let is_same = |other: &Resource| other.id() == resource.id();
        assert!(!others.iter().any(is_same), "{resource:?} is there twice");
        check_resource(resource);
    }
}

fn check_resource(resource: &Resource) {
    check_text([&resource.source], SOURCE_BYTES_MAX);
    check_text(&resource.root, SOURCE_BYTES_MAX);
    check_text(&resource.error, ERROR_BYTES_MAX);
    check_text(&resource.name, FRONTMATTER_BYTES_MAX);
    check_text(&resource.description, FRONTMATTER_BYTES_MAX);
    assert!(!resource.source.is_empty());
    assert!(resource.size < 1 << 53);
    assert!(matches!(resource.content, None | Some(Content::Claimed(_))));
    assert!(!resource.reaches_context() || resource.content.is_some());
    assert!(resource.files.is_empty() || resource.kind == Kind::Skill);
    assert!(resource.files.len() <= SKILL_LISTED_MAX);
    resource.files.iter().for_each(check_file);
    match &resource.detail {
        None => {}
        Some(Detail::Tools(tools)) => {
            assert_eq!(resource.kind, Kind::McpServer);
            assert!((1..=SERVER_TOOLS_MAX).contains(&tools.len()));
        }
        Some(Detail::Shape(_)) => assert_eq!(resource.kind, Kind::McpConfig),
    }
    if let Some(detail) = &resource.detail {
        let json = detail.canonical_json();
        let text = String::from_utf8(json.clone()).expect("JSON is text");
        assert!(!has_nul(&text), "{text}");
        let again = Detail::from_canonical_json(&json).expect("it reads back");
        assert_eq!(again.canonical_json(), json);
    }
}

/// Whether a text of a JSON holds a NUL: an escape that no backslash escapes.
fn has_nul(json: &str) -> bool {
    let is_escape = |(at, _): (usize, &str)| {
        let before = json[..at].bytes().rev();
        before.take_while(|byte| *byte == b'\\').count() % 2 == 0
    };
    json.match_indices("\\u0000").any(is_escape)
}

fn check_file(file: &SkillFile) {
    check_text([&file.path], SOURCE_BYTES_MAX);
    check_text(&file.error, ERROR_BYTES_MAX);
    let mut parts = std::path::Path::new(&file.path).components();
    let is_name = |part| matches!(part, std::path::Component::Normal(_));
    assert!(parts.all(is_name), "{:?} leads elsewhere", file.path);
    assert!(!file.path.is_empty() && !file.path.ends_with('/'));
    assert!(file.size < 1 << 53);
}

fn check_text<'t>(texts: impl IntoIterator<Item = &'t String>, bytes_max: usize) {
    for text in texts {
        assert!(text.len() <= bytes_max && !text.contains('\0'), "{text:?}");
    }
}

/// A snapshot of these bytes, sent as an agent would, is read as the same.
fn check_sent_on(read: &Manifest) {
    let mut snapshot = read.snapshot.clone();
    let pin = |content: Option<Content>| content.map(|content| Content::Pinned(content.hash()));
    for resource in &mut snapshot.resources {
        if resource.reaches_context() {
            resource.content = pin(resource.content);
            for file in resource.files.iter_mut().filter(|f| f.error.is_none()) {
                file.content = pin(file.content);
            }
        }
    }
    let sent = push(
        read.epoch,
        read.version,
        read.mcp_settled,
        &snapshot,
        &read.notes,
        &read.bodies,
    );
    let json = serde_json::to_string(&sent).expect("a push is JSON");
    let sent = serde_json::from_str(&json).expect("and reads back");
    let again = manifest(sent).expect("what was taken is taken again");
    assert_eq!(again, *read);
    assert_eq!(again.snapshot.addresses(), read.snapshot.addresses());
}

/// What is admitted is within the limits of a snapshot, and admitting it again changes nothing.
fn check_admitted(snapshot: Snapshot) {
    let mut admitted = snapshot.resources;
    assert_eq!(admit(&mut admitted), None, "no more are listed than fit");
    let again = {
        let mut again = admitted.clone();
        admit(&mut again);
        again
    };
    assert_eq!(again, admitted);
    let used = admitted.iter().filter(|r| r.status == Status::Ok);
    let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() as u64);
    let prompt = used.clone().map(|resource| match resource.kind {
        Kind::InstructionFile => resource.size,
        Kind::Skill => length(&resource.name) + length(&resource.description),
        Kind::McpConfig | Kind::McpServer => 0,
    });
    let prompt: u64 = prompt.sum();
    assert!(prompt <= SNAPSHOT_PROMPT_BYTES_MAX, "{prompt}");
    let skills = used.clone().filter(|r| r.kind == Kind::Skill);
    let files = skills.clone().flat_map(|resource| &resource.files);
    let stored = files.filter(|file| file.body().is_some());
    let count = skills.clone().count() + stored.clone().count();
    assert!(count <= SNAPSHOT_SKILL_FILES_MAX);
    let bodies: u64 = skills.map(|skill| skill.size).sum();
    let bytes = bodies + stored.map(|file| file.size).sum::<u64>();
    assert!(bytes <= SNAPSHOT_SKILL_BYTES_MAX);
    let tools = used.filter(|r| r.kind == Kind::McpServer);
    let tools = tools.flat_map(|server| &server.detail);
    let bytes: usize = tools.map(|detail| detail.canonical_json().len()).sum();
    assert!(bytes as u64 <= SNAPSHOT_TOOLS_BYTES_MAX);
    let mut names: Vec<_> = admitted
        .iter()
        .filter(|r| r.kind == Kind::Skill && r.status == Status::Ok)
        .filter_map(|skill| skill.name.as_deref())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name is used once");
}
