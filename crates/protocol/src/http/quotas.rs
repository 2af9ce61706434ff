//! The quotas of users, and how much of them is used.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::present;

/// The quotas of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    pub user: Uuid,
    /// The bytes that the user's agents have sent, each content counted once.
    pub content_bytes: Used,
    pub agents: Used,
    /// Chats, including archived ones.
    pub chats: Used,
    /// The user's own tokens that are neither revoked nor expired.
    pub tokens: Used,
}

/// A quota and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Used {
    pub used: u64,
    pub quota: u64,
    /// Whether the quota is the default, because no admin has set another one.
    pub is_default: bool,
}

/// A change of a user's quotas. An absent member leaves its quota as it is, and null restores the
/// default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaChange {
    /// The bytes that the user's agents may send, each content counted once.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub content_bytes: Option<Option<u64>>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub agents: Option<Option<u64>>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub chats: Option<Option<u64>>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u64>)]
    pub tokens: Option<Option<u64>>,
}

/// A quota that a user has nearly or fully used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaWarning {
    /// `content_bytes`, `agents`, `chats` or `tokens`.
    pub limit: String,
    pub used: u64,
    pub quota: u64,
}

/// The refusal of a push or upload that exceeds a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushRefused {
    /// `content_bytes`, `pushes` or `upload_bytes`.
    pub limit: String,
    /// The time of the refusal. While refusals continue, it is updated once a minute.
    pub at: DateTime<Utc>,
}
