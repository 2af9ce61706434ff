//! Agents, their sessions and their heads.

use chrono::{DateTime, Utc};
use ctxpin_model::profile::Profile;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::people::Secret;
use super::quotas::{PushRefused, QuotaWarning};
use super::resources::Note;

/// The header in which an agent sends its epoch. A request that opens a session has none, and a
/// push has the epoch in its body.
pub const EPOCH_HEADER: &str = "ctxpin-epoch";

/// An agent: the ctxpin process beside a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    pub id: Uuid,
    /// The workspace's name.
    pub workspace: String,
    /// The agent's name within the workspace; null if it has none.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The tool whose rules the agent follows, or `neutral`. It never changes.
    #[serde(default = "neutral")]
    #[schema(required = true)]
    pub profile: String,
    /// The directory of the tool's settings, if it is not the usual one. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The number of the agent's latest session; 0 before the first.
    pub epoch: i64,
    /// The latest accepted snapshot; null before the first push.
    #[schema(required = true)]
    pub head: Option<Head>,
    /// Whether every MCP server had answered or failed at the last push.
    pub mcp_settled: bool,
    /// Whether the agent has sent a request in the last 90 seconds.
    pub connected: bool,
    /// Why the agent polls files every two seconds; absent while it watches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling: Option<String>,
    /// When the agent last pushed. A push that the server refuses does not count, but a push that
    /// is not newer does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_push_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Notes about the workspace. Only a response with a single agent has them, and only for its
    /// owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The refusal of the last push or upload; absent once the server accepts one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<PushRefused>,
    /// When the agent's token expires; absent if it never expires. It expires with the token that
    /// made it, unless its maker has the scope `provision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<DateTime<Utc>>,
    /// When the agent's token was revoked. The agent then needs another token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_revoked_at: Option<DateTime<Utc>>,
}

/// Returns the profile of all agents on a server of an older release.
fn neutral() -> String {
    Profile::Neutral.to_string()
}

/// The latest accepted snapshot of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// The snapshot's id.
    pub snapshot: String,
    /// The number of the head in the agent's timeline, counted from 1.
    pub seq: i64,
    /// When the server accepted the push.
    pub received_at: DateTime<Utc>,
}

/// A head in the timeline of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineHead {
    pub agent: Uuid,
    /// The number of the head in the agent's timeline, counted from 1.
    pub seq: i64,
    /// The snapshot's id.
    pub snapshot: String,
    /// The hash of what a model gets through the pin.
    pub context_hash: String,
    /// The hash of what a model gets as tools.
    pub tools_hash: String,
    /// When the server accepted the push.
    pub received_at: DateTime<Utc>,
}

/// A request to create an agent of the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentCreate {
    /// The workspace's name, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub workspace: String,
    /// The agent's name within the workspace, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// Whether the agent may refresh its owner's chats. The default is false, because a workspace
    /// must not approve its own changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_refresh: bool,
    /// The older agent whose chats this one takes over with its first accepted push: an id, or
    /// `same` for the newest one of the same workspace, name, profile and home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The tool whose rules the agent follows: `claude-code`, `codex`, `opencode`, or the default `neutral`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The absolute path of the directory with the tool's settings, if it is not the usual one. At most 1,024
    /// bytes. The neutral profile has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
}

/// An agent with its new token. No later response shows the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentCreated {
    pub agent: Agent,
    #[schema(value_type = String)]
    pub token: Secret,
}

/// A request to open the session of an agent's process. Repeating it returns the same session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionOpen {
    /// A random id that the process chooses when it starts.
    pub process: Uuid,
    /// Why the agent polls files; absent while it watches them. A server of an older release, whose limits lack
    /// `polling_bytes_max`, refuses the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling: Option<String>,
}

/// The session of an agent's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The agent's id; absent from a server of an older release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Uuid>,
    /// The number to send with every request. Once another process has got a greater number, the
    /// server refuses requests with this one.
    pub epoch: i64,
    /// The latest accepted snapshot; null before the first push.
    #[schema(required = true)]
    pub head: Option<Head>,
    /// The profile under which the agent pushes.
    #[serde(default = "neutral")]
    #[schema(required = true)]
    pub profile: String,
    pub limits: Limits,
    /// The quotas that the agent's owner has nearly or fully used. They may be a minute old.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quota_warnings: Vec<QuotaWarning>,
    /// When the agent's token expires; absent if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<DateTime<Utc>>,
}

/// The limits of a server. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// The greatest size of a request's body, before and after decompression.
    pub request_bytes_max: u64,
    /// The greatest total size of an agent's uploads ahead of a push.
    pub upload_bytes_max: u64,
    /// The greatest size of an instruction file, and of a `SKILL.md` if the server does not send
    /// `skill_md_bytes_max`.
    pub prompt_file_bytes_max: u64,
    /// The greatest size of a `SKILL.md`; absent from a server of an older release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill_md_bytes_max: Option<u64>,
    /// The greatest size of an MCP configuration; 0 from a server of an older release.
    #[serde(default)]
    pub mcp_config_bytes_max: u64,
    /// The greatest size of a supporting file of a skill.
    pub skill_file_bytes_max: u64,
    /// The greatest number of supporting files that are pinned with one skill.
    pub skill_files_max: u64,
    /// The greatest total size of the supporting files that are pinned with one skill.
    pub skill_bytes_max: u64,
    /// The greatest number of supporting files listed in one skill; 0 from a server of an older
    /// release.
    #[serde(default)]
    pub skill_listed_max: u64,
    /// The greatest number of files of all skills in one snapshot, including each `SKILL.md`.
    pub snapshot_skill_files_max: u64,
    /// The greatest total size of the files of all skills in one snapshot, including each
    /// `SKILL.md`.
    pub snapshot_skill_bytes_max: u64,
    /// The greatest total size of the instruction files and of the names and descriptions of skills
    /// in one snapshot.
    pub snapshot_prompt_bytes_max: u64,
    /// The greatest number of `ok` resources in one snapshot.
    pub snapshot_resources_max: u64,
    /// The greatest number of resources in one snapshot.
    pub snapshot_listed_max: u64,
    /// The greatest number of notes in one push; 0 from a server of an older release, which accepts
    /// none.
    #[serde(default)]
    pub notes_max: u64,
    /// The greatest size of the reason for polling; 0 from a server of an older release, which accepts none.
    #[serde(default)]
    pub polling_bytes_max: u64,
    /// The profiles that an agent of the server may have; empty from a server of an older release, which knows `neutral` alone.
    #[serde(default)]
    pub profiles: Vec<KnownProfile>,
}

/// A profile that an agent may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownProfile {
    pub name: String,
    /// The versions of the tool's rules that the server accepts, the newest last. `neutral` has none.
    pub rules: Vec<u32>,
}

/// The result of refreshing chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refreshed {
    /// The number of chats whose pin moved.
    pub refreshed: u64,
    /// The number of observed chats, which a refresh leaves alone.
    pub observed: u64,
}
