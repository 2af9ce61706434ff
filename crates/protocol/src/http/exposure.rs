//! The chats and turns in which a content was in force.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The hashes that begin as the caller asked, as far as the caller may read about their chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownHashes {
    pub items: Vec<KnownHash>,
    /// Whether these are all. More digits find fewer.
    pub complete: bool,
}

/// A hash that the server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownHash {
    /// `content`, `context` or `snapshot`.
    pub kind: String,
    pub hash: String,
}

/// A chat that had a content, a context or a snapshot in force, or whose requests had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatExposure {
    pub chat_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The workspace of the chat's agent; absent for a chat without an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    #[serde(default)]
    #[schema(required = true)]
    pub archived: bool,
    /// The periods in which the chat's pin held it, newest first. They cover the newest 100 of the pins that held it.
    pub periods: Vec<ExposedPeriod>,
    /// The turns that had it in force; null if no turn had.
    #[schema(required = true)]
    pub turns: Option<ExposedTurns>,
    /// The turns whose requests really had it, by their evidence; absent if no turn has such evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<ExposedTurns>,
    /// The turns that had it in force and are `as-pinned` by their evidence, which does not list it as given: what was
    /// due was given then, and whether the rest was is not known. Absent if there is no such turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<ExposedTurns>,
}

/// A period in which a chat's pin held a content, a context or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExposedPeriod {
    /// The kind of the resource that had the content; absent for a context or a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The source of the resource that had the content; absent for a context or a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
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

/// The turns of a chat that had a content, a context or a snapshot in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExposedTurns {
    pub count: u64,
    /// The number of the first of them.
    pub first: i64,
    /// The number of the last of them. Turns between the two may have had something else.
    pub last: i64,
}

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
