//! The output of `ctxpin scan --json`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::push::Facts;
use super::resources::{Note, Resource};

/// The snapshot that a scan would push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scan {
    /// The snapshot's id.
    pub snapshot: String,
    /// The hash of what a model would get through the pin.
    pub context_hash: String,
    /// The hash of what a model would get as tools.
    pub tools_hash: String,
    /// Why the scan is not complete, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a model would be told about the workspace itself.
    pub facts: Facts,
    /// The resources in order.
    pub resources: Vec<Resource>,
    /// Notes about the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What reaches the model, in the order of the profile's tool. Only for a scan that names a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Vec<Effective>>,
    /// What does not reach the model through a pin at the start. Only for a scan that names a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_effective: Option<Vec<NotEffective>>,
}

/// A resource that a tool gives its model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Effective {
    /// `instruction_file` or `skill`.
    pub kind: String,
    /// The absolute path of the file. A skill's is its `SKILL.md`.
    pub source: String,
    /// The SHA-256 of the whole file.
    pub content_hash: Option<String>,
    /// How many bytes reach the model: of an instruction file those of its text, of a skill those of its name
    /// and description.
    pub bytes: u64,
    /// The offset in the file at which the tool cuts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_at: Option<u64>,
    /// How many bytes a chat's prompt has of it; absent if it has the same text as the tool gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_bytes: Option<u64>,
}

/// A resource that reaches the model through no pin at the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NotEffective {
    /// The kind of the resource.
    pub kind: String,
    /// The absolute path of the file, or the name of a server.
    pub source: String,
    /// Whether the tool gives it all the same: `unpinned` if it does although no pin holds it, `on-demand` if it does when
    /// the model reads certain files, or `no`.
    pub gives: String,
    /// Why, for people.
    pub reason: String,
}

/// What the tool of one profile gives its model of a directory, for a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolScan {
    /// The name of the profile.
    pub profile: String,
    /// What reaches the model, in the tool's order.
    pub effective: Vec<Effective>,
    /// What does not reach the model through a pin at the start.
    pub not_effective: Vec<NotEffective>,
}

/// What the tool of one profile does with a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileInTool {
    /// The name of the profile.
    pub profile: String,
    /// Whether the tool gives it: `yes`, `unpinned` if it does although no pin holds it, `on-demand` if it does when the
    /// model reads certain files or wants it, or `no`.
    pub gives: String,
    /// The place of the file among what reaches the model, from 1. Absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// What of the file reaches the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Effective>,
    /// Why the file does not reach the model through a pin at the start, or by which link it does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
