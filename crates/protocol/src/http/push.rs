//! Pushes of agents, and the responses to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::resources::{Applies, Note, Shape, SkillFile, Tool};

/// A push: a complete snapshot of a workspace, with the bytes that the server does not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The number of the agent's session.
    #[schema(minimum = 0)]
    pub epoch: i64,
    /// The number of the push, from 1. It must be greater than those of all earlier pushes of the
    /// session.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Why the scan is not complete, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether every MCP server has answered or failed. The default is true, because an agent
    /// without MCP waits for no server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp_settled: Option<bool>,
    /// What a model is told about the workspace itself.
    pub facts: Facts,
    /// The resources in order: roots from broad to specific, then MCP servers.
    pub resources: Vec<ManifestResource>,
    /// Notes about the workspace, at most 200. No hash covers them, and they replace those of the
    /// previous push.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The bytes by their hash, in base64 (RFC 4648, section 4, padded).
    #[serde(default)]
    pub blobs: BTreeMap<String, String>,
}

/// What a model is told about a workspace, and the rules by which the resources were found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facts {
    /// The operating system, such as `linux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The absolute path of the working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The tool whose rules found the resources. Absent means `neutral`. It must be the agent's profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The version of the tool's rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<u32>,
    /// The settings of the tool that the rules use, under the names of its own configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
}

/// A resource as an agent describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestResource {
    /// `instruction_file`, `skill`, `mcp_config` or `mcp_server`.
    pub kind: String,
    /// The absolute path of a file, which is a skill's `SKILL.md`, or the name of an `mcp_server`.
    /// At most 1,024 bytes; unique within its kind.
    pub source: String,
    /// `ok`, `oversize`, `unreadable`, `invalid` or `excluded`.
    pub status: String,
    /// Why the resource is not used, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The SHA-256 of its bytes, which are a skill's `SKILL.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// The real size, even if it exceeds the limit.
    pub size_bytes: u64,
    /// The absolute path of the root that contributes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The name of a skill. That of a skill for some files is their directory from the working one on, a colon, and
    /// the skill's own name. Under the profile `codex`, that of a plugin's skill begins with the name of the plugin and a
    /// colon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The description of a skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The supporting files of a skill, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SkillFile>,
    /// The tools of an `mcp_server`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// The shape of an `mcp_config`: its servers, without values that could be secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Which files an instruction file or a skill is for; absent if it is for the whole work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies: Option<Applies>,
    /// The source of the instruction file that imports this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_by: Option<String>,
}

/// The result of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushAnswer {
    /// Whether the pushed snapshot is now the agent's head.
    pub accepted: bool,
    /// Why it is not, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The snapshot of the agent's head; null without a head.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// The head's number in the agent's timeline; null without a head.
    #[schema(required = true)]
    pub seq: Option<i64>,
    /// The number of chats that got their first pin.
    pub hydrated: u64,
}
