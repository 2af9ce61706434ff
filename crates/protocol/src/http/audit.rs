//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The rows of the audit log to list. A page may have fewer items than its `limit`, or none, and a `next`: the server
/// reads 10,000 rows for each page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Rows of this user or agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Uuid>,
    /// Rows of this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Rows of this user, agent, chat or token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Uuid>,
    /// `done` or `forbidden`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Rows of this time and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Rows before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The `next` of the previous page; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The greatest number of items, from 1 to 500. The default is 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: Uuid,
    pub actor: Party,
    /// The token that the actor used; absent for the system, and in rows of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// The way by which the request came: `api`, `page`, `agent` or `system`; absent in rows of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
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
    /// Any of `read`, `write`, `observe`, `provision` and `admin`; empty for an agent's token.
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
    /// The present name of the user, of the agent's workspace or of the chat; absent if it has none or was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
