//! A chat's pin: its drift, and the requests to move it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::agents::Head;
use super::present;
use super::quotas::{PushRefused, QuotaWarning};
use super::resources::{Change, Resource, effect_unknown};
use super::words::Policy;

/// A chat's pin and its drift in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatContext {
    /// The pinned snapshot; null without a pin.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// The hash of what a model gets through the pin; null without a pin.
    #[schema(required = true)]
    pub context_hash: Option<String>,
    /// When the pin last moved; null without a pin.
    #[schema(required = true)]
    pub pinned_at: Option<DateTime<Utc>>,
    /// True if the client of an observed chat may have read other files than the pinned ones, because nobody watched or no
    /// scan was awaited when it read them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub unconfirmed: bool,
    /// Whether the chat has drifted: its agent's head differs from the pin in what a model gets.
    pub dirty: bool,
    /// When the workspace moved on from what the chat has; null without drift. Taking a part of the changes
    /// leaves the time as it is, and undoing a move brings it back.
    #[schema(required = true)]
    pub dirty_since: Option<DateTime<Utc>>,
    /// Whether a caller has declined this drift and kept the pin.
    pub declined: bool,
    /// Why the pinned snapshot is not complete, for people; null if it is.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The version of the renderer that made the pinned prompt; null without a pin.
    #[schema(required = true)]
    pub renderer: Option<i64>,
    /// The refusal of the agent's last push or upload; absent once the server accepts one. Until
    /// then, the head may be older than the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_refused: Option<PushRefused>,
}

/// A chat's pin and its drift in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Context {
    #[serde(flatten)]
    pub pin: ChatContext,
    /// The head of the chat's agent; null without an agent or a head.
    #[schema(required = true)]
    pub head: Option<Head>,
    /// The pinned resources, in order; empty without a pin.
    pub resources: Vec<Resource>,
    /// The profile by which the pinned resources were found; absent without a pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The changes from the pin to the head; empty exactly if the chat is not dirty.
    pub changes: Vec<Change>,
    /// The strongest effect of the changes: `prompt`, `on_demand`, `skill`, `tools` or `none`. With
    /// `none`, a model gets no different context although the chat is dirty.
    #[serde(default = "effect_unknown")]
    #[schema(required = true)]
    pub effect: String,
    /// The version of this server's renderer. If the pin's is older, `{"render": true}` renders its
    /// prompt again.
    #[serde(default)]
    #[schema(required = true)]
    pub latest_renderer: i64,
    /// What the model was told besides the prompt; null if nothing.
    #[schema(required = true)]
    pub notices: Option<String>,
    #[schema(value_type = Policy)]
    pub policy: String,
    /// Whether the tools of a new turn would differ from the pin's.
    pub tools_differ: bool,
    /// The quotas that the chat's owner has nearly or fully used. They may be a minute old.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quota_warnings: Vec<QuotaWarning>,
}

/// A request to move a pin. Without members, it moves the pin to the agent's head.
///
/// An unknown member or a null is an error, because a misspelt or empty `sources` would otherwise
/// refresh everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextMove {
    /// Refresh only if this snapshot is still the head, or if the head's diff from it is empty, as after a push of a
    /// skill that is not used. Otherwise, the response is 412.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub head: Option<String>,
    /// Refresh only these sources.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Vec<Selector>, required = false, min_items = 1)]
    pub sources: Option<Vec<Selector>>,
    /// Another way to refresh. This version has none.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub mode: Option<String>,
    /// Keep the pin and decline this snapshot. The response is 412 under the condition of `head`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub decline: Option<String>,
    /// Take back that this snapshot was declined. The response is 412 under the condition of `head`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub undecline: Option<String>,
    /// Go back to this snapshot of the chat's history. The policy becomes `manual`, unless `policy` says otherwise.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub snapshot: Option<String>,
    /// The policy after going back to `snapshot`. To undo a move, send the policy from before it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Policy, required = false)]
    pub policy: Option<String>,
    /// True keeps the pinned snapshot and renders its prompt again, if an older renderer made it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = bool, required = false)]
    pub render: Option<bool>,
}

/// What to take from the head: all resources of a source, or the one of a kind and source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a source must be a text or {kind, source}")]
pub enum Selector {
    /// Every resource of this source.
    Source(String),
    /// The resource of this kind and source.
    Resource(KindAndSource),
}

/// A kind and a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindAndSource {
    /// The kind of a resource, or `facts`.
    pub kind: String,
    /// The source of the resource; empty for the facts.
    pub source: String,
}

/// A filter of the chats that an admin refreshes. A chat must meet every condition, and there must
/// be at least one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshFilter {
    /// The chat is bound to this agent.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Uuid, required = false)]
    pub agent_id: Option<Uuid>,
    /// The chat's pin or its agent's head holds this content.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub content_hash: Option<String>,
}
