//! What the server makes of a manifest: it computes every hash of which it has the bytes, derives
//! what can be derived, and believes the rest only as far as a claim goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctxpin_model::admission::admit;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{
    ERROR_BYTES_MAX, PROMPT_FILE_BYTES_MAX, SERVER_TOOLS_BYTES_MAX, SERVER_TOOLS_MAX,
    SKILL_FILE_BYTES_MAX, SNAPSHOT_LISTED_MAX, SNAPSHOT_RESOURCES_MAX, SOURCE_BYTES_MAX, cut,
};
use ctxpin_model::resource::{
    Bodies, Content, Detail, Kind, Resource, SkillFile, Status, fit_source,
};
use ctxpin_model::skill;
use ctxpin_model::snapshot::Snapshot;

use crate::error::{Error, Result};

/// Bytes that an agent has proved to have, by their hash.
#[derive(Debug, Default)]
pub(crate) struct Proved {
    /// What is known of them without reading them.
    known: BTreeMap<BlobHash, Known>,
    /// Those that are at hand.
    pub bodies: Bodies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    size: u64,
    /// Whether they stand in the head as an instruction file, and so are UTF-8.
    is_text: bool,
}

impl Proved {
    /// What an agent's own head proves, and what it sent ahead.
    pub fn new(head: Option<&Snapshot>, uploads: BTreeMap<BlobHash, u64>) -> Self {
        let mut known: BTreeMap<_, _> = uploads
            .into_iter()
            .map(|(hash, size)| {
                (
                    hash,
                    Known {
                        size,
                        is_text: false,
                    },
                )
            })
            .collect();
        for resource in head.into_iter().flat_map(|head| &head.resources) {
            for file in &resource.files {
                if let Some(hash) = file.body() {
                    known.entry(hash).or_insert(Known {
                        size: file.size,
                        is_text: false,
                    });
                }
            }
            if let Some(hash) = resource.body() {
                known.insert(
                    hash,
                    Known {
                        size: resource.size,
                        is_text: true,
                    },
                );
            }
        }
        Self {
            known,
            bodies: Bodies::new(),
        }
    }

    /// Takes note of bytes that come with the push, whose hashes are yet to be checked.
    pub fn expect_inline(&mut self, inline: &Bodies) {
        for (claimed, bytes) in inline {
            let known = Known {
                size: bytes.len() as u64,
                is_text: false,
            };
            self.known.entry(*claimed).or_insert(known);
        }
    }

    /// Adds the bytes that came with the push, once their hashes are checked.
    pub fn add_inline(&mut self, inline: &Bodies) -> Result<()> {
        self.expect_inline(inline);
        for (claimed, bytes) in inline {
            let (claimed, computed) = (*claimed, BlobHash::of(bytes));
            if computed != claimed {
                return Err(Error::HashMismatch { claimed, computed });
            }
            self.bodies.insert(claimed, Arc::clone(bytes));
        }
        Ok(())
    }

    fn has(&self, hash: BlobHash) -> bool {
        self.known.contains_key(&hash)
    }

    fn size(&self, hash: BlobHash) -> u64 {
        self.known.get(&hash).map_or(0, |known| known.size)
    }
}

/// The hashes that the manifest's usable resources name without being proved.
pub(crate) fn missing(manifest: &Snapshot, proved: &Proved) -> Vec<BlobHash> {
    let missing: BTreeSet<_> = manifest
        .resources
        .iter()
        .flat_map(named)
        .filter(|hash| !proved.has(*hash))
        .collect();
    missing.into_iter().collect()
}

/// The hashes whose bytes belong to the snapshot if the resource is usable.
fn named(resource: &Resource) -> impl Iterator<Item = BlobHash> {
    let usable = resource.reaches_context();
    let body = resource.content.map(Content::hash);
    let files = resource.files.iter().filter(|file| file.error.is_none());
    let files = files.filter_map(|file| file.content.map(Content::hash));
    body.into_iter().chain(files).filter(move |_| usable)
}

/// The hashes of the bodies of a manifest's usable instruction files.
pub(crate) fn instructions(manifest: &Snapshot) -> impl Iterator<Item = BlobHash> {
    let files = manifest.resources.iter().filter(|r| r.reaches_context());
    let files = files.filter(|r| r.kind == Kind::InstructionFile);
    files.filter_map(|file| file.content.map(Content::hash))
}

/// The proved bytes that [`ingest`] must read and that are not at hand: every `SKILL.md` but those
/// that the head has under the same source, and instruction files not known to be text.
pub(crate) fn to_read(
    manifest: &Snapshot,
    head: Option<&Snapshot>,
    proved: &Proved,
) -> BTreeSet<BlobHash> {
    manifest
        .resources
        .iter()
        .filter(|resource| resource.reaches_context())
        .filter_map(|resource| Some((resource, resource.content?.hash())))
        .filter(|(resource, hash)| match resource.kind {
            Kind::Skill => derived_from_head(resource, *hash, head).is_none(),
            Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => {
                proved.known.get(hash).is_some_and(|known| !known.is_text)
            }
        })
        .map(|(_, hash)| hash)
        .filter(|hash| !proved.bodies.contains_key(hash))
        .collect()
}

/// The head's skill of the same source and bytes, whose name and description were derived already.
fn derived_from_head<'s>(
    resource: &Resource,
    hash: BlobHash,
    head: Option<&'s Snapshot>,
) -> Option<&'s Resource> {
    head?
        .find(Kind::Skill, &resource.source)
        .filter(|skill| skill.body() == Some(hash))
}

/// Makes the snapshot. Refuses the whole manifest only for what no honest agent sends; a single bad
/// resource becomes `invalid`. Everything [`to_read`] names is at hand in `proved`.
pub(crate) fn ingest(
    manifest: Snapshot,
    head: Option<&Snapshot>,
    proved: &Proved,
) -> Result<Snapshot> {
    let mut snapshot = manifest;
    refuse_too_many(&snapshot)?;
    snapshot.error = snapshot
        .error
        .map(|error| cut(&error, ERROR_BYTES_MAX).to_owned());
    for resource in &mut snapshot.resources {
        judge(resource, head, proved);
    }
    refuse_duplicates(&snapshot)?;
    if let Some(line) = admit(&mut snapshot.resources) {
        return Err(Error::InvalidManifest(line));
    }
    Ok(snapshot)
}

fn refuse_too_many(manifest: &Snapshot) -> Result<()> {
    let listed = manifest.resources.len();
    let resources = manifest.resources.iter();
    let used = resources.filter(|r| r.status == Status::Ok).count();
    if listed > SNAPSHOT_LISTED_MAX || used > SNAPSHOT_RESOURCES_MAX {
        return Err(Error::InvalidManifest(format!(
            "it has {listed} resources, {used} of them ok; at most {SNAPSHOT_LISTED_MAX}, of which \
             {SNAPSHOT_RESOURCES_MAX} are ok, are taken"
        )));
    }
    Ok(())
}

fn refuse_duplicates(manifest: &Snapshot) -> Result<()> {
    let mut seen = BTreeSet::new();
    for resource in &manifest.resources {
        if !seen.insert((resource.kind, &resource.source)) {
            return Err(Error::InvalidManifest(format!(
                "it has {} `{}` twice",
                resource.kind, resource.source
            )));
        }
    }
    Ok(())
}

fn judge(resource: &mut Resource, head: Option<&Snapshot>, proved: &Proved) {
    resource.error = resource
        .error
        .take()
        .map(|error| cut(&error, ERROR_BYTES_MAX).to_owned());
    if resource.source.len() > SOURCE_BYTES_MAX {
        resource.source = fit_source(&resource.source);
        resource.demote(
            Status::Invalid,
            format!("its path has more than {SOURCE_BYTES_MAX} bytes"),
        );
    }
    match resource.kind {
        Kind::InstructionFile => judge_instruction_file(resource, proved),
        Kind::Skill => judge_skill(resource, head, proved),
        Kind::McpConfig => {}
        Kind::McpServer => judge_server(resource),
    }
    if resource.status == Status::Ok
        && resource.kind != Kind::McpServer
        && !resource.source.starts_with('/')
    {
        resource.demote(Status::Invalid, "its source is not an absolute path");
    }
    if resource.status != Status::Ok {
        let error = resource
            .error
            .take()
            .unwrap_or_else(|| "no reason was given".into());
        resource.demote(resource.status, error);
    } else if resource.kind.is_context() {
        // What is proved is stored with the snapshot.
        resource.content = resource
            .content
            .map(|content| Content::Pinned(content.hash()));
    }
}

fn judge_instruction_file(resource: &mut Resource, proved: &Proved) {
    resource.files = Vec::new();
    let Some(hash) = usable_body(resource, proved) else {
        return;
    };
    if let Some(bytes) = proved.bodies.get(&hash)
        && let Err(error) = std::str::from_utf8(bytes)
    {
        let reason = format!(
            "not UTF-8 (first bad byte at offset {})",
            error.valid_up_to()
        );
        resource.demote(Status::Invalid, reason);
    }
}

/// The hash of the body of an `ok` resource with the size set right; demotes one that is too large.
fn usable_body(resource: &mut Resource, proved: &Proved) -> Option<BlobHash> {
    if resource.status != Status::Ok {
        return None;
    }
    let Some(hash) = resource.content.map(Content::hash) else {
        resource.demote(Status::Invalid, "it has no content");
        return None;
    };
    resource.size = proved.size(hash);
    if resource.size > PROMPT_FILE_BYTES_MAX {
        let reason = format!("larger than {} MiB", PROMPT_FILE_BYTES_MAX / (1024 * 1024));
        resource.demote(Status::Oversize, reason);
        return None;
    }
    Some(hash)
}

fn judge_skill(resource: &mut Resource, head: Option<&Snapshot>, proved: &Proved) {
    judge_files(resource, proved);
    let Some(hash) = usable_body(resource, proved) else {
        return;
    };
    let (name, description, mut refusals) = match derived_from_head(resource, hash, head) {
        Some(skill) => (skill.name.clone(), skill.description.clone(), Vec::new()),
        None => {
            let directory = skill::directory_name(&resource.source).unwrap_or_default();
            let bytes = proved.bodies.get(&hash).map_or(&[][..], |bytes| &bytes[..]);
            let reading = skill::parse(bytes, directory);
            let refusals = reading.refusal.into_iter().collect();
            (reading.name, reading.description, refusals)
        }
    };
    let differs = |claimed: &Option<String>, derived: &Option<String>| {
        claimed.is_some() && claimed != derived
    };
    if differs(&resource.name, &name) {
        refusals.push("the name that was sent is not the one in its SKILL.md".into());
    }
    if differs(&resource.description, &description) {
        refusals.push("the description that was sent is not the one in its SKILL.md".into());
    }
    resource.name = name;
    resource.description = description;
    if !refusals.is_empty() {
        let reason = refusals.join("; ");
        resource.demote(Status::Invalid, cut(&reason, ERROR_BYTES_MAX));
    }
}

fn judge_files(resource: &mut Resource, proved: &Proved) {
    let usable = resource.status == Status::Ok;
    let before = resource.files.len();
    let mut seen = BTreeSet::new();
    resource
        .files
        .retain(|file| is_path_below(&file.path) && seen.insert(file.path.clone()));
    let dropped = before - resource.files.len();
    for file in &mut resource.files {
        judge_file(file, usable, proved);
    }
    if dropped > 0 && usable {
        resource.demote(
            Status::Invalid,
            "a path of its files is not one below its directory, or stands twice",
        );
    } else if usable {
        resource.files = skill::files::admit(std::mem::take(&mut resource.files));
    }
}

fn judge_file(file: &mut SkillFile, of_usable: bool, proved: &Proved) {
    file.error = file
        .error
        .take()
        .map(|error| cut(&error, ERROR_BYTES_MAX).to_owned());
    let hash = file.content.map(Content::hash);
    file.content = match hash {
        Some(hash) if of_usable && file.error.is_none() => {
            file.size = proved.size(hash);
            if file.size > SKILL_FILE_BYTES_MAX {
                file.error = Some(format!("larger than {} KiB", SKILL_FILE_BYTES_MAX / 1024));
                Some(Content::Claimed(hash))
            } else {
                Some(Content::Pinned(hash))
            }
        }
        other => other.map(Content::Claimed),
    };
}

/// Whether a path names something below a directory: relative, without empty, `.` and `..` parts.
fn is_path_below(path: &str) -> bool {
    let part_is_name = |part: &str| !matches!(part, "" | "." | "..");
    path.len() <= SOURCE_BYTES_MAX && !path.contains('\0') && path.split('/').all(part_is_name)
}

fn judge_server(resource: &mut Resource) {
    resource.content = None;
    resource.files = Vec::new();
    let Some(Detail::Tools(tools)) = &resource.detail else {
        return;
    };
    let bytes = Detail::Tools(tools.clone()).canonical_json().len() as u64;
    if resource.status == Status::Ok
        && (tools.len() > SERVER_TOOLS_MAX || bytes > SERVER_TOOLS_BYTES_MAX)
    {
        resource.demote(
            Status::Oversize,
            format!(
                "its tools are more than {SERVER_TOOLS_MAX} or have more than {} KiB together",
                SERVER_TOOLS_BYTES_MAX / 1024
            ),
        );
    }
}

/// Whether a manifest seems to make the head again. What people can change without one of these is rare.
pub(crate) fn seems_to_repeat(manifest: &Snapshot, head: &Snapshot) -> bool {
    let hash = |content: Option<Content>| content.map(Content::hash);
    let file = |file: &SkillFile| hash(file.content);
    let is_same = |(claimed, stored): (&Resource, &Resource)| {
        (claimed.kind, claimed.status, &claimed.source)
            == (stored.kind, stored.status, &stored.source)
            && (&claimed.error, &claimed.detail) == (&stored.error, &stored.detail)
            && hash(claimed.content) == hash(stored.content)
            && claimed
                .files
                .iter()
                .map(file)
                .eq(stored.files.iter().map(file))
    };
    manifest.resources.len() == head.resources.len()
        && (&manifest.facts, &manifest.error) == (&head.facts, &head.error)
        && manifest.resources.iter().zip(&head.resources).all(is_same)
}

/// The blobs that a snapshot stores and that came with the push.
pub(crate) fn to_store(snapshot: &Snapshot, inline: &Bodies) -> Bodies {
    let stored: BTreeSet<_> = snapshot
        .resources
        .iter()
        .flat_map(Resource::stored)
        .collect();
    let used = inline.iter().filter(|(hash, _)| stored.contains(hash));
    used.map(|(hash, bytes)| (*hash, Arc::clone(bytes)))
        .collect()
}

/// What a push sends of the contents that its snapshot stores, with their sizes: the bytes that came with
/// it, and details, which a manifest spells out. What was sent before may be among them.
pub(crate) fn sent(snapshot: &Snapshot, inline: &Bodies) -> BTreeMap<BlobHash, u64> {
    let inline = inline
        .iter()
        .map(|(hash, bytes)| (*hash, bytes.len() as u64));
    let details = snapshot.resources.iter().filter_map(|resource| {
        let json = resource.detail.as_ref()?.canonical_json();
        Some((BlobHash::of(&json), json.len() as u64))
    });
    inline.chain(details).collect()
}

#[cfg(test)]
mod tests;
