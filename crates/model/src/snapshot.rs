//! A snapshot: an immutable, ordered set of resources with its own hash.

use crate::canonical;
use crate::hash::{ContextHash, SnapshotId, ToolsHash};
use crate::resource::{Kind, Resource, ResourceId};

/// What is told to a model about the workspace itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The operating system, such as `linux`.
    pub os: Option<String>,
    /// The working directory: an absolute path.
    pub directory: Option<String>,
}

/// An immutable, ordered set of resources. Within one, no two have the same kind and source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// What is told to a model about the workspace itself.
    pub facts: Facts,
    /// What kept the scan from being whole, for people.
    pub error: Option<String>,
    /// The resources in their order: roots from broad to specific, and the MCP servers last.
    pub resources: Vec<Resource>,
}

/// The three hashes of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Covers everything that is stored of the snapshot.
    pub id: SnapshotId,
    /// Covers exactly what reaches a model from a pin.
    pub context_hash: ContextHash,
    /// Covers the MCP configurations and servers.
    pub tools_hash: ToolsHash,
}

impl Snapshot {
    /// Computes the hashes; the cost grows with the number of resources, not with their bytes.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            id: SnapshotId::of(&canonical::snapshot(self)),
            context_hash: ContextHash::of(&canonical::context(self)),
            tools_hash: ToolsHash::of(&canonical::tools(self)),
        }
    }

    /// The resource of that kind and source.
    pub fn find(&self, kind: Kind, source: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.kind == kind && resource.source == source)
    }

    /// The resource with that short name.
    pub fn find_id(&self, id: ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id() == id)
    }

    /// The `ok` instruction files, in prompt order.
    pub fn instruction_files(&self) -> impl Iterator<Item = &Resource> {
        self.in_context(Kind::InstructionFile)
    }

    /// The `ok` skills, in prompt order.
    pub fn skills(&self) -> impl Iterator<Item = &Resource> {
        self.in_context(Kind::Skill)
    }

    /// The `ok` skill of that name. Names are unique among `ok` skills.
    pub fn skill(&self, name: &str) -> Option<&Resource> {
        self.skills()
            .find(|skill| skill.name.as_deref() == Some(name))
    }

    fn in_context(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.resources
            .iter()
            .filter(move |resource| resource.kind == kind && resource.reaches_context())
    }

    /// Bytes of all resources and skill files together, as they are in the workspace.
    pub fn bytes(&self) -> u64 {
        let files = self.resources.iter().flat_map(|resource| &resource.files);
        let of_files: u64 = files.map(|file| file.size).fold(0, u64::saturating_add);
        let of_resources = self.resources.iter().map(|resource| resource.size);
        of_resources.fold(of_files, u64::saturating_add)
    }
}
