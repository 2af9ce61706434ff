//! The pin of a chat: what it is, how it drifted, how it is moved, and its history.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::agents::Head;
use super::present;
use super::quotas::{PushRefused, QuotaWarning};
use super::resources::{Change, Resource, effect_unknown};

/// A chat's pin in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatContext {
    /// The pinned snapshot; null while unpinned.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// What of it reaches a model through the pin; null while unpinned.
    #[schema(required = true)]
    pub context_hash: Option<String>,
    /// When the pin last moved; null while unpinned.
    #[schema(required = true)]
    pub pinned_at: Option<DateTime<Utc>>,
    /// Whether the agent's head differs in what reaches the model.
    pub dirty: bool,
    /// Since when it does; null while it does not.
    #[schema(required = true)]
    pub dirty_since: Option<DateTime<Utc>>,
    /// Whether somebody looked at this very drift and kept the pin.
    pub declined: bool,
    /// What kept the pinned snapshot from being whole, for people.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The number of the renderer that made the pinned prompt; null while unpinned.
    #[schema(required = true)]
    pub renderer: Option<i64>,
    /// That what the chat's agent sent last was more than is allowed, so that the head may not be what its
    /// workspace has; left out once something was taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_refused: Option<PushRefused>,
}

/// A chat's pin and its drift in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Context {
    /// The pin in brief.
    #[serde(flatten)]
    pub pin: ChatContext,
    /// The head of the chat's agent; null without agent or head.
    #[schema(required = true)]
    pub head: Option<Head>,
    /// What the pin holds, in order; empty while unpinned.
    pub resources: Vec<Resource>,
    /// What differs from the pin to the head; empty exactly when the chat is not dirty.
    pub changes: Vec<Change>,
    /// The strongest effect of the changes: `prompt`, `skill`, `tools` or `none`. With `none` a chat may
    /// be dirty, and no model can tell.
    #[serde(default = "effect_unknown")]
    #[schema(required = true)]
    pub effect: String,
    /// The number of the renderer of this server. If the pin's is less, `{"render": true}` renders its
    /// prompt anew.
    #[serde(default)]
    #[schema(required = true)]
    pub latest_renderer: i64,
    /// What was told to the model beside the prompt; null where nothing was.
    #[schema(required = true)]
    pub notices: Option<String>,
    /// When the pin moves by itself: `manual`, `additive` or `follow`.
    pub policy: String,
    /// Whether the tools that a turn would offer are others than the pin's.
    pub tools_differ: bool,
    /// What the chat's owner has nearly as much of as is allowed, or more; as it was a minute ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quota_warnings: Vec<QuotaWarning>,
}

/// How a pin is to be moved. Empty: to the agent's head.
///
/// An unknown member is refused, since a misspelt `sources` would else refresh everything; so is a
/// null, for the same reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextMove {
    /// Refresh to this snapshot and no other: 412 if it is no longer the head.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub head: Option<String>,
    /// Refresh these sources only.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Vec<Selector>, required = false, min_items = 1)]
    pub sources: Option<Vec<Selector>>,
    /// Another way to refresh. This version offers none.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub mode: Option<String>,
    /// Keep the pin in sight of this snapshot: 412 if it is no longer the head.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub decline: Option<String>,
    /// Go back to this snapshot of the chat's own history.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub snapshot: Option<String>,
    /// True: keep the pin, and have its prompt rendered by the present renderer, if an older one made it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = bool, required = false)]
    pub render: Option<bool>,
}

/// Names what is to be taken from the head: a source of whatever kind, or a source of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a source must be a text or {kind, source}")]
pub enum Selector {
    /// Every resource of that source.
    Source(String),
    /// The resource of that kind and source.
    Resource(KindAndSource),
}

/// One kind and source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindAndSource {
    /// The kind of a resource, or `facts`.
    pub kind: String,
    /// Its source; empty for the facts.
    pub source: String,
}

/// Which chats an administrator refreshes. Filters add up; at least one is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshFilter {
    /// Those bound to this agent.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Uuid, required = false)]
    pub agent_id: Option<Uuid>,
    /// Those whose pin, or whose agent's head, holds this content.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub content_hash: Option<String>,
}

/// One move of a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pin {
    /// Its place in the chat's history, from 1.
    pub seq: i64,
    /// The snapshot; null where the pin was cleared.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// What of it reaches a model through the pin; null where the pin was cleared.
    #[schema(required = true)]
    pub context_hash: Option<String>,
    /// The agent that the chat was bound to.
    #[schema(required = true)]
    pub agent_id: Option<Uuid>,
    /// `create`, `hydrate`, `refresh`, `rebind`, `rollback`, `inherit`, `follow`, `additive`,
    /// `append`, `settle`, `clear` or `render`.
    pub reason: String,
    /// The number of the renderer that made the prompt; null where the pin was cleared.
    #[schema(required = true)]
    pub renderer: Option<i64>,
    /// Whether every MCP server had answered or failed by then.
    pub mcp_settled: bool,
    /// Who moved it.
    pub actor: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Who did something, and by which door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// `user`, `agent` or `system`.
    pub kind: String,
    /// The id of the user or the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The name of the user or the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Through what it was asked for, such as `api`.
    pub door: String,
}
