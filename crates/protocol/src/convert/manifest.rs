//! Pushes: from an agent's snapshot to the wire, and from the wire to a well-formed push.
//!
//! This module decodes words, hashes, numbers and base64. [`Manifest::new`] checks what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{
    SERVER_TOOLS_MAX, SKILL_LISTED_MAX, SNAPSHOT_LISTED_MAX, SOURCE_BYTES_MAX,
};
use ctxpin_model::manifest::invalid::InvalidManifest;
use ctxpin_model::manifest::{Claim, ClaimedFile, Claims, Manifest};
use ctxpin_model::mcp::{ServerShape, Tool};
use ctxpin_model::profile::{Profile, Rules, Settings};
use ctxpin_model::push::{self, Position};
use ctxpin_model::resource::{Also, Applies, Bodies, Resource};
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_model::warning::{DETAIL_BYTES_MAX, NOTES_MAX, Note, Warning};

use super::agents::profile_named;
use super::members::{InvalidMember, count, hash, size, text, word};
use super::resources;
use crate::http::push::{self as http, ManifestResource, Push};
use crate::http::resources as wire;
use crate::problem::{Problem, ProblemName};

/// Returns the push of a snapshot. It sends those of `bodies` that the snapshot stores.
pub fn push(
    epoch: i64,
    version: i64,
    mcp_settled: bool,
    snapshot: &Snapshot,
    notes: &[Note],
    bodies: &Bodies,
) -> Push {
    let stored = snapshot.stored();
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
        applies: resource.applies.as_ref().map(resources::applies),
        imported_by: resource.imported_by.clone(),
    }
}

/// Reads a push.
///
/// # Errors
///
/// Returns `hash-mismatch` if bytes do not have the hash under which they were sent, else
/// `invalid-manifest`. Both name the member.
pub fn read(push: Push) -> Result<push::Push, Problem> {
    let refused = |invalid: InvalidMember| invalid.problem(ProblemName::InvalidManifest);
    let position = read_position(&push).map_err(refused)?;
    let notes = read_notes(push.notes).map_err(refused)?;
    let claims = Claims {
        facts: read_facts(push.facts).map_err(refused)?,
        error: push.error,
        resources: read_resources(push.resources).map_err(refused)?,
        blobs: read_blobs(push.blobs).map_err(refused)?,
    };
    Ok(push::Push {
        position,
        mcp_settled: push.mcp_settled.unwrap_or(true),
        manifest: Manifest::new(claims).map_err(problem)?,
        notes,
    })
}

fn read_facts(facts: http::Facts) -> Result<Facts, InvalidMember> {
    Ok(Facts {
        rules: read_rules(&facts)?,
        os: facts.os,
        directory: facts.directory,
    })
}

/// Reads the rules of a push. An agent of another release may know others; the error says which of the two to
/// upgrade.
fn read_rules(facts: &http::Facts) -> Result<Option<Rules>, InvalidMember> {
    let profile = match &facts.profile {
        None => Profile::Neutral,
        Some(text) => profile_named("facts.profile", text, |known| {
            format!("this server knows the profiles {known} alone; upgrade it")
        })?,
    };
    if profile == Profile::Neutral {
        let there = [
            ("facts.rules", facts.rules.is_some()),
            ("facts.settings", facts.settings.is_some()),
        ];
        let foreign = there.iter().find(|(_, is_there)| *is_there);
        return foreign.map_or(Ok(None), |(member, _)| {
            Err(InvalidMember::new(*member, "the neutral profile has none"))
        });
    }
    let missing = |member| InvalidMember::new(member, format!("the profile `{profile}` has them"));
    let version = facts.rules.ok_or_else(|| missing("facts.rules"))?;
    let known = profile.rules_known();
    if !known.contains(&version) {
        let newest = known.last().copied().unwrap_or_default();
        let remedy = match version > newest {
            true => "upgrade the server",
            false => "upgrade the agent",
        };
        let reason =
            format!("this server knows the rules {newest} of the profile `{profile}`; {remedy}");
        return Err(InvalidMember::new("facts.rules", reason));
    }
    let settings = facts.settings.as_ref();
    let settings = settings.ok_or_else(|| missing("facts.settings"))?;
    let settings = Settings::from_json(profile, settings);
    let settings =
        settings.map_err(|error| InvalidMember::new("facts.settings", error.to_string()))?;
    Ok(Some(Rules { version, settings }))
}

fn problem(invalid: InvalidManifest) -> Problem {
    let name = match invalid {
        InvalidManifest::Member { .. } => ProblemName::InvalidManifest,
        InvalidManifest::HashMismatch { .. } => ProblemName::HashMismatch,
    };
    Problem::new(name, invalid.to_string()).with("member", invalid.member())
}

/// Versions count from 1, because 0 means that there is none yet.
fn read_position(push: &Push) -> Result<Position, InvalidMember> {
    for (member, number, least) in [("epoch", push.epoch, 0), ("version", push.version, 1)] {
        if number < least {
            return Err(InvalidMember::new(
                member,
                format!("it must be at least {least}"),
            ));
        }
    }
    Ok(Position {
        epoch: push.epoch,
        version: push.version,
    })
}

/// Skips a note whose code this release does not know: a later release may add codes.
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

fn optional(
    member: String,
    value: Option<String>,
    bytes_max: usize,
) -> Result<Option<String>, InvalidMember> {
    value
        .map(|value| text(member, value, bytes_max))
        .transpose()
}

/// Counts lists before it decodes them, so that a very long one costs nothing.
fn read_resources(resources: Vec<ManifestResource>) -> Result<Vec<Claim>, InvalidMember> {
    count("resources", resources.len(), SNAPSHOT_LISTED_MAX)?;
    let resources = resources.into_iter().enumerate();
    resources
        .map(|(index, resource)| read_resource(&format!("resources[{index}]"), resource))
        .collect()
}

fn read_resource(at: &str, resource: ManifestResource) -> Result<Claim, InvalidMember> {
    Ok(Claim {
        kind: word(format!("{at}.kind"), &resource.kind)?,
        source: resource.source,
        status: word(format!("{at}.status"), &resource.status)?,
        error: resource.error,
        content_hash: read_hash(at, resource.content_hash)?,
        size: size(format!("{at}.size_bytes"), resource.size_bytes)?,
        root: resource.root,
        name: resource.name,
        description: resource.description,
        files: read_files(at, resource.files)?,
        tools: read_tools(at, resource.tools)?,
        shape: resource.shape.map(read_shape),
        applies: resource.applies.map(read_applies),
        imported_by: resource.imported_by,
    })
}

fn read_applies(applies: wire::Applies) -> Applies {
    let also = applies.also.into_iter().map(|also| Also {
        below: also.below,
        globs: also.globs,
        behind: also.behind,
    });
    Applies {
        below: applies.below,
        globs: applies.globs,
        also: also.collect(),
    }
}

fn read_files(at: &str, files: Vec<wire::SkillFile>) -> Result<Vec<ClaimedFile>, InvalidMember> {
    count(format!("{at}.files"), files.len(), SKILL_LISTED_MAX)?;
    let files = files.into_iter().enumerate();
    files
        .map(|(index, file)| {
            let at = format!("{at}.files[{index}]");
            Ok(ClaimedFile {
                path: file.path,
                content_hash: read_hash(&at, file.content_hash)?,
                size: size(format!("{at}.size_bytes"), file.size_bytes)?,
                executable: file.executable,
                error: file.error,
            })
        })
        .collect()
}

fn read_hash(at: &str, text: Option<String>) -> Result<Option<BlobHash>, InvalidMember> {
    text.map(|text| hash(format!("{at}.content_hash"), &text))
        .transpose()
}

fn read_tools(at: &str, tools: Vec<wire::Tool>) -> Result<Vec<Tool>, InvalidMember> {
    count(format!("{at}.tools"), tools.len(), SERVER_TOOLS_MAX)?;
    let tools = tools.into_iter().map(|tool| Tool {
        name: tool.name,
        description: tool.description,
        input_schema: tool.input_schema,
    });
    Ok(tools.collect())
}

fn read_shape(shape: wire::Shape) -> Vec<ServerShape> {
    let servers = shape.servers.into_iter().map(|server| ServerShape {
        name: server.name,
        transport: server.transport,
        command: server.command,
        host: server.host,
        env: server.env,
        headers: server.headers,
    });
    servers.collect()
}

fn read_blobs(blobs: BTreeMap<String, String>) -> Result<Bodies, InvalidMember> {
    let mut read = Bodies::new();
    for (name, base64) in blobs {
        let at = format!("blobs.{name}");
        let hash: BlobHash = hash(&at, &name)?;
        let bytes = STANDARD.decode(&base64).map_err(|error| {
            let reason = format!("it is not base64 (RFC 4648, padded): {error}");
            InvalidMember::new(&at, reason)
        })?;
        read.insert(hash, Arc::from(bytes));
    }
    Ok(read)
}
