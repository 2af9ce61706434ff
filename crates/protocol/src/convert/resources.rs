//! What the model holds, as answers tell it.

use ctxpin_model::diff;
use ctxpin_model::limits;
use ctxpin_model::resource::{self, Content, Detail};
use ctxpin_model::snapshot::{self, Addresses, Snapshot};

use crate::http::agents::Limits;
use crate::http::push::Facts;
use crate::http::resources::{Change, Resource, ServerShape, Shape, SkillFile, Tool};
use crate::http::scan::Scan;

/// A resource as an answer tells it.
pub fn resource(resource: &resource::Resource) -> Resource {
    Resource {
        id: resource.id().to_string(),
        kind: resource.kind.to_string(),
        source: resource.source.clone(),
        status: resource.status.to_string(),
        error: resource.error.clone(),
        content_hash: content_hash(resource.content),
        size_bytes: resource.size,
        root: resource.root.clone(),
        name: resource.name.clone(),
        description: resource.description.clone(),
        files: resource.files.iter().map(skill_file).collect(),
        tools: tools(resource.detail.as_ref()),
        shape: shape(resource.detail.as_ref()),
    }
}

/// A change as an answer tells it.
pub fn change(change: &diff::Change<'_>) -> Change {
    Change {
        kind: change.subject.as_str().to_owned(),
        source: change.source().to_owned(),
        change: change.verb.to_string(),
        pinned: change.pinned.map(resource),
        head: change.head.map(resource),
    }
}

/// The facts about a workspace.
pub fn facts(facts: &snapshot::Facts) -> Facts {
    Facts {
        os: facts.os.clone(),
        directory: facts.directory.clone(),
    }
}

/// A snapshot that was made and sent nowhere.
pub fn scan(snapshot: &Snapshot, addresses: &Addresses) -> Scan {
    Scan {
        snapshot: addresses.id.to_string(),
        context_hash: addresses.context_hash.to_string(),
        tools_hash: addresses.tools_hash.to_string(),
        error: snapshot.error.clone(),
        facts: facts(&snapshot.facts),
        resources: snapshot.resources.iter().map(resource).collect(),
    }
}

/// The limits of the model, with the longest request that this server takes, in bytes.
pub fn limits(request_bytes_max: u64) -> Limits {
    Limits {
        request_bytes_max,
        upload_bytes_max: limits::AGENT_UPLOAD_BYTES_MAX,
        prompt_file_bytes_max: limits::PROMPT_FILE_BYTES_MAX,
        skill_file_bytes_max: limits::SKILL_FILE_BYTES_MAX,
        skill_files_max: limits::SKILL_FILES_MAX as u64,
        skill_bytes_max: limits::SKILL_BYTES_MAX,
        snapshot_skill_files_max: limits::SNAPSHOT_SKILL_FILES_MAX as u64,
        snapshot_skill_bytes_max: limits::SNAPSHOT_SKILL_BYTES_MAX,
        snapshot_prompt_bytes_max: limits::SNAPSHOT_PROMPT_BYTES_MAX,
        snapshot_resources_max: limits::SNAPSHOT_RESOURCES_MAX as u64,
        snapshot_listed_max: limits::SNAPSHOT_LISTED_MAX as u64,
    }
}

/// A supporting file of a skill.
pub fn skill_file(file: &resource::SkillFile) -> SkillFile {
    SkillFile {
        path: file.path.clone(),
        content_hash: content_hash(file.content),
        size_bytes: file.size,
        executable: file.executable,
        error: file.error.clone(),
    }
}

pub(super) fn content_hash(content: Option<Content>) -> Option<String> {
    content.map(|content| content.hash().to_string())
}

pub(super) fn tools(detail: Option<&Detail>) -> Vec<Tool> {
    let Some(Detail::Tools(tools)) = detail else {
        return Vec::new();
    };
    let tools = tools.iter().map(|tool| Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.clone(),
    });
    tools.collect()
}

pub(super) fn shape(detail: Option<&Detail>) -> Option<Shape> {
    let Some(Detail::Shape(servers)) = detail else {
        return None;
    };
    let servers = servers.iter().map(|server| ServerShape {
        name: server.name.clone(),
        transport: server.transport.clone(),
        command: server.command.clone(),
        host: server.host.clone(),
        env: server.env.clone(),
        headers: server.headers.clone(),
    });
    Some(Shape {
        servers: servers.collect(),
    })
}
