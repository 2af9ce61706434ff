//! From a manifest to a snapshot. The server takes a claimed value only if it cannot compute the
//! value: sizes, names and descriptions come from the bytes.

use super::agent_blobs::AgentBlobs;
use super::{Claim, ClaimedFile, Manifest};
use crate::admission::admit;
use crate::hash::BlobHash;
use crate::limits::{
    ERROR_BYTES_MAX, INSTRUCTION_FILE_BYTES_MAX, SERVER_TOOLS_BYTES_MAX, SERVER_TOOLS_MAX,
    SKILL_FILE_BYTES_MAX, SKILL_MD_BYTES_MAX, cut, format_bytes,
};
use crate::mcp::Detail;
use crate::profile::Profile;
use crate::resource::{Content, Kind, Resource, SkillFile, Status};
use crate::skill;
use crate::snapshot::{Facts, Snapshot};

/// Returns the snapshot of a manifest. A resource that breaks a rule is listed with the reason and
/// is not used. `blobs` has every hash that [`Manifest::missing`] names, and the bytes of those that
/// [`Manifest::to_read`] names.
pub fn judge(manifest: &Manifest, head: Option<&Snapshot>, blobs: &AgentBlobs) -> Snapshot {
    let claims = manifest.claims();
    let resources = claims.resources.iter();
    let mut resources = resources
        .map(|claim| resource(claim, &claims.facts, head, blobs))
        .collect();
    let dropped = admit(&mut resources);
    debug_assert_eq!(dropped, None, "a manifest lists no more than a snapshot");
    Snapshot {
        facts: claims.facts.clone(),
        error: claims.error.clone(),
        resources,
    }
}

fn resource(claim: &Claim, facts: &Facts, head: Option<&Snapshot>, blobs: &AgentBlobs) -> Resource {
    let mut resource = as_claimed(claim);
    match claim.kind {
        Kind::InstructionFile => judge_instruction_file(&mut resource, blobs),
        Kind::Skill => judge_skill(&mut resource, claim, facts, head, blobs),
        Kind::McpConfig => {}
        Kind::McpServer => judge_server(&mut resource),
    }
    let is_file = resource.kind != Kind::McpServer;
    if resource.status == Status::Ok && is_file && !resource.source.starts_with('/') {
        resource.demote(Status::Invalid, "its source is not an absolute path");
    }
    if resource.status != Status::Ok {
        let error = resource.error.take();
        let error = error.unwrap_or_else(|| "no reason was given".into());
        resource.demote(resource.status, error);
    } else if resource.kind.is_context() {
        // The snapshot stores what the agent has proved.
        resource.content = claim.content_hash.map(Content::Pinned);
    }
    resource
}

/// Returns a resource that stores nothing: every hash in it is a claim.
fn as_claimed(claim: &Claim) -> Resource {
    let shape = claim.shape.clone().map(Detail::Shape);
    // A server without tools has no detail, so an absent list and an empty list are equal.
    let tools = (!claim.tools.is_empty()).then(|| Detail::Tools(claim.tools.clone()));
    Resource {
        error: claim.error.clone(),
        content: claim.content_hash.map(Content::Claimed),
        size: claim.size,
        name: claim.name.clone(),
        description: claim.description.clone(),
        root: claim.root.clone(),
        detail: tools.or(shape),
        files: claim.files.iter().map(file_as_claimed).collect(),
        applies: claim.applies.clone(),
        imported_by: claim.imported_by.clone(),
        ..Resource::new(claim.kind, &claim.source, claim.status)
    }
}

fn file_as_claimed(file: &ClaimedFile) -> SkillFile {
    SkillFile {
        path: file.path.clone(),
        content: file.content_hash.map(Content::Claimed),
        size: file.size,
        executable: file.executable,
        error: file.error.clone(),
    }
}

fn judge_instruction_file(resource: &mut Resource, blobs: &AgentBlobs) {
    let body = usable_body(resource, INSTRUCTION_FILE_BYTES_MAX, blobs);
    let bytes = body.and_then(|hash| blobs.bytes(hash));
    if let Some(Err(error)) = bytes.map(std::str::from_utf8) {
        let offset = error.valid_up_to();
        let reason = format!("not UTF-8 (first bad byte at offset {offset})");
        resource.demote(Status::Invalid, reason);
    }
}

/// Sets the size of an `ok` resource to that of its body and returns the body's hash. Demotes a
/// resource whose body is too large.
fn usable_body(resource: &mut Resource, bytes_max: u64, blobs: &AgentBlobs) -> Option<BlobHash> {
    if resource.status != Status::Ok {
        return None;
    }
    let hash = resource.content?.hash();
    resource.size = blobs.size(hash);
    if resource.size > bytes_max {
        let reason = format!("larger than {}", format_bytes(bytes_max));
        resource.demote(Status::Oversize, reason);
        return None;
    }
    Some(hash)
}

fn judge_skill(
    resource: &mut Resource,
    claim: &Claim,
    facts: &Facts,
    head: Option<&Snapshot>,
    blobs: &AgentBlobs,
) {
    if resource.status == Status::Ok {
        let mut files = std::mem::take(&mut resource.files);
        files.iter_mut().for_each(|file| judge_file(file, blobs));
        resource.files = skill::files::admit(files);
    }
    let Some(hash) = usable_body(resource, SKILL_MD_BYTES_MAX, blobs) else {
        return;
    };
    let (name, description, mut refusals) = match same_skill(claim, hash, head) {
        Some(skill) => (skill.name.clone(), skill.description.clone(), Vec::new()),
        None => {
            let directory = skill::directory_name(&claim.source).unwrap_or_default();
            let bytes = blobs.bytes(hash).unwrap_or_default();
            let profile = facts.profile_rules().profile;
            let substitute = profile.described_by_text(bytes);
            let dialect = profile.skill_dialect();
            let frontmatter = skill::parse(bytes, directory, substitute, dialect);
            let refusals = frontmatter.refusal.into_iter().collect();
            let name = frontmatter
                .name
                .map(|name| match (&claim.applies, &claim.name) {
                    (Some(files), _) => {
                        skill::scoped_name(&name, &files.below, facts.directory.as_deref())
                    }
                    // The name of the plugin is in none of the skill's files.
                    (None, Some(claimed))
                        if profile == Profile::Codex
                            && skill::is_plugin_skill_name(claimed, &name) =>
                    {
                        claimed.clone()
                    }
                    (None, _) => name,
                });
            (name, frontmatter.description, refusals)
        }
    };
    let differs = |claimed: &Option<String>, derived: &Option<String>| {
        claimed.is_some() && claimed != derived
    };
    if differs(&claim.name, &name) {
        refusals.push("the name that was sent is not the one in its SKILL.md".into());
    }
    if differs(&claim.description, &description) {
        refusals.push("the description that was sent is not the one in its SKILL.md".into());
    }
    resource.name = name;
    resource.description = description;
    if !refusals.is_empty() {
        let reason = refusals.join("; ");
        resource.demote(Status::Invalid, cut(&reason, ERROR_BYTES_MAX));
    }
}

/// Returns the head's skill of the same source and bytes and for the same files, whose name and description are known. Its
/// name is not, if it may have one of a plugin in it and the claim says another one.
pub(super) fn same_skill<'s>(
    claim: &Claim,
    hash: BlobHash,
    head: Option<&'s Snapshot>,
) -> Option<&'s Resource> {
    let skill = head?.find(Kind::Skill, &claim.source)?;
    let has_colon = skill.name.as_ref().is_some_and(|name| name.contains(':'));
    let is_named = skill.name == claim.name || (claim.name.is_none() && !has_colon);
    (skill.body() == Some(hash) && skill.applies == claim.applies && is_named).then_some(skill)
}

/// Pins a file of an `ok` skill if its bytes are not too large.
fn judge_file(file: &mut SkillFile, blobs: &AgentBlobs) {
    let Some(hash) = file.content.map(Content::hash) else {
        return;
    };
    if file.error.is_some() {
        return;
    }
    file.size = blobs.size(hash);
    if file.size > SKILL_FILE_BYTES_MAX {
        file.error = Some(format!(
            "larger than {}",
            format_bytes(SKILL_FILE_BYTES_MAX)
        ));
    } else {
        file.content = Some(Content::Pinned(hash));
    }
}

fn judge_server(resource: &mut Resource) {
    resource.content = None;
    let Some(detail) = &resource.detail else {
        return;
    };
    let bytes = detail.canonical_json().len() as u64;
    if resource.status == Status::Ok && bytes > SERVER_TOOLS_BYTES_MAX {
        resource.demote(
            Status::Oversize,
            format!(
                "its tools are more than {SERVER_TOOLS_MAX} or have more than {} together",
                format_bytes(SERVER_TOOLS_BYTES_MAX)
            ),
        );
    }
}
