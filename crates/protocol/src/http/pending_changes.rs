//! Pending changes: what drifted chats have not taken yet.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A page of pending changes. A change whose first chat drifted last comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PendingChangePage {
    pub items: Vec<PendingChange>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    pub next: Option<String>,
    /// The number of drifted chats that have not declined the head.
    pub chat_count: u64,
    /// Whether the server compared all of these chats. If not, it compared the newest.
    pub complete: bool,
}

/// A change that chats have not taken. Changes of one path below the root with equal content in the pins and
/// in the heads are one, in however many workspaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PendingChange {
    /// 32 hexadecimal digits. Equal changes have equal ids.
    pub id: String,
    /// The kind of the resource, or `facts`.
    pub kind: String,
    /// The path below the root, or the name of an MCP server; empty for the facts.
    pub path: String,
    /// The name of a skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `added`, `removed`, `modified` or `moved` (the same content in another order).
    pub change: String,
    /// What changes for a model: `prompt`, `on_demand`, `skill`, `tools` or `none`.
    pub effect: String,
    /// `rules`, if an upgrade reads the same bytes by other rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The content in the pins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_hash: Option<String>,
    /// The content in the heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_hash: Option<String>,
    /// When the first of the chats began to drift.
    pub since: DateTime<Utc>,
    /// When the change came to the first of the workspaces. Absent if their newest heads do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_at: Option<DateTime<Utc>>,
    pub chat_count: u64,
    /// How many of the chats are observed: their clients take the change when they read their files anew.
    pub observed_count: u64,
    /// The number of agents that the chats are bound to.
    pub workspace_count: u64,
    /// The number of lines that differ. Absent if the caller may not read the texts, or if there is too much to
    /// compare at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineCounts>,
    /// The newest chats, at most 20.
    pub chats: Vec<PendingChat>,
}

/// The number of lines that a change adds and removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineCounts {
    pub added: u64,
    pub removed: u64,
}

/// A chat that has not taken a pending change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PendingChat {
    pub chat_id: Uuid,
    #[schema(required = true)]
    pub title: Option<String>,
    #[schema(required = true)]
    pub agent_id: Option<Uuid>,
    /// The name of the agent's workspace.
    pub workspace: String,
    /// The source of the resource; empty for the facts.
    pub source: String,
    /// The id of the resource, to request its diff alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The pinned snapshot.
    pub pin: String,
    /// The snapshot of the agent's head.
    pub head: String,
    /// When the chat began to drift.
    pub since: DateTime<Utc>,
    /// `delivered` or `observed`. An observed chat can decline the change; its client takes it by reading its files anew:
    /// when the session is resumed, or with its next prompt.
    pub mode: String,
    /// The program that the chat belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// Whose pending changes to list, and the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PendingChangeQuery {
    /// Only those of the caller's own chats, about which the caller may decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<bool>,
    /// The `next` of the previous page; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The greatest number of items, from 1 to 500. The default is 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}
