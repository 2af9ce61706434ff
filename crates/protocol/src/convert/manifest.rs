//! Pushes: from an agent's snapshot to the wire, and from the wire to what a server may take.
//!
//! A server refuses a whole push only for what no honest agent sends. That is checked here as far as
//! it can be seen in the push itself; what a body says (a skill's name, say) is judged elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{
    ERROR_BYTES_MAX, FACT_BYTES_MAX, FRONTMATTER_BYTES_MAX, MCP_CONFIG_BYTES_MAX,
    PROMPT_FILE_BYTES_MAX, SERVER_TOOLS_BYTES_MAX, SERVER_TOOLS_MAX, SKILL_FILE_BYTES_MAX,
    SKILL_LISTED_MAX, SNAPSHOT_LISTED_MAX, SNAPSHOT_RESOURCES_MAX, SOURCE_BYTES_MAX,
};
use ctxpin_model::resource::{
    Bodies, Content, Detail, Kind, Resource, ServerShape, SkillFile, Status, Tool,
};
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_model::warning::{DETAIL_BYTES_MAX, NOTES_MAX, Note, Warning};
use serde_json::Value;

use super::members::{InvalidMember, count, hash, size, text, word};
use super::resources;
use crate::http::push::{self, ManifestResource, Push};
use crate::http::resources as wire;
use crate::problem::{Problem, ProblemName};

/// Longest name or description of a skill in bytes: both stand in a frontmatter.
const HEADER_BYTES_MAX: usize = FRONTMATTER_BYTES_MAX;

/// Longest text of a tool in bytes: no longer than all tools of its server together.
const TOOL_BYTES_MAX: usize = SERVER_TOOLS_BYTES_MAX as usize;

/// A push that is well formed.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The number of the agent's session; not negative.
    pub epoch: i64,
    /// The version of the push, from 1 upwards.
    pub version: i64,
    /// Whether every MCP server has answered or failed.
    pub mcp_settled: bool,
    /// What was found. Every hash in it is a claim as yet: whether bytes stand behind it, only the
    /// server can tell. No two resources have the same kind and source.
    pub snapshot: Snapshot,
    /// What there is to know of the workspace that no resource tells.
    pub notes: Vec<Note>,
    /// The bytes that came along. Each has the hash that it stands under, and belongs to an `ok`
    /// instruction file or skill.
    pub bodies: Bodies,
}

/// The push of a snapshot. `bodies` are the bytes to be sent along; of what stands behind a claim
/// nothing is sent, whether it is among them or not.
pub fn push(
    epoch: i64,
    version: i64,
    mcp_settled: bool,
    snapshot: &Snapshot,
    notes: &[Note],
    bodies: &Bodies,
) -> Push {
    let stored: BTreeSet<BlobHash> = snapshot
        .resources
        .iter()
        .flat_map(Resource::stored)
        .collect();
    let sent = bodies.iter().filter(|(hash, _)| stored.contains(hash));
    Push {
        epoch,
        version,
        error: snapshot.error.clone(),
        mcp_settled: Some(mcp_settled),
        facts: resources::facts(&snapshot.facts),
        resources: snapshot.resources.iter().map(to_wire).collect(),
        notes: notes.iter().map(resources::note).collect(),
        blobs: sent
            .map(|(hash, bytes)| (hash.to_string(), STANDARD.encode(bytes)))
            .collect(),
    }
}

fn to_wire(resource: &Resource) -> ManifestResource {
    ManifestResource {
        kind: resource.kind.to_string(),
        source: resource.source.clone(),
        status: resource.status.to_string(),
        error: resource.error.clone(),
        content_hash: resources::content_hash(resource.content),
        size_bytes: resource.size,
        root: resource.root.clone(),
        name: resource.name.clone(),
        description: resource.description.clone(),
        files: resource.files.iter().map(resources::skill_file).collect(),
        tools: resources::tools(resource.detail.as_ref()),
        shape: resources::shape(resource.detail.as_ref()),
    }
}

/// Reads a push.
///
/// # Errors
///
/// `hash-mismatch` if bytes do not have the hash that they stand under, else `invalid-manifest`;
/// both name the member.
pub fn manifest(push: Push) -> Result<Manifest, Problem> {
    let refused = |invalid: InvalidMember| invalid.problem(ProblemName::InvalidManifest);
    let head = read_head(&push).map_err(refused)?;
    let facts = read_facts(push.facts).map_err(refused)?;
    let error = optional("error", push.error, ERROR_BYTES_MAX).map_err(refused)?;
    let resources = read_resources(push.resources).map_err(refused)?;
    let notes = read_notes(push.notes).map_err(refused)?;
    let bodies = read_bodies(push.blobs, &resources)?;
    Ok(Manifest {
        epoch: head.0,
        version: head.1,
        mcp_settled: push.mcp_settled.unwrap_or(true),
        snapshot: Snapshot {
            facts,
            error,
            resources,
        },
        notes,
        bodies,
    })
}

/// A code that this release does not know is passed over: what it would say is of a later one.
fn read_notes(notes: Vec<wire::Note>) -> Result<Vec<Note>, InvalidMember> {
    count("notes", notes.len(), NOTES_MAX)?;
    let mut read = Vec::with_capacity(notes.len());
    for (index, note) in notes.into_iter().enumerate() {
        let at = format!("notes[{index}]");
        let detail = optional(format!("{at}.detail"), note.detail, DETAIL_BYTES_MAX)?;
        let source = optional(format!("{at}.source"), note.source, SOURCE_BYTES_MAX)?;
        let line = note
            .line
            .map(|line| size(format!("{at}.line"), line))
            .transpose()?;
        if let Ok(code) = note.code.parse() {
            read.push(Note {
                source,
                warning: Warning { code, line, detail },
            });
        }
    }
    Ok(read)
}

/// A version counts from 1, because 0 stands for "none yet".
fn read_head(push: &Push) -> Result<(i64, i64), InvalidMember> {
    for (member, number, least) in [("epoch", push.epoch, 0), ("version", push.version, 1)] {
        if number < least {
            return Err(InvalidMember::new(
                member,
                format!("it is at least {least}"),
            ));
        }
    }
    Ok((push.epoch, push.version))
}

fn read_facts(facts: push::Facts) -> Result<Facts, InvalidMember> {
    Ok(Facts {
        os: optional("facts.os", facts.os, FACT_BYTES_MAX)?,
        directory: optional("facts.directory", facts.directory, FACT_BYTES_MAX)?,
    })
}

fn read_resources(resources: Vec<ManifestResource>) -> Result<Vec<Resource>, InvalidMember> {
    count("resources", resources.len(), SNAPSHOT_LISTED_MAX)?;
    let resources = resources.into_iter().enumerate();
    let resources: Vec<Resource> = resources
        .map(|(index, resource)| read_resource(&format!("resources[{index}]"), resource))
        .collect::<Result<_, _>>()?;
    let used = resources.iter().filter(|r| r.status == Status::Ok).count();
    if used > SNAPSHOT_RESOURCES_MAX {
        let reason =
            format!("there are {used} that are ok, and at most {SNAPSHOT_RESOURCES_MAX} are taken");
        return Err(InvalidMember::new("resources", reason));
    }
    let mut seen = HashSet::new();
    for (index, resource) in resources.iter().enumerate() {
        if !seen.insert((resource.kind, resource.source.as_str())) {
            let reason = format!("{} {} is listed twice", resource.kind, resource.source);
            return Err(InvalidMember::new(format!("resources[{index}]"), reason));
        }
    }
    Ok(resources)
}

fn read_resource(at: &str, resource: ManifestResource) -> Result<Resource, InvalidMember> {
    let kind: Kind = word(format!("{at}.kind"), &resource.kind)?;
    let status: Status = word(format!("{at}.status"), &resource.status)?;
    refuse_foreign_members(at, kind, &resource)?;
    let source = text(format!("{at}.source"), resource.source, SOURCE_BYTES_MAX)?;
    if source.is_empty() {
        return Err(InvalidMember::new(
            format!("{at}.source"),
            "a source is not empty",
        ));
    }
    let content = claim(
        &format!("{at}.content_hash"),
        resource.content_hash.as_deref(),
    )?;
    if status == Status::Ok && kind.is_context() && content.is_none() {
        let reason = format!(
            "{} {kind} that is ok has the hash of its bytes",
            article(kind)
        );
        return Err(InvalidMember::new(format!("{at}.content_hash"), reason));
    }
    let detail = match kind {
        Kind::McpServer => read_tools(at, resource.tools)?,
        Kind::InstructionFile | Kind::Skill | Kind::McpConfig => read_shape(at, resource.shape)?,
    };
    Ok(Resource {
        kind,
        source,
        status,
        error: optional(format!("{at}.error"), resource.error, ERROR_BYTES_MAX)?,
        content,
        size: size(format!("{at}.size_bytes"), resource.size_bytes)?,
        name: optional(format!("{at}.name"), resource.name, HEADER_BYTES_MAX)?,
        description: optional(
            format!("{at}.description"),
            resource.description,
            HEADER_BYTES_MAX,
        )?,
        root: optional(format!("{at}.root"), resource.root, SOURCE_BYTES_MAX)?,
        detail,
        files: read_files(at, status, resource.files)?,
    })
}

/// A member that means nothing for a kind would be lost or, worse, change its hash.
fn refuse_foreign_members(
    at: &str,
    kind: Kind,
    resource: &ManifestResource,
) -> Result<(), InvalidMember> {
    let is_named = matches!(kind, Kind::Skill | Kind::McpServer);
    let foreign = [
        ("name", resource.name.is_some() && !is_named),
        ("description", resource.description.is_some() && !is_named),
        ("files", !resource.files.is_empty() && kind != Kind::Skill),
        (
            "tools",
            !resource.tools.is_empty() && kind != Kind::McpServer,
        ),
        ("shape", resource.shape.is_some() && kind != Kind::McpConfig),
    ];
    match foreign.iter().find(|(_, is_foreign)| *is_foreign) {
        None => Ok(()),
        Some((member, _)) => Err(InvalidMember::new(
            format!("{at}.{member}"),
            format!("{} {kind} has no such member", article(kind)),
        )),
    }
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Skill => "a",
        Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => "an",
    }
}

fn read_files(
    at: &str,
    status: Status,
    files: Vec<wire::SkillFile>,
) -> Result<Vec<SkillFile>, InvalidMember> {
    count(format!("{at}.files"), files.len(), SKILL_LISTED_MAX)?;
    let mut seen = HashSet::new();
    let mut read = Vec::with_capacity(files.len());
    for (index, file) in files.into_iter().enumerate() {
        let at = format!("{at}.files[{index}]");
        let path = text(format!("{at}.path"), file.path, SOURCE_BYTES_MAX)?;
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            let reason = "a path lies below the skill's directory: names with `/` between them";
            return Err(InvalidMember::new(format!("{at}.path"), reason));
        }
        if !seen.insert(path.clone()) {
            return Err(InvalidMember::new(
                format!("{at}.path"),
                "it is listed twice",
            ));
        }
        let content = claim(&format!("{at}.content_hash"), file.content_hash.as_deref())?;
        let error = optional(format!("{at}.error"), file.error, ERROR_BYTES_MAX)?;
        if status == Status::Ok && content.is_none() && error.is_none() {
            let reason = "a file has the hash of its bytes, or an error that says why not";
            return Err(InvalidMember::new(format!("{at}.content_hash"), reason));
        }
        read.push(SkillFile {
            path,
            content,
            size: size(format!("{at}.size_bytes"), file.size_bytes)?,
            executable: file.executable,
            error,
        });
    }
    Ok(read)
}

/// A server without tools has no detail, so that an absent and an empty list are one thing.
fn read_tools(at: &str, tools: Vec<wire::Tool>) -> Result<Option<Detail>, InvalidMember> {
    count(format!("{at}.tools"), tools.len(), SERVER_TOOLS_MAX)?;
    let mut read = Vec::with_capacity(tools.len());
    for (index, tool) in tools.into_iter().enumerate() {
        let at = format!("{at}.tools[{index}]");
        if tool
            .input_schema
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value))
        {
            let reason = "it holds a NUL character, which no text may";
            return Err(InvalidMember::new(format!("{at}.input_schema"), reason));
        }
        read.push(Tool {
            name: text(format!("{at}.name"), tool.name, SOURCE_BYTES_MAX)?,
            description: optional(
                format!("{at}.description"),
                tool.description,
                TOOL_BYTES_MAX,
            )?,
            input_schema: tool.input_schema,
        });
    }
    Ok(Some(read)
        .filter(|read| !read.is_empty())
        .map(Detail::Tools))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn read_shape(at: &str, shape: Option<wire::Shape>) -> Result<Option<Detail>, InvalidMember> {
    let Some(shape) = shape else {
        return Ok(None);
    };
    let at = format!("{at}.shape.servers");
    // The file that it tells of is no longer than this, and every text here stands in it.
    let bytes_max = MCP_CONFIG_BYTES_MAX as usize;
    count(&at, shape.servers.len(), bytes_max)?;
    let mut read = Vec::with_capacity(shape.servers.len());
    for (index, server) in shape.servers.into_iter().enumerate() {
        let at = format!("{at}[{index}]");
        let texts = |member: &str, texts: Vec<String>| -> Result<Vec<String>, InvalidMember> {
            let texts = texts.into_iter();
            texts
                .map(|name| text(format!("{at}.{member}"), name, bytes_max))
                .collect()
        };
        read.push(ServerShape {
            env: texts("env", server.env)?,
            headers: texts("headers", server.headers)?,
            name: text(format!("{at}.name"), server.name, bytes_max)?,
            transport: text(format!("{at}.transport"), server.transport, bytes_max)?,
            command: optional(format!("{at}.command"), server.command, bytes_max)?,
            host: optional(format!("{at}.host"), server.host, bytes_max)?,
        });
    }
    Ok(Some(Detail::Shape(read)))
}

/// Bytes that belong to no `ok` instruction file or skill are refused: what an agent does not mean
/// to pin, such as an MCP configuration with its secrets, must not be stored by mistake.
fn read_bodies(blobs: BTreeMap<String, String>, resources: &[Resource]) -> Result<Bodies, Problem> {
    let wanted = wanted(resources);
    let mut bodies = Bodies::new();
    for (name, base64) in blobs {
        let refused = |reason: String| {
            InvalidMember::new(format!("blobs.{name}"), reason)
                .problem(ProblemName::InvalidManifest)
        };
        let hash: BlobHash = hash(format!("blobs.{name}"), &name)
            .map_err(|invalid| invalid.problem(ProblemName::InvalidManifest))?;
        let Some(bytes_max) = wanted.get(&hash) else {
            return Err(refused(
                "no ok instruction file or skill of this push has it".into(),
            ));
        };
        // The length of base64 tells how much it holds, before anything is decoded.
        if (base64.len() / 4 * 3) as u64 > bytes_max + 2 {
            return Err(refused(format!("at most {bytes_max} bytes are taken")));
        }
        let bytes = STANDARD
            .decode(&base64)
            .map_err(|error| refused(format!("it is no base64 (RFC 4648, padded): {error}")))?;
        if bytes.len() as u64 > *bytes_max {
            return Err(refused(format!("at most {bytes_max} bytes are taken")));
        }
        let found = BlobHash::of(&bytes);
        if found != hash {
            let invalid = InvalidMember::new(
                format!("blobs.{name}"),
                format!("the bytes under this hash have the hash {found}"),
            );
            return Err(invalid.problem(ProblemName::HashMismatch));
        }
        bodies.insert(hash, Arc::from(bytes));
    }
    Ok(bodies)
}

/// The hashes that bytes may come under, each with the most bytes that it may stand for.
fn wanted(resources: &[Resource]) -> BTreeMap<BlobHash, u64> {
    let mut wanted = BTreeMap::new();
    for resource in resources
        .iter()
        .filter(|resource| resource.reaches_context())
    {
        let body = resource
            .content
            .map(|content| (content, PROMPT_FILE_BYTES_MAX));
        let files = resource.files.iter().filter(|file| file.error.is_none());
        let files = files.filter_map(|file| Some((file.content?, SKILL_FILE_BYTES_MAX)));
        for (content, bytes_max) in body.into_iter().chain(files) {
            let most = wanted.entry(content.hash()).or_insert(bytes_max);
            *most = bytes_max.max(*most);
        }
    }
    wanted
}

fn claim(member: &str, text: Option<&str>) -> Result<Option<Content>, InvalidMember> {
    text.map(|text| hash(member, text).map(Content::Claimed))
        .transpose()
}

fn optional(
    member: impl std::fmt::Display,
    value: Option<String>,
    bytes_max: usize,
) -> Result<Option<String>, InvalidMember> {
    value
        .map(|value| text(member, value, bytes_max))
        .transpose()
}
