//! The chats and turns in which a content was in force.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The chats and turns in which a content was in force, as far as the caller may read about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exposure {
    /// One item for each period in which a pin held the content, and for each place where the pin
    /// held it.
    pub chats: Vec<ExposedChat>,
    pub turns: Vec<ExposedTurn>,
}

/// A period in which a chat's pin held the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExposedChat {
    pub chat_id: Uuid,
    /// The kind of the resource that had the content.
    pub kind: String,
    pub source: String,
    /// The path of the skill's file that had the content; absent for the resource's own bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The `seq` of the first pin of the period.
    pub from_seq: i64,
    /// When that pin was made.
    pub from: DateTime<Utc>,
    /// When another pin ended the period; null while it lasts.
    #[schema(required = true)]
    pub until: Option<DateTime<Utc>>,
}

/// A turn for which the content was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExposedTurn {
    pub chat_id: Uuid,
    /// The turn's number in the chat.
    pub number: i64,
    pub started_at: DateTime<Utc>,
    /// Whether the content was part of the tools rather than of the pin.
    pub by_tools: bool,
}
