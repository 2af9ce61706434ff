//! Chats.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::context::ChatContext;
use super::present;

/// One conversation with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Chat {
    /// Its id.
    pub id: Uuid,
    /// Its title, if it has one.
    #[schema(required = true)]
    pub title: Option<String>,
    /// The program that holds the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// That program's own id for it; unique for an owner and a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The agent that it is bound to.
    #[schema(required = true)]
    pub agent_id: Option<Uuid>,
    /// The chat that it was begun from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Uuid>,
    /// When its pin moves by itself: `manual`, `additive` or `follow`.
    pub policy: String,
    /// Where tools come from: `live` or `pinned`.
    pub tools: String,
    /// Whether it is put away.
    pub archived: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its title, policy, binding, archive or turns last changed. Not moved by a drift.
    pub updated_at: DateTime<Utc>,
    /// Its pin, and whether that has drifted.
    pub context: ChatContext,
}

/// Asks for a new chat, or for the one of the same client and reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatCreate {
    /// The program that holds the conversation, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub client: Option<String>,
    /// That program's own id for it, 1 to 200 characters. Repeating a request with the same client
    /// and reference answers the same chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub reference: Option<String>,
    /// The agent to bind it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Uuid>,
    /// The chat whose pin and agent it starts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Uuid>,
    /// Its title, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub title: Option<String>,
    /// `manual` (without it), `additive` or `follow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// `live` (without it) or `pinned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
}

/// What is to change in a chat. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatChange {
    /// A new title, 1 to 200 characters; null takes it away.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// Whether it is put away.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = bool, required = false)]
    pub archived: Option<bool>,
    /// The agent to bind it to; null unbinds it and keeps the pin.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Uuid>)]
    pub agent_id: Option<Option<Uuid>>,
    /// `manual`, `additive` or `follow`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub policy: Option<String>,
    /// `live` or `pinned`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub tools: Option<String>,
}

/// Which chats are asked for, and which page of them. Filters add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChatQuery {
    /// Those bound to this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Uuid>,
    /// Those that have drifted, or those that have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// Those that are put away, or those that are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Those of this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Those with this reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The `next` of the page before. The first page without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Most items wanted, from 1 to 500; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}
