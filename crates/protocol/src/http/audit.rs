//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: Uuid,
    /// Who acted.
    pub actor: Party,
    /// With which token; left out for the system, and in rows of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// The operation's name.
    pub action: String,
    /// What it was done to, of several refusals the first; null for what concerns no single thing.
    #[schema(required = true)]
    pub object: Option<Party>,
    /// What became of it: `done` or `forbidden`.
    pub outcome: String,
    /// When; of several refusals the first.
    pub at: DateTime<Utc>,
    /// How often: refusals of one token and action within one minute are one row.
    pub count: u64,
    /// The token that came of it; left out where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_token: Option<NewToken>,
}

/// A token that was made, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// Its id.
    pub id: Uuid,
    /// The user whose token it is; left out for an agent's, which is the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Uuid>,
    /// What it may be used for; none of an agent's.
    pub scopes: Vec<String>,
    /// When it ends, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Who acted, or what was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// `user`, `agent`, `system`, `chat` or `token`.
    pub kind: String,
    /// The id; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}
