//! Who had a content in force.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The chats and turns that had a content in force, of those that the caller may read about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exposure {
    /// The chats whose pin held it, once for each stretch of their history and each place in it.
    pub chats: Vec<ExposedChat>,
    /// The turns that it was in force at.
    pub turns: Vec<ExposedTurn>,
}

/// A stretch of a chat's history whose pins held the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExposedChat {
    /// The chat.
    pub chat_id: Uuid,
    /// The kind of the resource.
    pub kind: String,
    /// The source of the resource.
    pub source: String,
    /// The supporting file of the skill, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The `seq` of the first pin that held it.
    pub from_seq: i64,
    /// When that pin was made.
    pub from: DateTime<Utc>,
    /// When another pin ended it; null while it is in force.
    #[schema(required = true)]
    pub until: Option<DateTime<Utc>>,
}

/// A turn that had the content in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExposedTurn {
    /// The chat.
    pub chat_id: Uuid,
    /// The turn's place in the chat.
    pub number: i64,
    /// When the turn began.
    pub started_at: DateTime<Utc>,
    /// Whether the content came with the tools rather than with the pin.
    pub by_tools: bool,
}
