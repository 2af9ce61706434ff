//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: Uuid,
    pub actor: Party,
    /// The token that the actor used; absent for the system, and in rows of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// The name of the operation.
    pub action: String,
    /// The object of the operation; null if there is no single object. For several refusals, the
    /// object of the first one.
    #[schema(required = true)]
    pub object: Option<Party>,
    /// `done` or `forbidden`.
    pub outcome: String,
    /// When it happened; for several refusals, the time of the first.
    pub at: DateTime<Utc>,
    /// The number of events in this row. Refusals of one token and action within one minute share a
    /// row.
    pub count: u64,
    /// The token that the operation made; absent if it made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_token: Option<NewToken>,
}

/// A new token, as it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    pub id: Uuid,
    /// The user that the token belongs to; absent for an agent's token, whose agent is the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Uuid>,
    /// Any of `read`, `write`, `provision` and `admin`; empty for an agent's token.
    pub scopes: Vec<String>,
    /// When the token expires; absent if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// The actor or the object of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// `user`, `agent`, `system`, `chat` or `token`.
    pub kind: String,
    /// Absent for the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}
