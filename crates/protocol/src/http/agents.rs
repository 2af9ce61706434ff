//! Agents, their sessions and the timeline of their heads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::people::Secret;
use super::quotas::{PushRefused, QuotaWarning};
use super::resources::Note;

/// The header in which an agent sends its epoch with every request except the opening of a session
/// and a push, which carries it in its body.
pub const EPOCH_HEADER: &str = "ctxpin-epoch";

/// The ctxpin process beside a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Its id.
    pub id: Uuid,
    /// The name of its workspace.
    pub workspace: String,
    /// Its own name, if it was given one.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The number of its present session; 0 before the first.
    pub epoch: i64,
    /// The latest accepted snapshot; null before the first push.
    #[schema(required = true)]
    pub head: Option<Head>,
    /// Whether every MCP server had answered or failed when it last pushed.
    pub mcp_settled: bool,
    /// Whether it was heard of a moment ago.
    pub connected: bool,
    /// When it last pushed, accepted or not newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_push_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// What there is to know of its workspace that no resource tells. Only in the answer that reads one
    /// agent, and only for its owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// That what it sent last was more than is allowed; left out once something was taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<PushRefused>,
    /// When its token ends, if ever: when the one that made it does, unless that one has the scope
    /// `provision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<DateTime<Utc>>,
    /// When its token was revoked; it is given another one then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_revoked_at: Option<DateTime<Utc>>,
}

/// The latest accepted snapshot of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// The snapshot's id.
    pub snapshot: String,
    /// Its place in the agent's timeline, from 1.
    pub seq: i64,
    /// When it was accepted.
    pub received_at: DateTime<Utc>,
}

/// One row of the timeline of a workspace's context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineHead {
    /// The agent.
    pub agent: Uuid,
    /// Its place in the agent's timeline, from 1.
    pub seq: i64,
    /// The snapshot's id.
    pub snapshot: String,
    /// What of it reaches a model through the pin.
    pub context_hash: String,
    /// What of it reaches a model as tools.
    pub tools_hash: String,
    /// When it was accepted.
    pub received_at: DateTime<Utc>,
}

/// Asks for a new agent of the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentCreate {
    /// The name of the workspace that it stands beside, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub workspace: String,
    /// A name for it, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// Whether it may refresh its owner's chats by itself; false without it, since a workspace must
    /// not approve itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_refresh: bool,
    /// The older agent whose chats it takes over with its first accepted push: an id, or `same` for
    /// the one of the same workspace and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// An agent with its new token, which is told this once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentCreated {
    /// The agent.
    pub agent: Agent,
    /// Its token.
    #[schema(value_type = String)]
    pub token: Secret,
}

/// Opens the session of an agent's process, or repeats the request that did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionOpen {
    /// Drawn at random when the process starts. The same one is given the same epoch again.
    pub process: Uuid,
}

/// An agent's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The agent's id. A server of an older release does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Uuid>,
    /// The number to send with every request. A greater one, given to another process, fences it.
    pub epoch: i64,
    /// The latest accepted snapshot; null before the first push.
    #[schema(required = true)]
    pub head: Option<Head>,
    /// What the server takes.
    pub limits: Limits,
    /// What the agent's owner has nearly as much of as is allowed, or more; as it was a minute ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quota_warnings: Vec<QuotaWarning>,
    /// When the agent's token ends, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<DateTime<Utc>>,
}

/// What a server takes. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Longest body of a request, before and after it is decompressed.
    pub request_bytes_max: u64,
    /// Most bytes that an agent may have uploaded ahead of a push.
    pub upload_bytes_max: u64,
    /// Longest instruction file, and longest `SKILL.md`.
    pub prompt_file_bytes_max: u64,
    /// Longest MCP configuration; 0 from a server of a release that does not tell it.
    #[serde(default)]
    pub mcp_config_bytes_max: u64,
    /// Longest supporting file of a skill.
    pub skill_file_bytes_max: u64,
    /// Most supporting files of one skill that are pinned with it.
    pub skill_files_max: u64,
    /// Most bytes of supporting files of one skill that are pinned with it.
    pub skill_bytes_max: u64,
    /// Most supporting files of one skill that are listed; 0 from a server of a release that does not
    /// tell it.
    #[serde(default)]
    pub skill_listed_max: u64,
    /// Most files of all skills of one snapshot, each `SKILL.md` with them.
    pub snapshot_skill_files_max: u64,
    /// Most bytes of files of all skills of one snapshot, each `SKILL.md` with them.
    pub snapshot_skill_bytes_max: u64,
    /// Most bytes of instruction files, and of names and descriptions of skills, of one snapshot.
    pub snapshot_prompt_bytes_max: u64,
    /// Most `ok` resources of one snapshot.
    pub snapshot_resources_max: u64,
    /// Most resources of one snapshot.
    pub snapshot_listed_max: u64,
    /// Most notes of a push; 0 from a server of a release that takes none.
    #[serde(default)]
    pub notes_max: u64,
}

/// How many chats were refreshed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refreshed {
    /// The chats whose pin was moved.
    pub refreshed: u64,
}
