//! A snapshot: an immutable, ordered set of resources with its own hash.

use std::collections::BTreeSet;

use crate::hash::{BlobHash, ContextHash, SnapshotId, ToolsHash};
use crate::profile::{Profile, ProfileRules, Rules, Settings};
use crate::resource::{Kind, Resource, ResourceId};

/// Facts about a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The operating system, such as `linux`.
    pub os: Option<String>,
    /// The absolute path of the working directory.
    pub directory: Option<String>,
    /// The rules by which the resources were found. `None` under the neutral profile. The prompt does not
    /// state them.
    pub rules: Option<Rules>,
}

impl Facts {
    /// Returns the settings of the tool. `None` under the neutral profile.
    pub fn settings(&self) -> Option<&Settings> {
        self.rules.as_ref().map(|rules| &rules.settings)
    }

    /// Returns the rules of these facts without their settings.
    pub fn profile_rules(&self) -> ProfileRules {
        let rules = self.rules.as_ref();
        ProfileRules {
            profile: rules.map_or(Profile::Neutral, |rules| rules.settings.profile()),
            version: rules.map(|rules| rules.version),
        }
    }
}

/// An immutable, ordered set of resources. Within one, no two have the same kind and source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    pub facts: Facts,
    /// Why the scan is incomplete, as a message for people.
    pub error: Option<String>,
    /// The resources, by root from broad to specific, with the MCP servers last.
    pub resources: Vec<Resource>,
}

/// The three hashes of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub id: SnapshotId,
    pub context_hash: ContextHash,
    pub tools_hash: ToolsHash,
}

impl Snapshot {
    /// Returns the resource with this kind and source.
    pub fn find(&self, kind: Kind, source: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.kind == kind && resource.source == source)
    }

    /// Returns the resource with this id.
    pub fn find_id(&self, id: ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id() == id)
    }

    /// Iterates over the `ok` instruction files, in prompt order.
    pub fn instruction_files(&self) -> impl Iterator<Item = &Resource> {
        self.in_context(Kind::InstructionFile)
    }

    /// Iterates over the `ok` instruction files that are for the whole work, in prompt order. No prompt has the others.
    pub fn due_files(&self) -> impl Iterator<Item = &Resource> {
        let files = self.instruction_files();
        files.filter(|file| file.applies.is_none())
    }

    /// Iterates over the resources from whose bodies a prompt of this snapshot is made. Under the rules of Claude
    /// Code, a SKILL.md says whether the list of skills has it.
    pub fn rendered_resources(&self) -> impl Iterator<Item = &Resource> {
        let reads_skills = self.facts.profile_rules().profile == Profile::ClaudeCode;
        self.due_files()
            .chain(self.skills().filter(move |_| reads_skills))
    }

    /// Iterates over the `ok` skills, in prompt order.
    pub fn skills(&self) -> impl Iterator<Item = &Resource> {
        self.in_context(Kind::Skill)
    }

    /// Returns the `ok` skill with this name, which is unique among `ok` skills. A skill for some files is also found by
    /// its own name, if no other skill has that.
    pub fn skill(&self, name: &str) -> Option<&Resource> {
        let mut named = self
            .skills()
            .filter(|skill| skill.name.as_deref() == Some(name));
        let mut own = self.skills().filter(|skill| skill.own_name() == Some(name));
        named.next().or_else(|| {
            let first = own.next()?;
            own.next().is_none().then_some(first)
        })
    }

    fn in_context(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.resources
            .iter()
            .filter(move |resource| resource.kind == kind && resource.reaches_context())
    }

    /// Returns the hashes of the blobs that the snapshot stores, without those of details.
    pub fn stored(&self) -> BTreeSet<BlobHash> {
        self.resources.iter().flat_map(Resource::stored).collect()
    }
}
