//! What an agent pushes, and the answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::resources::{Note, Shape, SkillFile, Tool};

/// A whole snapshot of a workspace with the bytes that the server does not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The number of the agent's session.
    #[schema(minimum = 0)]
    pub epoch: i64,
    /// From 1 upwards; greater than that of every earlier push of the session.
    #[schema(minimum = 1)]
    pub version: i64,
    /// What kept the scan from being whole, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether every MCP server has answered or failed. Without it: true, for whoever says nothing
    /// of MCP has nothing to wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp_settled: Option<bool>,
    /// What is told to a model about the workspace itself.
    pub facts: Facts,
    /// Everything found, in order: roots from broad to specific, and MCP servers last.
    pub resources: Vec<ManifestResource>,
    /// What there is to know of the workspace that no resource tells: at most 200. They are in no hash,
    /// and take the place of those of the push before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Bytes by their hash, in base64 (RFC 4648, section 4, padded).
    #[serde(default)]
    pub blobs: BTreeMap<String, String>,
}

/// What is told to a model about a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facts {
    /// The operating system, such as `linux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The working directory: an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// One thing found in a workspace, as an agent tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestResource {
    /// `instruction_file`, `skill`, `mcp_config` or `mcp_server`.
    pub kind: String,
    /// The absolute path of what is a file (a skill's is its `SKILL.md`), the name of an
    /// `mcp_server`. At most 1,024 bytes; unique within its kind.
    pub source: String,
    /// `ok`, `oversize`, `unreadable`, `invalid` or `excluded`.
    pub status: String,
    /// Why it is not used, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// SHA-256 of its bytes; a skill's is that of its `SKILL.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// Real size in bytes.
    pub size_bytes: u64,
    /// The root that contributed it: an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// A skill's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A skill's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A skill's supporting files, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SkillFile>,
    /// The tools of an `mcp_server`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// What an `mcp_config` says, without any value that could be a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushAnswer {
    /// Whether the agent's head now is what was pushed.
    pub accepted: bool,
    /// Why it was not accepted, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The agent's head; null if it has none.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// The head's place in the agent's timeline; null if there is no head.
    #[schema(required = true)]
    pub seq: Option<i64>,
    /// How many chats were given their first pin.
    pub hydrated: u64,
}
