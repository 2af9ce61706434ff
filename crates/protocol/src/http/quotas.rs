//! How much a user may have, and has.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::present;

/// What a user has of everything that is limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Whose it is.
    pub user: Uuid,
    /// Bytes that the user's agents have sent, each content counted once.
    pub content_bytes: Used,
    /// Agents.
    pub agents: Used,
    /// Chats, archived ones too.
    pub chats: Used,
    /// Tokens of the user's own that are neither revoked nor expired.
    pub tokens: Used,
}

/// How much there is of something, and how much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Used {
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub quota: u64,
    /// Whether that is what holds for everybody of whom no admin has said otherwise.
    pub is_default: bool,
}

/// What is to change in how much a user may have. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaChange {
    /// Bytes that the user's agents may send, each content counted once; null goes back to the default.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub content_bytes: Option<Option<u64>>,
    /// Agents; null goes back to the default.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub agents: Option<Option<u64>>,
    /// Chats; null goes back to the default.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub chats: Option<Option<u64>>,
    /// Tokens; null goes back to the default.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub tokens: Option<Option<u64>>,
}

/// Something of which a user has nearly as much as is allowed, or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaWarning {
    /// `content_bytes`, `agents`, `chats` or `tokens`.
    pub limit: String,
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub quota: u64,
}

/// That what an agent sent last was more than is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushRefused {
    /// What there was too much of: `content_bytes`, `pushes` or `upload_bytes`.
    pub limit: String,
    /// When; told anew once a minute while it goes on.
    pub at: DateTime<Utc>,
}
