//! Whether claims are well formed. An error names the member as the API names it.

use std::collections::HashSet;
use std::fmt::Display;

use serde_json::Value;

use super::invalid::InvalidManifest;
use super::{Claim, ClaimedFile, Claims};
use crate::hash::BlobHash;
use crate::limits::{
    BLOB_UPLOAD_BYTES_MAX, ERROR_BYTES_MAX, FACT_BYTES_MAX, FRONTMATTER_BYTES_MAX, GLOB_BYTES_MAX,
    GLOBS_MAX, MCP_CONFIG_BYTES_MAX, SERVER_TOOLS_BYTES_MAX, SERVER_TOOLS_MAX, SKILL_LISTED_MAX,
    SNAPSHOT_LISTED_MAX, SNAPSHOT_RESOURCES_MAX, SOURCE_BYTES_MAX, count_fault, text_fault,
};
use crate::mcp::{ServerShape, Tool};
use crate::resource::{ALSO_MAX, Applies, Kind, Status};

/// The longest name or description of a skill in bytes, because both are in a frontmatter.
const HEADER_BYTES_MAX: usize = FRONTMATTER_BYTES_MAX;

/// The longest text of a tool in bytes, because all tools of a server together have no more.
const TOOL_BYTES_MAX: usize = SERVER_TOOLS_BYTES_MAX as usize;

/// The longest text and the longest list of a shape, because the file that holds all of it is no
/// longer.
const SHAPE_BYTES_MAX: usize = MCP_CONFIG_BYTES_MAX as usize;

/// Checks all claims. See [`super::Manifest`] for the rules.
pub fn claims(claims: &Claims) -> Result<(), InvalidManifest> {
    let facts = &claims.facts;
    optional("facts.os", facts.os.as_deref(), FACT_BYTES_MAX)?;
    optional(
        "facts.directory",
        facts.directory.as_deref(),
        FACT_BYTES_MAX,
    )?;
    optional("error", claims.error.as_deref(), ERROR_BYTES_MAX)?;
    resources(&claims.resources)?;
    blobs(claims)
}

fn resources(claims: &[Claim]) -> Result<(), InvalidManifest> {
    count("resources", claims.len(), SNAPSHOT_LISTED_MAX)?;
    for (index, claim) in claims.iter().enumerate() {
        resource(&format!("resources[{index}]"), claim)?;
    }
    let used = claims.iter().filter(|c| c.status == Status::Ok).count();
    if used > SNAPSHOT_RESOURCES_MAX {
        let reason =
            format!("there are {used} that are ok, and at most {SNAPSHOT_RESOURCES_MAX} are taken");
        return Err(InvalidManifest::of_member("resources", reason));
    }
    let mut seen = HashSet::new();
    for (index, claim) in claims.iter().enumerate() {
        if !seen.insert((claim.kind, claim.source.as_str())) {
            let reason = format!("{} {} is listed twice", claim.kind, claim.source);
            return Err(InvalidManifest::of_member(
                format!("resources[{index}]"),
                reason,
            ));
        }
    }
    Ok(())
}

fn resource(at: &str, claim: &Claim) -> Result<(), InvalidManifest> {
    foreign_members(at, claim)?;
    text(format!("{at}.source"), &claim.source, SOURCE_BYTES_MAX)?;
    if claim.source.is_empty() {
        let reason = "a source is not empty";
        return Err(InvalidManifest::of_member(format!("{at}.source"), reason));
    }
    let kind = claim.kind;
    if claim.reaches_context() && claim.content_hash.is_none() {
        let article = article(kind);
        let reason = format!("{article} {kind} that is ok has the hash of its bytes");
        return Err(InvalidManifest::of_member(
            format!("{at}.content_hash"),
            reason,
        ));
    }
    for (member, value, bytes_max) in [
        ("error", &claim.error, ERROR_BYTES_MAX),
        ("name", &claim.name, HEADER_BYTES_MAX),
        ("description", &claim.description, HEADER_BYTES_MAX),
        ("root", &claim.root, SOURCE_BYTES_MAX),
        ("imported_by", &claim.imported_by, SOURCE_BYTES_MAX),
    ] {
        optional(format!("{at}.{member}"), value.as_deref(), bytes_max)?;
    }
    if let Some(files) = &claim.applies {
        applies(at, files)?;
    }
    tools(at, &claim.tools)?;
    shape(at, claim.shape.as_deref().unwrap_or_default())?;
    files(at, claim.status, &claim.files)
}

/// Refuses members that mean nothing for the claim's kind. They would be lost or, worse, change its
/// hash.
fn foreign_members(at: &str, claim: &Claim) -> Result<(), InvalidManifest> {
    let kind = claim.kind;
    let is_file = kind == Kind::InstructionFile;
    let is_named = matches!(kind, Kind::Skill | Kind::McpServer);
    let foreign = [
        ("name", claim.name.is_some() && !is_named),
        ("description", claim.description.is_some() && !is_named),
        ("files", !claim.files.is_empty() && kind != Kind::Skill),
        ("tools", !claim.tools.is_empty() && kind != Kind::McpServer),
        ("shape", claim.shape.is_some() && kind != Kind::McpConfig),
        ("applies", claim.applies.is_some() && !kind.is_context()),
        ("imported_by", claim.imported_by.is_some() && !is_file),
    ];
    match foreign.iter().find(|(_, is_foreign)| *is_foreign) {
        None => Ok(()),
        Some((member, _)) => Err(InvalidManifest::of_member(
            format!("{at}.{member}"),
            format!("{} {kind} has no such member", article(kind)),
        )),
    }
}

fn applies(at: &str, applies: &Applies) -> Result<(), InvalidManifest> {
    let at = format!("{at}.applies");
    files_below(&at, &applies.below, &applies.globs)?;
    count(format!("{at}.also"), applies.also.len(), ALSO_MAX)?;
    for (index, also) in applies.also.iter().enumerate() {
        let at = format!("{at}.also[{index}]");
        files_below(&at, &also.below, &also.globs)?;
        let behind = also.behind.as_deref();
        optional(format!("{at}.behind"), behind, SOURCE_BYTES_MAX)?;
    }
    Ok(())
}

fn files_below(at: &str, below: &str, globs: &[String]) -> Result<(), InvalidManifest> {
    text(format!("{at}.below"), below, SOURCE_BYTES_MAX)?;
    count(format!("{at}.globs"), globs.len(), GLOBS_MAX)?;
    for (index, glob) in globs.iter().enumerate() {
        text(format!("{at}.globs[{index}]"), glob, GLOB_BYTES_MAX)?;
    }
    Ok(())
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Skill => "a",
        Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => "an",
    }
}

fn files(at: &str, status: Status, files: &[ClaimedFile]) -> Result<(), InvalidManifest> {
    count(format!("{at}.files"), files.len(), SKILL_LISTED_MAX)?;
    let mut seen = HashSet::new();
    for (index, file) in files.iter().enumerate() {
        let at = format!("{at}.files[{index}]");
        text(format!("{at}.path"), &file.path, SOURCE_BYTES_MAX)?;
        let is_name = |part: &str| !matches!(part, "" | "." | "..");
        if !file.path.split('/').all(is_name) {
            let reason = "a path lies below the skill's directory: names with `/` between them";
            return Err(InvalidManifest::of_member(format!("{at}.path"), reason));
        }
        if !seen.insert(file.path.as_str()) {
            return Err(InvalidManifest::of_member(
                format!("{at}.path"),
                "it is listed twice",
            ));
        }
        optional(
            format!("{at}.error"),
            file.error.as_deref(),
            ERROR_BYTES_MAX,
        )?;
        if status == Status::Ok && file.content_hash.is_none() && file.error.is_none() {
            let reason = "a file has the hash of its bytes, or an error that says why not";
            return Err(InvalidManifest::of_member(
                format!("{at}.content_hash"),
                reason,
            ));
        }
    }
    Ok(())
}

fn tools(at: &str, tools: &[Tool]) -> Result<(), InvalidManifest> {
    count(format!("{at}.tools"), tools.len(), SERVER_TOOLS_MAX)?;
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("{at}.tools[{index}]");
        let mut members = tool.input_schema.iter();
        if members.any(|(key, value)| key.contains('\0') || has_nul(value)) {
            let reason = "it holds a NUL character, which no text may";
            return Err(InvalidManifest::of_member(
                format!("{at}.input_schema"),
                reason,
            ));
        }
        text(format!("{at}.name"), &tool.name, SOURCE_BYTES_MAX)?;
        let description = tool.description.as_deref();
        optional(format!("{at}.description"), description, TOOL_BYTES_MAX)?;
    }
    Ok(())
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

fn shape(at: &str, servers: &[ServerShape]) -> Result<(), InvalidManifest> {
    let at = format!("{at}.shape.servers");
    count(&at, servers.len(), SHAPE_BYTES_MAX)?;
    for (index, server) in servers.iter().enumerate() {
        let at = format!("{at}[{index}]");
        for (member, names) in [("env", &server.env), ("headers", &server.headers)] {
            for name in names {
                text(format!("{at}.{member}"), name, SHAPE_BYTES_MAX)?;
            }
        }
        text(format!("{at}.name"), &server.name, SHAPE_BYTES_MAX)?;
        text(
            format!("{at}.transport"),
            &server.transport,
            SHAPE_BYTES_MAX,
        )?;
        for (member, value) in [("command", &server.command), ("host", &server.host)] {
            optional(format!("{at}.{member}"), value.as_deref(), SHAPE_BYTES_MAX)?;
        }
    }
    Ok(())
}

/// Refuses bytes that belong to no `ok` instruction file or skill. The server must not store by mistake
/// what the agent does not mean to pin, such as an MCP configuration with its secrets.
///
/// The limit is that of an upload, and not that of the kind. An agent of another release may know a
/// larger limit of the kind; [`super::judge::judge`] then lists that one file as too large.
fn blobs(claims: &Claims) -> Result<(), InvalidManifest> {
    let wanted = wanted(&claims.resources);
    for (claimed, bytes) in &claims.blobs {
        let refused = |reason: String| {
            Err(InvalidManifest::of_member(
                format!("blobs.{claimed}"),
                reason,
            ))
        };
        if !wanted.contains(claimed) {
            return refused("no ok instruction file or skill of this push has it".into());
        }
        if bytes.len() as u64 > BLOB_UPLOAD_BYTES_MAX {
            return refused(format!("at most {BLOB_UPLOAD_BYTES_MAX} bytes are taken"));
        }
        let (claimed, computed) = (*claimed, BlobHash::of(bytes));
        if claimed != computed {
            return Err(InvalidManifest::HashMismatch { claimed, computed });
        }
    }
    Ok(())
}

/// Returns the hashes of the bodies and supporting files that the snapshot would store.
fn wanted(claims: &[Claim]) -> HashSet<BlobHash> {
    let used = claims.iter().filter(|claim| claim.reaches_context());
    let hashes = used.flat_map(|claim| {
        let files = claim.files.iter().filter(|file| file.error.is_none());
        let files = files.filter_map(|file| file.content_hash);
        claim.content_hash.into_iter().chain(files)
    });
    hashes.collect()
}

fn text(member: impl Display, text: &str, bytes_max: usize) -> Result<(), InvalidManifest> {
    match text_fault(text, bytes_max) {
        None => Ok(()),
        Some(reason) => Err(InvalidManifest::of_member(member, reason)),
    }
}

fn optional(
    member: impl Display,
    value: Option<&str>,
    bytes_max: usize,
) -> Result<(), InvalidManifest> {
    value.map_or(Ok(()), |value| text(member, value, bytes_max))
}

fn count(member: impl Display, count: usize, count_max: usize) -> Result<(), InvalidManifest> {
    match count_fault(count, count_max) {
        None => Ok(()),
        Some(reason) => Err(InvalidManifest::of_member(member, reason)),
    }
}
