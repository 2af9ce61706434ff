//! A manifest: what an agent claims to have found in a workspace.
//!
//! An agent sends [`Claims`]. [`Manifest::new`] refuses those that no correct agent sends, so every
//! [`Manifest`] is well formed. [`judge::judge`] then makes a [`Snapshot`] of it, from what the
//! server holds for the agent: a claim that the bytes contradict becomes a resource that is not used,
//! and the rest of the manifest is accepted.

pub mod agent_blobs;
mod check;
pub mod invalid;
pub mod judge;

use std::collections::BTreeSet;

use crate::hash::BlobHash;
use crate::mcp::{Detail, ServerShape, Tool};
use crate::resource::{Applies, Bodies, Content, Kind, Resource, SkillFile, Status};
use crate::snapshot::{Facts, Snapshot};
use agent_blobs::AgentBlobs;
use invalid::InvalidManifest;

/// One resource as an agent describes it. The meaning of its fields is that of [`Resource`].
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "`Resource` documents the fields")]
pub struct Claim {
    pub kind: Kind,
    pub source: String,
    pub status: Status,
    pub error: Option<String>,
    /// The hash that its bytes have, according to the agent.
    pub content_hash: Option<BlobHash>,
    pub size: u64,
    pub root: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub files: Vec<ClaimedFile>,
    pub tools: Vec<Tool>,
    pub shape: Option<Vec<ServerShape>>,
    pub applies: Option<Applies>,
    pub imported_by: Option<String>,
}

/// A supporting file of a skill as an agent describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "`SkillFile` documents the fields")]
pub struct ClaimedFile {
    pub path: String,
    /// The hash that its bytes have, according to the agent.
    pub content_hash: Option<BlobHash>,
    pub size: u64,
    pub executable: bool,
    pub error: Option<String>,
}

/// The content of a push, before any check.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claims {
    /// What a model is told about the workspace itself.
    pub facts: Facts,
    /// Why the scan is incomplete, for people.
    pub error: Option<String>,
    /// The resources in the order of the snapshot.
    pub resources: Vec<Claim>,
    /// The bytes that come along, each under the hash that the agent claims for them.
    pub blobs: Bodies,
}

/// Claims that are well formed:
///
/// - Every list and every text is within its limit, and no text holds a NUL.
/// - No two resources have the same kind and source, and no two files of a skill the same path.
/// - A resource has only the members of its kind. An `ok` instruction file or skill has a hash.
/// - The path of a skill's file lies below the skill's directory.
/// - Bytes have the hash under which they were sent, and an `ok` instruction file or skill names it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    claims: Claims,
}

impl Claim {
    /// Returns whether a model reads it from the pin: an `ok` instruction file or skill.
    pub fn reaches_context(&self) -> bool {
        self.status == Status::Ok && self.kind.is_context()
    }

    /// Returns the hashes of all bytes that a snapshot stores for it.
    fn named(&self) -> impl Iterator<Item = BlobHash> {
        let files = self.files.iter().filter(|file| file.error.is_none());
        let files = files.filter_map(|file| file.content_hash);
        let is_used = self.reaches_context();
        let all = self.content_hash.into_iter().chain(files);
        all.filter(move |_| is_used)
    }

    fn is_same(&self, stored: &Resource) -> bool {
        let hash = |content: Option<Content>| content.map(Content::hash);
        let (tools, shape) = match &stored.detail {
            None => (&[][..], None),
            Some(Detail::Tools(tools)) => (&tools[..], None),
            Some(Detail::Shape(servers)) => (&[][..], Some(servers)),
        };
        let files = self.files.iter().map(|file| file.content_hash);
        (self.kind, self.status, &self.source) == (stored.kind, stored.status, &stored.source)
            && self.error == stored.error
            && (&self.applies, &self.imported_by) == (&stored.applies, &stored.imported_by)
            && (&self.tools[..], self.shape.as_ref()) == (tools, shape)
            && self.content_hash == hash(stored.content)
            && files.eq(stored.files.iter().map(|file| hash(file.content)))
    }
}

impl From<&SkillFile> for ClaimedFile {
    fn from(file: &SkillFile) -> Self {
        Self {
            path: file.path.clone(),
            content_hash: file.content.map(Content::hash),
            size: file.size,
            executable: file.executable,
            error: file.error.clone(),
        }
    }
}

impl From<&Resource> for Claim {
    fn from(resource: &Resource) -> Self {
        let (tools, shape) = match resource.detail.clone() {
            None => (Vec::new(), None),
            Some(Detail::Tools(tools)) => (tools, None),
            Some(Detail::Shape(servers)) => (Vec::new(), Some(servers)),
        };
        Self {
            kind: resource.kind,
            source: resource.source.clone(),
            status: resource.status,
            error: resource.error.clone(),
            content_hash: resource.content.map(Content::hash),
            size: resource.size,
            root: resource.root.clone(),
            name: resource.name.clone(),
            description: resource.description.clone(),
            files: resource.files.iter().map(ClaimedFile::from).collect(),
            tools,
            shape,
            applies: resource.applies.clone(),
            imported_by: resource.imported_by.clone(),
        }
    }
}

impl Claims {
    /// Returns what an agent claims of a snapshot that it scanned, with these bytes.
    pub fn of(snapshot: &Snapshot, blobs: Bodies) -> Self {
        Self {
            facts: snapshot.facts.clone(),
            error: snapshot.error.clone(),
            resources: snapshot.resources.iter().map(Claim::from).collect(),
            blobs,
        }
    }
}

impl Manifest {
    /// Checks that claims are well formed. Computes the hash of every blob.
    ///
    /// # Errors
    ///
    /// Returns the first rule that a claim breaks.
    pub fn new(claims: Claims) -> Result<Self, InvalidManifest> {
        check::claims(&claims)?;
        Ok(Self { claims })
    }

    /// Returns the claims as the agent made them.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Returns the bytes that came along, by their hash.
    pub fn blobs(&self) -> &Bodies {
        &self.claims.blobs
    }

    /// Returns the hashes that a snapshot would store and that the agent has not proved to have.
    pub fn missing(&self, blobs: &AgentBlobs) -> Vec<BlobHash> {
        let named = self.claims.resources.iter().flat_map(Claim::named);
        let missing: BTreeSet<_> = named.filter(|hash| !blobs.has(*hash)).collect();
        missing.into_iter().collect()
    }

    /// Returns the hashes of the bodies of the instruction files that are `ok`.
    pub fn instruction_bodies(&self) -> impl Iterator<Item = BlobHash> {
        let used = self.claims.resources.iter().filter(|c| c.reaches_context());
        let files = used.filter(|claim| claim.kind == Kind::InstructionFile);
        files.filter_map(|file| file.content_hash)
    }

    /// Returns the hashes of the bytes that [`judge::judge`] reads and that `blobs` does not hold
    /// yet: every `SKILL.md` but those that the head has under the same source, and the instruction
    /// files that are not known to be text.
    pub fn to_read(&self, head: Option<&Snapshot>, blobs: &AgentBlobs) -> BTreeSet<BlobHash> {
        let used = self.claims.resources.iter().filter(|c| c.reaches_context());
        let with_hash = used.filter_map(|claim| Some((claim, claim.content_hash?)));
        let unread = with_hash.filter(|(claim, hash)| match claim.kind {
            Kind::Skill => judge::same_skill(claim, *hash, head).is_none(),
            Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => !blobs.is_text(*hash),
        });
        let hashes = unread.map(|(_, hash)| hash);
        hashes.filter(|hash| blobs.bytes(*hash).is_none()).collect()
    }

    /// Returns whether the snapshot of this manifest is probably the head. A change of a flag or of a
    /// size alone is not seen here, so a caller compares the hashes too.
    pub fn seems_to_repeat(&self, head: &Snapshot) -> bool {
        let claims = &self.claims;
        claims.resources.len() == head.resources.len()
            && (&claims.facts, &claims.error) == (&head.facts, &head.error)
            && claims
                .resources
                .iter()
                .zip(&head.resources)
                .all(|(claim, stored)| claim.is_same(stored))
    }
}

#[cfg(test)]
mod tests;
